import QtQuick 2.15
import "../controls"
import ".."

// Below the canvas: size, place of the pointer, zoom, what undo holds, what was just done.
Rectangle {
    id: bar
    property var room
    property var view
    readonly property var held: room.state
    height: Theme.control
    color: Theme.panel
    Rectangle { width: parent.width; height: 1; color: Theme.line }
    Row {
        x: Theme.u3
        height: parent.height
        spacing: Theme.u6
        Label { height: parent.height; text: qsTr("%1 × %2").arg(bar.room.width).arg(bar.room.height); color: Theme.soft; font.pixelSize: Theme.small }
        Label {
            height: parent.height
            width: 96
            text: bar.view.isPointed ? Math.floor(bar.view.spot.x) + ", " + Math.floor(bar.view.spot.y) : ""
            color: Theme.faint
            font.pixelSize: Theme.small
        }
        Label { height: parent.height; text: bar.room.told; color: Theme.soft; font.pixelSize: Theme.small; visible: text !== "" }
    }
    Row {
        anchors.right: parent.right
        anchors.rightMargin: Theme.u2
        height: parent.height
        spacing: Theme.u2
        Label {
            height: parent.height
            text: bar.held.steps > 0 ? qsTr("Undo: %1 steps, %2").arg(bar.held.steps).arg(bar.held.memory) : ""
            color: Theme.faint
            font.pixelSize: Theme.small
        }
        Button {
            anchors.verticalCenter: parent.verticalCenter
            height: 24
            width: 72
            quiet: true
            text: Math.round(bar.view.zoom * 100) + " %"
            hint: studio.keys.hint("canvas_zoom")
            onClicked: bar.view.toggleZoom()
        }
    }
}
