import QtQuick 2.15
import "../controls"
import ".."

// What must happen before every change acts, with the button for it.
Rectangle {
    id: bar
    readonly property bool restart: studio.settings.pending.includes("restart")
    readonly property bool needed: studio.settings.pending.length > 0
    height: needed ? Math.max(Theme.px(44), words.implicitHeight + Theme.u3) : 0
    visible: needed
    color: Theme.accentSoft
    Label {
        id: words
        anchors.left: parent.left
        anchors.leftMargin: Theme.u6
        anchors.right: button.left
        anchors.rightMargin: Theme.u4
        anchors.verticalCenter: parent.verticalCenter
        wrapMode: Text.Wrap
        text: bar.restart ? qsTr("Some changes act after a restart of the program.") : qsTr("Some changes act after the engine was reloaded.")
    }
    Button {
        id: button
        anchors.right: parent.right
        anchors.rightMargin: Theme.u4
        anchors.verticalCenter: parent.verticalCenter
        primary: true
        text: bar.restart ? qsTr("Restart") : qsTr("Reload engine")
        onClicked: studio.act(bar.restart ? "restart" : "reload")
    }
}
