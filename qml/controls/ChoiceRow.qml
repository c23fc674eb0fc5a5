import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A row of a drop-down: label, note, and the reason where it cannot be chosen.
T.ItemDelegate {
    id: line
    property var row: ({})
    property bool isChosen: false
    implicitHeight: row.reason && !row.enabled ? Math.max(Theme.control, words.implicitHeight + 12) : Theme.control
    enabled: row.enabled
    Accessible.role: Accessible.ListItem
    Accessible.name: row.label + (row.reason ? ". " + row.reason : "")
    contentItem: Item {
        Icon {
            x: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            visible: line.isChosen
            glyph: "check"
            colour: Theme.accent
            size: 14
        }
        Column {
            id: words
            anchors.left: parent.left
            anchors.leftMargin: 28
            anchors.right: note.left
            anchors.rightMargin: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            Label { width: parent.width; text: line.row.label; color: line.row.enabled ? Theme.text : Theme.faint; Accessible.ignored: true }
            Label {
                width: parent.width
                visible: !line.row.enabled && line.row.reason !== ""
                text: line.row.reason
                color: Theme.faint
                font.pixelSize: Theme.small
                wrapMode: Text.Wrap
                Accessible.ignored: true
            }
        }
        Label {
            id: note
            anchors.right: parent.right
            anchors.rightMargin: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            text: line.row.note
            color: Theme.faint
            font.pixelSize: Theme.small
            Accessible.ignored: true
        }
    }
    background: Rectangle { radius: Theme.radius - 2; color: line.highlighted || line.hovered ? Theme.hover : "transparent" }
}
