import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import "../settings"
import "../transfers"
import ".."

// Settings, Remote: which machine makes the pictures, the ones that were saved, and how the window deals with them.
Flickable {
    id: section
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
        width: parent.width - (section.contentHeight > section.height ? Theme.u4 : 0)
        spacing: Theme.u3
        Label { width: parent.width; height: Theme.px(48); verticalAlignment: Text.AlignBottom; text: qsTr("Remote"); font.pixelSize: Theme.large; font.weight: Font.DemiBold }
        LineState { width: parent.width }
        LineQuestion { width: parent.width }
        ConnectionForm { id: form; width: parent.width }
        SavedMachines { width: parent.width }
        TransfersLine { width: parent.width }
        Column {
            width: parent.width
            Repeater {
                id: rows
                model: studio.settings.found
                delegate: SettingRow { width: column.width; onFocused: section.show(this) }
            }
        }
    }
    Connections {
        target: studio.remote
        function onPasswordAsked(name, endpoint) { form.ask(name, endpoint) }
    }
}
