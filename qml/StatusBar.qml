import QtQuick 2.15
import "controls"
import "remote"

// What the engine does, how fast and how long; what it runs on.
Rectangle {
    id: bar
    readonly property var jobs: studio.jobs
    readonly property string state_: studio.engine.state
    implicitHeight: Theme.px(28)
    color: Theme.window
    Accessible.role: Accessible.StatusBar
    Accessible.name: words.text
    Rectangle { width: parent.width; height: 1; color: Theme.line }
    Rectangle {
        id: lamp
        x: Theme.u4
        anchors.verticalCenter: parent.verticalCenter
        width: Theme.px(8)
        height: width
        radius: width / 2
        color: bar.state_ === "failed" || bar.state_ === "refused" ? Theme.error
             : ["restarting", "reconnecting", "dropping"].includes(bar.state_) ? Theme.warning : bar.state_ === "ready" ? Theme.accent : Theme.edge
    }
    Label {
        id: words
        anchors.left: lamp.right
        anchors.leftMargin: Theme.u2
        anchors.right: device.visible ? device.left : machine.left
        anchors.rightMargin: Theme.u4
        height: parent.height
        font.pixelSize: Theme.small
        color: bar.state_ === "failed" || bar.state_ === "refused" ? Theme.error : Theme.soft
        text: ["connecting", "reconnecting", "dropping"].includes(bar.state_) ? studio.remote.word
            : bar.state_ !== "ready" ? studio.engine.sentence
            : !bar.jobs.busy ? qsTr("Ready")
            : [bar.jobs.stage + (bar.jobs.steps ? " " + bar.jobs.steps : ""), bar.jobs.rate, bar.jobs.timeLeft ? qsTr("%1 left").arg(bar.jobs.timeLeft) : "",
               bar.jobs.waiting ? qsTr("%1 waiting").arg(bar.jobs.waiting) : ""].filter(part => part !== "").join("   ·   ")
    }
    // While others can come in, the line says so on every page, and leads there.
    Button {
        id: hosting
        readonly property int count: studio.host.clients.count
        anchors.right: device.visible ? device.left : machine.left
        anchors.rightMargin: visible ? Theme.u3 : 0
        anchors.verticalCenter: parent.verticalCenter
        height: parent.height - 4
        width: visible ? implicitWidth : 0
        visible: studio.host.state === "ready"
        quiet: true
        tinted: true
        glyph: "radio-tower"
        font.pixelSize: Theme.small
        text: count > 0 ? qsTr("Hosting: %1 connected").arg(count) : qsTr("Hosting")
        hint: studio.hint("host_settings")
        onClicked: studio.act("host_settings")
    }
    Row {
        id: device
        anchors.right: machine.left
        anchors.rightMargin: machine.visible ? Theme.u2 : 0
        height: parent.height
        spacing: Theme.u2
        visible: studio.engine.device !== ""
        Icon { glyph: "cpu"; size: Theme.px(14); anchors.verticalCenter: parent.verticalCenter; colour: Theme.faint }
        Label { height: parent.height; text: studio.engine.device; font.pixelSize: Theme.small; color: Theme.soft }
    }
    EndpointButton {
        id: machine
        anchors.right: parent.right
        anchors.rightMargin: visible ? Theme.u2 : Theme.u4
        anchors.verticalCenter: parent.verticalCenter
        height: parent.height - 4
    }
}
