import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A row of a drop-down: label, note, and the reason where it cannot be chosen.
T.ItemDelegate {
    id: line
    property var row: ({})
    property bool isChosen: false
    property string words: ""
    // The hit is underlined where the letters are the same; what differs in accents is found, too, but not marked.
    function marked(label) {
        var safe = text => text.replace(/&/g, "&amp;").replace(/</g, "&lt;")
        var at = words ? label.toLowerCase().indexOf(words.toLowerCase()) : -1
        return at < 0 ? safe(label) : safe(label.slice(0, at)) + "<u>" + safe(label.slice(at, at + words.length)) + "</u>" + safe(label.slice(at + words.length))
    }
    implicitHeight: row.reason && !row.enabled ? Math.max(Theme.control, said.implicitHeight + 12) : Theme.control
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
            size: Theme.px(14)
        }
        Column {
            id: said
            anchors.left: parent.left
            anchors.leftMargin: 28
            anchors.right: note.left
            anchors.rightMargin: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            Label { width: parent.width; text: line.marked(line.row.label); textFormat: Text.StyledText; color: line.row.enabled ? Theme.text : Theme.faint; Accessible.ignored: true }
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
