import QtQuick 2.15
import "../controls"
import ".."

// One transfer: what, from where to where, how far; and what can be done with it.
Item {
    id: line
    readonly property var transfers: studio.transfers
    readonly property var entry: model
    readonly property bool bad: entry.condition === "failed"
    height: column.implicitHeight + 2 * Theme.u3
    Accessible.role: Accessible.ListItem
    Accessible.name: [entry.name, entry.between, entry.words].join(", ")
    Icon {
        id: sign
        y: Theme.u3 + 1
        glyph: line.bad ? "circle-alert" : entry.condition === "finished" ? "check" : entry.way === "upload" ? "upload" : "download"
        colour: line.bad ? Theme.error : entry.condition === "finished" || entry.isMoving ? Theme.accent : Theme.faint
    }
    Column {
        id: column
        anchors.left: sign.right
        anchors.leftMargin: Theme.u3
        anchors.right: tools.left
        anchors.rightMargin: Theme.u3
        y: Theme.u3
        spacing: Theme.u1
        Item {
            width: parent.width
            height: name.implicitHeight
            Label { id: name; width: Math.min(implicitWidth, parent.width * 0.62); text: line.entry.name; elide: Text.ElideMiddle; Accessible.ignored: true }
            Label { anchors.left: name.right; anchors.leftMargin: Theme.u2; anchors.right: parent.right; anchors.baseline: name.baseline; text: line.entry.between; color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
        }
        Rectangle {
            visible: !line.entry.ended
            width: parent.width
            height: 4
            radius: 2
            color: Theme.track
            Rectangle { width: Math.round(parent.width * line.entry.fraction); height: parent.height; radius: 2; color: line.entry.isMoving ? Theme.accent : Theme.edge }
        }
        Label { width: parent.width; text: line.entry.words; wrapMode: Text.Wrap; color: line.bad ? Theme.error : Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
    }
    Row {
        id: tools
        anchors.right: parent.right
        y: Theme.u2
        spacing: 2
        Button { visible: line.entry.nameTaken; text: qsTr("Keep both"); hint: qsTr("Take another name for the new file"); onClicked: line.transfers.keepBoth(line.entry.key) }
        Button { visible: line.entry.tokenAsked; text: qsTr("Give token"); onClicked: line.transfers.giveToken(line.entry.key) }
        Button {
            visible: !line.entry.ended
            quiet: true
            glyph: line.entry.paused ? "play" : "pause"
            hint: line.entry.paused ? qsTr("Go on") : qsTr("Pause")
            onClicked: line.entry.paused ? line.transfers.goOn(line.entry.key) : line.transfers.pause(line.entry.key)
        }
        Button { visible: line.entry.ended && line.entry.condition !== "finished"; quiet: true; glyph: "rotate-ccw"; hint: qsTr("Try again"); onClicked: line.transfers.retry(line.entry.key) }
        Button {
            quiet: true
            glyph: "x"
            hint: line.entry.ended ? qsTr("Take off the list") : qsTr("Cancel")
            onClicked: line.entry.ended ? line.transfers.remove(line.entry.key) : line.transfers.cancel(line.entry.key)
        }
    }
    Rectangle { anchors.bottom: parent.bottom; width: parent.width; height: 1; color: Theme.line }
}
