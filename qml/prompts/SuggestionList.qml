import QtQuick 2.15
import QtQuick.Window 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// What can be meant at the cursor, above or below the line that is typed. The keyboard stays in the text.
T.Popup {
    id: list
    property var completion
    property rect anchor
    property rect line
    readonly property real room: visible && parent ? parent.mapToItem(null, 0, line.y).y : 0
    readonly property bool above: room > implicitHeight + 2 * Theme.u2
    visible: completion.open
    focus: false
    modal: false
    closePolicy: T.Popup.NoAutoClose
    padding: Theme.u1
    margins: Theme.u2
    width: Theme.px(360)
    implicitHeight: rows.contentHeight + 2 * padding
    x: anchor.x - Theme.u2
    y: above ? line.y - implicitHeight - Theme.u1 : line.y + line.height + Theme.u1
    contentItem: ListView {
        id: rows
        implicitHeight: contentHeight
        interactive: false
        model: list.completion.rows
        currentIndex: list.completion.current
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Suggestions")
        delegate: T.ItemDelegate {
            id: row
            readonly property var entry: modelData
            readonly property bool chosen: index === list.completion.current
            width: rows.width
            height: Theme.px(26)
            focusPolicy: Qt.NoFocus
            Accessible.role: Accessible.ListItem
            Accessible.name: entry.name + ", " + entry.kind + (entry.family ? ", " + entry.family : "")
            onClicked: list.completion.accept(index)
            contentItem: Item {
                Label {
                    anchors.left: parent.left
                    anchors.leftMargin: Theme.u2
                    anchors.right: notes.left
                    anchors.rightMargin: Theme.u2
                    height: parent.height
                    text: row.entry.name
                    elide: Text.ElideMiddle
                    color: row.entry.foreign ? Theme.faint : Theme.text
                    Accessible.ignored: true
                }
                Row {
                    id: notes
                    anchors.right: parent.right
                    anchors.rightMargin: Theme.u2
                    height: parent.height
                    spacing: Theme.u2
                    Icon { visible: row.entry.foreign; glyph: "triangle-alert"; size: 12; colour: Theme.warning; anchors.verticalCenter: parent.verticalCenter }
                    Label { visible: text !== ""; height: parent.height; text: row.entry.family; color: row.entry.foreign ? Theme.warning : Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
                    Label { visible: text !== ""; height: parent.height; text: row.entry.count; color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
                    Label { height: parent.height; text: row.entry.kind; color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
                }
            }
            background: Rectangle { radius: Theme.radius - 2; color: row.chosen ? Theme.accentSoft : row.hovered ? Theme.hover : "transparent" }
        }
    }
    background: Rectangle { color: Theme.raised; radius: Theme.radius; border.color: Theme.line }
}
