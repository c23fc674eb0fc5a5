import QtQuick 2.15
import "../controls"
import ".."

// What to do when there is no picture yet; or what is missing before there can be one.
Column {
    id: hint
    // Without a machine there is nothing that could lack models.
    readonly property bool nowhere: studio.remote.isRemote && studio.engine.state !== "ready"
    readonly property string obstacle: nowhere ? "" : studio.parameters.obstacle
    readonly property string key: studio.keys.revision >= 0 ? studio.keys.shown("generate") : ""
    spacing: Theme.u3
    Icon { anchors.horizontalCenter: parent.horizontalCenter; glyph: hint.nowhere ? "server" : hint.obstacle ? "triangle-alert" : "image"; size: Theme.px(40); colour: hint.obstacle ? Theme.warning : Theme.edge }
    Label {
        width: parent.width
        horizontalAlignment: Text.AlignHCenter
        text: hint.nowhere ? (studio.remote.endpoint === "" ? qsTr("No machine yet") : studio.remote.name)
            : hint.obstacle ? qsTr("No picture can be made yet")
            : hint.key ? qsTr("Type what you want to see, then press %1").arg(hint.key) : qsTr("Type what you want to see, then generate")
        font.pixelSize: Theme.large
        font.weight: Font.DemiBold
        wrapMode: Text.Wrap
    }
    Label {
        width: parent.width
        horizontalAlignment: Text.AlignHCenter
        text: hint.nowhere ? (studio.remote.endpoint === "" ? qsTr("Pictures are made on another machine. Paste its connection link to begin.") : studio.remote.sentence || studio.remote.word)
            : hint.obstacle || qsTr("The picture emerges here and is saved by itself.")
        color: Theme.soft
        wrapMode: Text.Wrap
    }
    Button {
        visible: hint.nowhere && !studio.remote.connected
        anchors.horizontalCenter: parent.horizontalCenter
        primary: true
        glyph: "plug"
        text: qsTr("Connect")
        hint: studio.hint("remote_settings")
        onClicked: studio.act("remote_settings")
    }
    FirstModels { visible: hint.obstacle !== "" && !studio.remote.isRemote; width: Math.min(parent.width, Theme.px(420)); anchors.horizontalCenter: parent.horizontalCenter }
}
