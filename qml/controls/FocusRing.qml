import QtQuick 2.15
import ".."

// The mark of keyboard focus: 2 px in the accent, outside the control. A click needs none, the pointer is there.
Rectangle {
    property Item control: parent
    anchors.fill: parent
    anchors.margins: -4
    visible: control.activeFocus && control.focusReason !== Qt.MouseFocusReason
    radius: Theme.radius + 4
    color: "transparent"
    border.color: Theme.accent
    border.width: 2
}
