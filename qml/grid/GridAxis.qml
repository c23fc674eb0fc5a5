import QtQuick 2.15
import "../controls"
import ".."

// One axis: what changes, to which values, and what they come to.
FocusScope {
    id: axis
    required property int index
    readonly property var grid: studio.grid
    readonly property var row: grid.axes[index]
    readonly property string letter: row.name
    readonly property bool hasChoices: row.choices.length > 0
    readonly property Item first: kind
    implicitHeight: lines.implicitHeight
    onRowChanged: if (box.text !== row.text) box.text = row.text
    Label {
        id: sign
        width: Theme.px(20)
        height: Theme.control
        text: axis.letter
        font.weight: Font.DemiBold
        color: axis.row.used ? Theme.text : Theme.faint
        Accessible.ignored: true
    }
    Column {
        id: lines
        anchors.left: sign.right
        anchors.right: parent.right
        spacing: Theme.u1 + 2
        Item {
            width: parent.width
            height: Math.max(Theme.control, box.visible ? box.height : 0)
            Choice {
                id: kind
                focus: true
                width: Theme.px(212)
                name: qsTr("What changes on axis %1").arg(axis.letter)
                rows: axis.grid.kinds
                current: axis.row.kind
                onChosen: value => axis.grid.setKind(axis.index, value)
            }
            TextBox {
                id: box
                visible: axis.row.used
                anchors.left: kind.right
                anchors.leftMargin: Theme.u2
                anchors.right: side.left
                anchors.rightMargin: Theme.u2
                height: Math.max(Theme.control, Math.min(Theme.px(84), Math.ceil(area.contentHeight) + area.topPadding + area.bottomPadding + 4))
                name: qsTr("Values of axis %1").arg(axis.letter)
                placeholder: axis.row.hint
                Component.onCompleted: text = axis.row.text
                onEdited: axis.grid.setText(axis.index, text)
                // Ranges stand out from single values.
                Repeater {
                    parent: box.area
                    model: axis.row.ranges
                    delegate: Rectangle {
                        readonly property rect from: box.area.positionToRectangle(Math.min(modelData[0], box.area.length))
                        readonly property rect to: box.area.positionToRectangle(Math.min(modelData[1], box.area.length))
                        parent: box.area
                        x: from.x
                        y: from.y + from.height - 1
                        width: to.y === from.y ? to.x - from.x : box.area.width - from.x - box.area.rightPadding
                        height: 2
                        color: Theme.accent
                    }
                }
            }
            Label {
                visible: !axis.row.used
                anchors.left: kind.right
                anchors.leftMargin: Theme.u3
                anchors.right: side.left
                height: Theme.control
                color: Theme.faint
                text: axis.index === 0 ? qsTr("Columns of the sheet") : axis.index === 1 ? qsTr("Rows of the sheet") : qsTr("A sheet for each value")
            }
            Row {
                id: side
                anchors.right: parent.right
                spacing: 2
                Button {
                    visible: axis.hasChoices
                    quiet: true
                    text: qsTr("All")
                    hint: qsTr("Take every value that can be used")
                    Accessible.name: qsTr("All values for axis %1").arg(axis.letter)
                    onClicked: axis.grid.addAll(axis.index)
                }
                Choice {
                    visible: axis.hasChoices
                    width: Theme.px(92)
                    name: qsTr("Add a value to axis %1").arg(axis.letter)
                    rows: [{ value: "", label: qsTr("Add"), note: "", enabled: true, reason: "" }].concat(axis.row.choices)
                    current: ""
                    onChosen: value => { if (value !== "") axis.grid.addValue(axis.index, value) }
                }
                Button {
                    quiet: true
                    glyph: "arrow-down-up"
                    hint: axis.index < 2 ? qsTr("Swap %1 and %2").arg(axis.letter).arg(axis.grid.axes[axis.index + 1].name) : qsTr("Swap %1 and %2").arg(axis.letter).arg("X")
                    onClicked: axis.grid.swap(axis.index, (axis.index + 1) % 3)
                }
            }
        }
        Check {
            visible: axis.row.replaces
            x: kind.width + Theme.u2
            text: qsTr("Pattern")
            name: qsTr("The first value of axis %1 is a pattern").arg(axis.letter)
            checked: axis.row.regex
            onToggled: axis.grid.setRegex(axis.index, checked)
        }
        Repeater {
            model: axis.row.problems.slice(0, 2)
            delegate: Label {
                x: kind.width + Theme.u2
                width: lines.width - x
                text: modelData
                color: Theme.error
                font.pixelSize: Theme.small
                wrapMode: Text.Wrap
                Accessible.role: Accessible.AlertMessage
            }
        }
        Item {
            visible: axis.row.chips.length > 0
            x: kind.width + Theme.u2
            width: lines.width - x
            height: Theme.px(22)
            clip: true
            Accessible.role: Accessible.StaticText
            Accessible.name: qsTr("Axis %1: %2").arg(axis.letter).arg(axis.row.chips.join(", "))
            Row {
                id: chips
                spacing: Theme.u1
                readonly property real room: parent.width - rest.width - Theme.u2
                Repeater {
                    model: axis.row.chips
                    delegate: Rectangle {
                        visible: x + width <= chips.room
                        width: Math.min(Theme.px(180), word.implicitWidth + 2 * Theme.u2)
                        height: Theme.px(22)
                        radius: Theme.radius
                        color: Theme.raised
                        Label { id: word; x: Theme.u2; width: parent.width - 2 * Theme.u2; height: parent.height; text: modelData; font.pixelSize: Theme.small; color: Theme.soft; Accessible.ignored: true }
                    }
                }
            }
            Label {
                id: rest
                anchors.right: parent.right
                height: parent.height
                text: qsTr("%1 values").arg(axis.row.chips.length + axis.row.more)
                font.pixelSize: Theme.small
                color: Theme.faint
                Accessible.ignored: true
            }
        }
    }
}
