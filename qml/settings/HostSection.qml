import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// Settings, Host: sharing the engine. Its state and the switch, what others need to come, who is there, and how it is shared.
Flickable {
    id: section
    readonly property var host: studio.host
    readonly property bool on: host.state === "ready"
    property bool showsCode: false
    onOnChanged: if (!on) showsCode = false
    contentHeight: column.height + Theme.u6
    boundsBehavior: Flickable.StopAtBounds
    clip: true
    T.ScrollBar.vertical: Scroll { }
    function show(item) {
        var y = item.mapToItem(column, 0, 0).y
        contentY = Math.max(0, Math.min(Math.max(0, contentHeight - height), y < contentY ? y - Theme.u3 : y + item.height > contentY + height ? y + item.height - height + Theme.u3 : contentY))
    }
    function reveal(place) {
        var row = rows.itemAt(place)
        if (row && row.first)
            row.first.forceActiveFocus(Qt.TabFocusReason)
    }
    Column {
        id: column
        width: parent.width - Theme.u4 // beside the scroll bar
        spacing: Theme.u3
        Label { width: parent.width; height: Theme.px(48); verticalAlignment: Text.AlignBottom; text: qsTr("Host"); font.pixelSize: Theme.large; font.weight: Font.DemiBold }
        Label { width: parent.width; wrapMode: Text.Wrap; color: Theme.soft; text: qsTr("Let others paint with the engine of this computer. This window goes on working meanwhile; everybody's jobs take turns.") }
        HostState { width: parent.width }
        HostLink { width: parent.width; visible: section.on; showsCode: section.showsCode; onCodeAsked: section.showsCode = !section.showsCode }
        HostPassword { width: parent.width }
        HostClients { width: parent.width; visible: section.on }
        Label { width: parent.width; height: Theme.px(40); verticalAlignment: Text.AlignBottom; text: qsTr("How it is shared"); font.pixelSize: Theme.large; font.weight: Font.DemiBold }
        Column {
            width: parent.width
            Repeater {
                id: rows
                model: studio.settings.found
                delegate: SettingRow { width: column.width; onFocused: section.show(this) }
            }
        }
    }
}
