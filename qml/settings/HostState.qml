import QtQuick 2.15
import "../controls"
import ".."

// On or off, in one line, and why not.
Rectangle {
    id: card
    readonly property var host: studio.host
    readonly property bool on: host.state === "ready"
    readonly property bool busy: host.state === "starting" || host.state === "stopping"
    implicitHeight: Math.max(words.implicitHeight, button.height) + 2 * Theme.u3
    radius: Theme.radiusLarge
    color: Theme.window
    border.color: on ? Theme.accent : Theme.line
    Rectangle {
        id: lamp
        x: Theme.u4
        y: Theme.u3 + Math.round((Theme.control - height) / 2)
        width: Theme.px(8)
        height: width
        radius: width / 2
        visible: !card.busy
        color: card.on ? Theme.accent : card.host.problem !== "" ? Theme.error : Theme.edge
    }
    Spinner { visible: card.busy; running: visible; anchors.centerIn: lamp; width: Theme.px(16); height: width }
    Column {
        id: words
        anchors.left: lamp.right
        anchors.leftMargin: Theme.u3
        anchors.right: button.left
        anchors.rightMargin: Theme.u4
        y: Theme.u3
        spacing: Theme.u1
        Label { id: state_; width: parent.width; height: Theme.control; text: card.host.words; font.weight: Font.DemiBold; Accessible.role: Accessible.StatusBar }
        Label { width: parent.width; visible: text !== ""; wrapMode: Text.Wrap; color: Theme.error; text: card.host.problem; Accessible.role: Accessible.AlertMessage }
        Label { width: parent.width; visible: text !== ""; wrapMode: Text.Wrap; color: Theme.soft; font.pixelSize: Theme.small; text: card.host.obstacle || card.host.reach }
        Label { width: parent.width; visible: card.host.isMonitored; wrapMode: Text.Wrap; color: Theme.soft; font.pixelSize: Theme.small; text: qsTr("The pictures of guests are kept in the folder monitor, and they are told so.") }
        Row {
            visible: card.on && card.host.isPending
            spacing: Theme.u2
            Label { height: Theme.control; color: Theme.warning; font.pixelSize: Theme.small; text: qsTr("Changes act when hosting starts again.") }
            Button { text: qsTr("Start again"); onClicked: card.host.startAgain() }
        }
    }
    Button {
        id: button
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        y: Theme.u3
        primary: !card.on && !card.busy
        text: card.on || card.busy ? qsTr("Stop hosting") : qsTr("Start hosting")
        enabled: !card.busy && card.host.obstacle === ""
        hint: card.host.obstacle
        onClicked: card.on ? card.host.stop() : card.host.start()
    }
}
