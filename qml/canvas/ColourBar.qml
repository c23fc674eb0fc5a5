import QtQuick 2.15
import ".."

// A bar of seven colours with a mark on it; dragged, or moved with the arrow keys.
Rectangle {
    id: bar
    property string name
    property real share: 0
    property var stops: []
    signal chosen(real share)
    height: Theme.px(14)
    radius: 2
    activeFocusOnTab: true
    Accessible.role: Accessible.Slider
    Accessible.name: name
    Keys.onLeftPressed: chosen(Math.max(0, share - 0.01))
    Keys.onRightPressed: chosen(Math.min(1, share + 0.01))
    gradient: Gradient {
        orientation: Gradient.Horizontal
        GradientStop { position: 0; color: bar.stops[0] }
        GradientStop { position: 1 / 6; color: bar.stops[1] }
        GradientStop { position: 2 / 6; color: bar.stops[2] }
        GradientStop { position: 3 / 6; color: bar.stops[3] }
        GradientStop { position: 4 / 6; color: bar.stops[4] }
        GradientStop { position: 5 / 6; color: bar.stops[5] }
        GradientStop { position: 1; color: bar.stops[6] }
    }
    MouseArea {
        anchors.fill: parent
        anchors.margins: -3
        preventStealing: true
        onPressed: mouse => bar.chosen(Math.max(0, Math.min(1, (mouse.x - 3) / bar.width)))
        onPositionChanged: mouse => bar.chosen(Math.max(0, Math.min(1, (mouse.x - 3) / bar.width)))
    }
    Rectangle { x: bar.share * bar.width - 3; y: -2; width: 6; height: parent.height + 4; radius: 3; color: "#ffffff"; border.color: "#000000" }
    Rectangle { anchors.fill: parent; anchors.margins: -3; visible: bar.activeFocus; color: "transparent"; border.width: 2; border.color: Theme.accent; radius: 4 }
}
