import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// One line at the side: a folder, a saved search or a facet.
T.AbstractButton {
    id: row
    property string note
    property string glyph
    property int depth: 0
    property bool isChosen: false
    property bool removable: false
    property bool quiet: false
    property string removeHint
    signal picked()
    signal removed()
    implicitHeight: 28
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.Button
    Accessible.name: note ? qsTr("%1, %2 pictures").arg(text).arg(note) : text
    Accessible.checked: isChosen
    Accessible.onPressAction: row.picked()
    onClicked: picked()
    Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : picked()
    Keys.onDeletePressed: if (removable) removed()
    contentItem: Item {
        Icon {
            id: icon
            x: Theme.u2 + row.depth * Theme.u3
            visible: row.glyph !== ""
            anchors.verticalCenter: parent.verticalCenter
            glyph: row.glyph
            size: Theme.px(14)
            colour: row.isChosen ? Theme.accent : Theme.soft
        }
        Label {
            anchors.left: icon.visible ? icon.right : parent.left
            anchors.leftMargin: Theme.u2
            anchors.right: remove.visible ? remove.left : count.left
            anchors.rightMargin: Theme.u1
            height: parent.height
            text: row.text
            color: row.quiet ? Theme.soft : Theme.text
            font.pixelSize: row.quiet ? Theme.small : Theme.body
            Accessible.ignored: true
        }
        Label {
            id: count
            anchors.right: parent.right
            anchors.rightMargin: Theme.u2
            height: parent.height
            visible: !remove.visible
            text: row.note
            color: Theme.faint
            font.pixelSize: Theme.small
            Accessible.ignored: true
        }
        Button {
            id: remove
            visible: row.removable && (row.hovered || row.activeFocus || activeFocus)
            anchors.right: parent.right
            anchors.verticalCenter: parent.verticalCenter
            implicitHeight: 24
            width: 24
            quiet: true
            glyph: "x"
            hint: row.removeHint
            onClicked: row.removed()
        }
    }
    background: Rectangle {
        radius: Theme.radius
        color: row.isChosen ? Theme.accentSoft : row.hovered ? Theme.hover : "transparent"
        FocusRing { control: row; anchors.margins: 0 }
    }
}
