import QtQuick 2.15
import "controls"
import "transfers"

// Menus on the left, the tabs of the pages on the right.
Rectangle {
    id: bar
    height: Theme.bar
    color: Theme.window
    Menus {
        actions: studio.actions
        menuNames: studio.menus
        onPicked: action => studio.act(action)
    }
    Row {
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        height: parent.height
        spacing: Theme.u1
        Accessible.role: Accessible.PageTabList
        Accessible.name: qsTr("Pages")
        TransfersButton { anchors.verticalCenter: parent.verticalCenter }
        Repeater {
            model: studio.tabs.length > 1 ? studio.tabs : []
            delegate: TabButton {
                tab: modelData
                anchors.verticalCenter: parent.verticalCenter
            }
        }
    }
    Rectangle { anchors.bottom: parent.bottom; width: parent.width; height: 1; color: Theme.line }
}
