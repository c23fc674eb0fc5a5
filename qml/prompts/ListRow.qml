import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// A row of a list: a title, a line below it, and whatever is put at its right end.
T.ItemDelegate {
    id: row
    property string title
    property string line
    property string note
    property int lines: 1
    property bool chosen: false
    default property alias ends: end.data
    implicitHeight: Math.max(Theme.control, words.implicitHeight + Theme.u2)
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.ListItem
    Accessible.name: title + (line ? ". " + line : "") + (note ? ". " + note : "")
    Keys.onReturnPressed: clicked()
    Keys.onEnterPressed: clicked()
    contentItem: Item {
        Column {
            id: words
            anchors.left: parent.left
            anchors.leftMargin: Theme.u2
            anchors.right: end.left
            anchors.rightMargin: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            Label { width: parent.width; text: row.title; maximumLineCount: row.lines; wrapMode: row.lines > 1 ? Text.Wrap : Text.NoWrap; Accessible.ignored: true }
            Label { width: parent.width; visible: text !== ""; text: row.line; color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
        }
        Row {
            id: end
            anchors.right: parent.right
            anchors.rightMargin: Theme.u1
            anchors.verticalCenter: parent.verticalCenter
            spacing: Theme.u1
            Label { visible: text !== ""; height: Theme.px(24); text: row.note; color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
        }
    }
    background: Rectangle {
        radius: Theme.radius - 2
        color: row.chosen ? Theme.accentSoft : row.hovered ? Theme.hover : "transparent"
        border.width: row.visualFocus || (row.activeFocus && row.focusReason !== Qt.MouseFocusReason) ? 2 : 0
        border.color: Theme.accent
    }
}
