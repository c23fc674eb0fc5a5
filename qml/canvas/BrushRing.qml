import QtQuick 2.15

// The outline of the brush at its true size, or a cross for the tools that have none. Dark and light, so that it is seen on any picture.
Item {
    id: ring
    property var view
    property var tools
    property bool shown: false
    readonly property bool round: tools.tool === "brush" || tools.tool === "eraser"
    readonly property real size: Math.max(3, tools.numbers.size * view.zoom)
    visible: shown
    x: view.pointer.x
    y: view.pointer.y
    Accessible.ignored: true
    Rectangle {
        visible: ring.round
        x: -width / 2
        y: -height / 2
        width: ring.size + 2
        height: width
        radius: width / 2
        color: "transparent"
        border.color: "#b0000000"
        border.width: 1
    }
    Rectangle {
        visible: ring.round
        x: -width / 2
        y: -height / 2
        width: ring.size
        height: width
        radius: width / 2
        color: "transparent"
        border.color: "#f0ffffff"
        border.width: 1
    }
    Rectangle { x: -5; y: -1; width: 11; height: 3; color: "#b0000000"; visible: !ring.round }
    Rectangle { x: -1; y: -5; width: 3; height: 11; color: "#b0000000"; visible: !ring.round }
    Rectangle { x: -4; width: 9; height: 1; color: "#f0ffffff"; visible: !ring.round }
    Rectangle { y: -4; width: 1; height: 9; color: "#f0ffffff"; visible: !ring.round }
}
