import QtQuick 2.15
import "../controls"
import ".."

// Sharing the engine: its state and the switch, what others need to come, and who is there.
Item {
    id: panel
    readonly property var host: studio.host
    readonly property bool on: host.state === "ready"
    readonly property bool busy: host.state === "starting" || host.state === "stopping"
    property bool showsCode: false
    implicitHeight: column.implicitHeight + Theme.u3
    onOnChanged: if (!on) showsCode = false
    Column {
        id: column
        width: parent.width - Theme.u4 // beside the scroll bar
        spacing: Theme.u3
        Label { width: parent.width; height: Theme.px(48); verticalAlignment: Text.AlignBottom; text: qsTr("Host"); font.pixelSize: Theme.large; font.weight: Font.DemiBold }
        Label { width: parent.width; wrapMode: Text.Wrap; color: Theme.soft; text: qsTr("Let others paint with the engine of this computer. This window goes on working meanwhile; everybody's jobs take turns.") }
        HostState { width: parent.width }
        HostLink { width: parent.width; visible: panel.on; showsCode: panel.showsCode; onCodeAsked: panel.showsCode = !panel.showsCode }
        HostPassword { width: parent.width }
        HostClients { width: parent.width; visible: panel.on }
    }
}
