import QtQuick 2.15
import ".."

// Something is going on whose length is not known.
Item {
    id: spinner
    property bool running: true
    width: 24
    height: 24
    Accessible.ignored: true
    Rectangle { anchors.fill: parent; radius: width / 2; color: "transparent"; border.width: 2; border.color: Theme.track }
    Rectangle { x: spinner.width / 2 - 3; y: -2; width: 6; height: 6; radius: 3; color: Theme.accent }
    RotationAnimator on rotation { running: spinner.running && spinner.visible && !Theme.still; from: 0; to: 360; duration: Theme.turn; loops: Animation.Infinite }
}
