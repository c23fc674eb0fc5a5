import QtQuick 2.15
import "../controls"
import ".."

// A handle at each edge of the canvas: dragged outwards it adds what an outpainting fills, in steps of 8 pixels; dragged back it takes it away.
Item {
    id: edges
    property var view
    property var room
    property var pulled: [0, 0, 0, 0]
    readonly property bool pulling: pulled.some(side => side !== 0)
    readonly property real canvasWidth: room.width * view.zoom
    readonly property real canvasHeight: room.height * view.zoom
    Rectangle {
        visible: edges.pulling
        x: edges.view.left - edges.pulled[0] * edges.view.zoom
        y: edges.view.top - edges.pulled[1] * edges.view.zoom
        width: edges.canvasWidth + (edges.pulled[0] + edges.pulled[2]) * edges.view.zoom
        height: edges.canvasHeight + (edges.pulled[1] + edges.pulled[3]) * edges.view.zoom
        color: "transparent"
        border.color: Theme.accent
        border.width: 2
        Rectangle {
            anchors.centerIn: parent
            width: told.implicitWidth + 2 * Theme.u3
            height: Theme.control
            radius: Theme.radius
            color: Theme.raised
            Label {
                id: told
                anchors.centerIn: parent
                text: qsTr("%1 × %2").arg(edges.room.width + edges.pulled[0] + edges.pulled[2]).arg(edges.room.height + edges.pulled[1] + edges.pulled[3])
            }
        }
    }
    Repeater {
        model: [qsTr("Left edge"), qsTr("Top edge"), qsTr("Right edge"), qsTr("Bottom edge")]
        delegate: Rectangle {
            id: handle
            readonly property bool upright: index % 2 === 0
            readonly property int gap: 14
            width: upright ? 8 : 56
            height: upright ? 56 : 8
            radius: 4
            x: index === 0 ? edges.view.left - gap - 8 : index === 2 ? edges.view.left + edges.canvasWidth + gap : edges.view.left + edges.canvasWidth / 2 - 28
            y: index === 1 ? edges.view.top - gap - 8 : index === 3 ? edges.view.top + edges.canvasHeight + gap : edges.view.top + edges.canvasHeight / 2 - 28
            color: area.pressed || activeFocus ? Theme.accent : area.containsMouse ? Theme.accentHover : Theme.edge
            activeFocusOnTab: true
            Accessible.role: Accessible.Slider
            Accessible.name: modelData
            Accessible.description: qsTr("Drag outwards to extend the canvas; arrow keys add 8 pixels")
            function pull(pixels) {
                var wanted = [0, 0, 0, 0]
                wanted[index] = pixels
                return edges.room.extension(wanted[0], wanted[1], wanted[2], wanted[3])
            }
            function extend(pixels) {
                var sides = pull(pixels)
                edges.room.extend(sides[0], sides[1], sides[2], sides[3])
            }
            Keys.onPressed: event => {
                var outwards = [Qt.Key_Left, Qt.Key_Up, Qt.Key_Right, Qt.Key_Down][index]
                var inwards = [Qt.Key_Right, Qt.Key_Down, Qt.Key_Left, Qt.Key_Up][index]
                event.accepted = event.key === outwards || event.key === inwards
                if (event.accepted)
                    extend(event.key === outwards ? 8 : -8)
            }
            MouseArea {
                id: area
                property point start
                anchors.fill: parent
                anchors.margins: -6
                hoverEnabled: true
                preventStealing: true
                cursorShape: handle.upright ? Qt.SizeHorCursor : Qt.SizeVerCursor
                onPressed: mouse => start = mapToItem(edges, mouse.x, mouse.y)
                onPositionChanged: mouse => {
                    if (!pressed)
                        return
                    var now = mapToItem(edges, mouse.x, mouse.y)
                    var way = handle.upright ? now.x - start.x : now.y - start.y
                    edges.pulled = handle.pull(Math.round((index < 2 ? -way : way) / edges.view.zoom))
                }
                onReleased: {
                    var sides = edges.pulled
                    edges.pulled = [0, 0, 0, 0]
                    if (sides.some(side => side !== 0))
                        edges.room.extend(sides[0], sides[1], sides[2], sides[3])
                }
                onCanceled: edges.pulled = [0, 0, 0, 0]
            }
            Hint { visible: area.containsMouse && !area.pressed; text: qsTr("Drag outwards to extend the canvas") }
        }
    }
}
