import QtQuick 2.15
import QtQuick.Window 2.15

// What is seen while the studio loads: name, version, a turning ring and what is being done. Needs nothing but Qt Quick itself.
Window {
    id: splash
    property string stage: "Starting"
    width: 440
    height: 248
    x: Screen.virtualX + (Screen.width - width) / 2
    y: Screen.virtualY + (Screen.height - height) / 2
    flags: Qt.SplashScreen | Qt.FramelessWindowHint
    color: "#18191b"
    title: splashFacts.name

    Column {
        anchors.left: parent.left
        anchors.leftMargin: 40
        anchors.verticalCenter: parent.verticalCenter
        anchors.verticalCenterOffset: -16
        spacing: 4
        Text { text: splashFacts.name; color: "#e9eaec"; font.pixelSize: 36; font.weight: Font.DemiBold; Accessible.role: Accessible.StaticText; Accessible.name: text }
        Text { text: splashFacts.version; color: "#8b9098"; font.pixelSize: 13 }
    }
    Item {
        id: ring
        width: 16
        height: 16
        anchors.left: parent.left
        anchors.leftMargin: 40
        anchors.bottom: parent.bottom
        anchors.bottomMargin: 32
        Rectangle { anchors.fill: parent; radius: 8; color: "transparent"; border.color: "#34373c"; border.width: 2 }
        Rectangle { width: 4; height: 4; radius: 2; color: "#5cc8b4"; x: 6; y: -1 }
        RotationAnimator on rotation { from: 0; to: 360; duration: 1100; loops: Animation.Infinite }
    }
    Text {
        anchors.left: ring.right
        anchors.leftMargin: 12
        anchors.verticalCenter: ring.verticalCenter
        text: splash.stage
        color: "#a4a9b1"
        font.pixelSize: 13
        Accessible.role: Accessible.StaticText
        Accessible.name: text
    }
}
