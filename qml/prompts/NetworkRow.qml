import QtQuick 2.15
import "../controls"
import ".."

// One network: on or off, its weight; unfolded also its weight on the text encoders and its blocks.
FocusScope {
    id: row
    required property int index
    required property string name
    required property string kind
    required property bool on
    required property real weight
    required property real clip
    required property bool follows
    required property string blocks
    required property bool plain
    required property bool missing
    required property string family
    required property bool foreign
    required property string side
    property bool unfolded: false
    readonly property var networks: studio.prompts.networks
    signal focused(Item item)
    onActiveFocusChanged: if (activeFocus) focused(row)
    implicitHeight: column.implicitHeight + Theme.u2
    Accessible.role: Accessible.Grouping
    Accessible.name: qsTr("%1 %2").arg(kind).arg(name)
    Rectangle { anchors.fill: parent; anchors.bottomMargin: Theme.u1; radius: Theme.radius; color: Theme.field; opacity: row.on ? 1 : 0.6 }
    Column {
        id: column
        x: Theme.u2
        width: row.width - Theme.u3
        Item {
            width: parent.width
            height: Theme.control
            Toggle {
                id: toggle
                anchors.verticalCenter: parent.verticalCenter
                name: qsTr("Use %1").arg(row.name)
                checked: row.on
                onToggled: row.networks.switch(row.index, checked)
            }
            Label {
                id: title
                anchors.left: toggle.right
                anchors.leftMargin: Theme.u2
                anchors.right: tools.left
                height: parent.height
                text: row.name
                elide: Text.ElideMiddle
                color: row.missing ? Theme.error : row.on ? Theme.text : Theme.faint
                HoverHandler { id: over }
                Hint {
                    visible: over.hovered
                    text: row.kind + " " + row.name + (row.side ? ", " + row.side : "") + (row.family ? "\n" + row.family : "")
                          + (row.missing ? "\n" + qsTr("There is no such file: it is left out.") : row.foreign ? "\n" + qsTr("It is made for another family of models.") : "")
                }
            }
            Row {
                id: tools
                anchors.right: parent.right
                anchors.verticalCenter: parent.verticalCenter
                Icon { visible: row.missing || row.foreign; glyph: "triangle-alert"; size: Theme.px(14); colour: row.missing ? Theme.error : Theme.warning; anchors.verticalCenter: parent.verticalCenter }
                Button { quiet: true; implicitWidth: Theme.px(28); implicitHeight: Theme.px(28); glyph: row.unfolded ? "chevron-down" : "chevron-right"; hint: qsTr("Weights of the text encoders and of the blocks"); Accessible.name: qsTr("More of %1").arg(row.name); onClicked: row.unfolded = !row.unfolded }
                Button { quiet: true; implicitWidth: Theme.px(28); implicitHeight: Theme.px(28); glyph: "x"; hint: qsTr("Take out of the prompt"); Accessible.name: qsTr("Remove %1").arg(row.name); onClicked: row.networks.remove(row.index) }
            }
        }
        WeightLine { width: parent.width; visible: row.plain; title: qsTr("Weight"); wide: row.unfolded; name: qsTr("Weight of %1").arg(row.name); value: row.weight; onChosen: number => row.networks.setWeight(row.index, number) }
        Label { visible: !row.plain; width: parent.width; height: Theme.control; text: qsTr("Its weight is a schedule in the prompt."); color: Theme.soft; font.pixelSize: Theme.small }
        WeightLine {
            width: parent.width
            visible: row.unfolded && row.plain
            title: qsTr("Text")
            wide: true
            name: qsTr("Weight of %1 on the text encoders").arg(row.name)
            value: row.clip
            faint: row.follows
            onChosen: number => row.networks.setClip(row.index, number)
            onResetAsked: row.networks.followClip(row.index)
        }
        Item {
            visible: row.unfolded
            width: parent.width
            height: Theme.control + Theme.u1
            Label { width: Theme.px(56); height: Theme.control; text: qsTr("Blocks"); color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
            Field {
                x: Theme.px(56)
                width: parent.width - x
                text: row.blocks
                placeholderText: qsTr("1,0,0,... or ALL, INS, MIDD, OUTALL")
                Accessible.name: qsTr("Block weights of %1").arg(row.name)
                onEditingFinished: if (text !== row.blocks) row.networks.setBlocks(row.index, text)
            }
        }
    }
}
