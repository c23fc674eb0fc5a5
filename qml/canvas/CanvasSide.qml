import QtQuick 2.15
import "../controls"
import ".."

// At the right: colour where there is paint, what is done to the selection or mask, and the layers.
Rectangle {
    id: side
    property var room
    readonly property var held: room.state
    width: Theme.px(248)
    color: Theme.panel
    Flickable {
        id: upper
        anchors.top: parent.top
        anchors.bottom: layers.top
        width: parent.width
        contentHeight: column.height + 2 * Theme.u3
        interactive: contentHeight > height
        boundsBehavior: Flickable.StopAtBounds
        clip: true
        Column {
            id: column
            x: Theme.u3
            y: Theme.u3
            width: parent.width - 2 * Theme.u3
            spacing: Theme.u3
            ColourPicker { visible: side.held.hasColour === true; ink: side.room.palette; width: parent.width }
            Alterations { room: side.room; width: parent.width }
        }
    }
    LayerPanel {
        id: layers
        visible: side.held.hasLayers === true
        anchors.bottom: parent.bottom
        width: parent.width
        height: visible ? Math.max(180, Math.min(side.height * 0.42, 340)) : 0
        room: side.room
    }
    Rectangle { width: 1; height: parent.height; color: Theme.line }
}
