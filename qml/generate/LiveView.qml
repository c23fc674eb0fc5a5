import QtQuick 2.15
import "../controls"
import ".."

// The picture of what the controls hold now, in place of the stage while Live is on. Nothing of it is saved until Keep.
Item {
    id: view
    readonly property var live: studio.live
    visible: live.on
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Live")
    Rectangle { anchors.fill: parent; color: Theme.stage }
    MouseArea { anchors.fill: parent; acceptedButtons: Qt.AllButtons; Accessible.ignored: true }
    Picture {
        id: picture
        anchors.fill: parent
        anchors.margins: Theme.u4
        anchors.bottomMargin: bar.height + Theme.u4
        source: view.live.source
        description: qsTr("What the controls would make now")
    }
    Column {
        visible: view.live.source === ""
        anchors.centerIn: parent
        spacing: Theme.u3
        Spinner { anchors.horizontalCenter: parent.horizontalCenter; running: parent.visible && studio.jobs.busy }
        Label { text: qsTr("Change a word or a value: the picture follows"); color: Theme.soft }
    }
    Item {
        id: bar
        anchors.bottom: parent.bottom
        width: parent.width
        height: Theme.px(44)
        Rectangle { x: Theme.u4; anchors.verticalCenter: parent.verticalCenter; width: 8; height: 8; radius: 4; color: Theme.accent }
        Label { x: Theme.u4 + 16; height: parent.height; text: qsTr("Live: nothing is saved"); color: Theme.soft; font.pixelSize: Theme.small }
        Row {
            anchors.right: parent.right
            anchors.rightMargin: Theme.u3
            anchors.verticalCenter: parent.verticalCenter
            spacing: Theme.u2
            Button { text: qsTr("Keep"); glyph: "save"; hint: studio.hint("live_keep"); enabled: view.live.keeps; onClicked: studio.act("live_keep") }
            Button { text: qsTr("Off"); glyph: "x"; hint: qsTr("Switch Live off"); onClicked: studio.act("live") }
        }
    }
}
