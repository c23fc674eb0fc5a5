import QtQuick 2.15
import "../controls"
import ".."

// Which machine is in use, how the line to it is, and what can be done about it.
Rectangle {
    id: card
    readonly property var line: studio.remote
    readonly property bool empty: !line.hasLocal && line.endpoint === ""
    implicitHeight: Math.max(words.implicitHeight, buttons.height) + 2 * Theme.u4
    radius: Theme.radiusLarge
    color: Theme.window
    border.color: Theme.line
    Rectangle {
        id: lamp
        x: Theme.u4
        y: Theme.u4 + Math.round((Theme.body * 1.25 - height) / 2)
        width: Theme.px(8)
        height: width
        radius: width / 2
        color: card.line.state === "refused" ? Theme.error : card.line.isTrouble ? Theme.warning
             : card.line.state === "connected" || card.line.state === "local" ? Theme.accent : Theme.edge
    }
    Column {
        id: words
        anchors.left: lamp.right
        anchors.leftMargin: Theme.u3
        anchors.right: buttons.left
        anchors.rightMargin: Theme.u4
        y: Theme.u4
        spacing: Theme.u1
        Label {
            width: parent.width
            text: card.empty ? qsTr("No machine yet") : card.line.name
            font.weight: Font.DemiBold
            wrapMode: Text.Wrap
        }
        Label {
            width: parent.width
            visible: text !== ""
            text: card.empty ? qsTr("Start Sfumato on a machine with a graphics card, by a notebook or by sfumato serve, and paste the connection link that it prints below.")
                : !card.line.isRemote ? qsTr("Pictures are made on this computer.")
                : [card.line.word, card.line.latency, card.line.state === "connected" ? studio.engine.device : ""].filter(part => part !== "").join("   ·   ")
            color: Theme.soft
            font.pixelSize: Theme.small
            wrapMode: Text.Wrap
        }
        Label {
            width: parent.width
            visible: text !== "" && !card.empty && card.line.isRemote
            text: card.line.sentence
            color: card.line.state === "refused" ? Theme.error : card.line.isTrouble ? Theme.warning : Theme.soft
            font.pixelSize: Theme.small
            wrapMode: Text.Wrap
            Accessible.role: Accessible.AlertMessage
        }
        Repeater {
            model: [card.line.rights, card.line.promise]
            delegate: Label { width: words.width; visible: text !== ""; text: modelData; color: Theme.soft; font.pixelSize: Theme.small; wrapMode: Text.Wrap }
        }
    }
    Row {
        id: buttons
        anchors.right: parent.right
        anchors.rightMargin: Theme.u4
        y: Theme.u4
        spacing: Theme.u2
        Button { visible: card.line.connected; glyph: "unplug"; text: qsTr("Disconnect"); onClicked: card.line.hangUp() }
        Button { visible: card.line.hasLocal && card.line.isRemote; glyph: "monitor"; text: qsTr("Use this computer"); onClicked: card.line.useThisComputer() }
    }
}
