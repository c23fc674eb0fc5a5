import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A slim scroll bar that shows itself when there is something to scroll.
T.ScrollBar {
    id: bar
    implicitWidth: 10
    implicitHeight: 10
    padding: 2
    minimumSize: 0.08
    visible: size < 1.0
    Accessible.role: Accessible.ScrollBar
    Accessible.name: qsTr("Scroll")
    contentItem: Rectangle {
        implicitWidth: 6
        implicitHeight: 6
        radius: 3
        color: bar.pressed ? Theme.soft : Theme.edge
        opacity: bar.hovered || bar.pressed ? 0.9 : 0.45
    }
}
