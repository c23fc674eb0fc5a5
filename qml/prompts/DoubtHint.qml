import QtQuick 2.15
import "../controls"
import ".."

// The sentence about the doubtful place under the pointer, above its line.
Item {
    id: over
    property Item area
    property var box
    property var found: ({})
    readonly property rect place: found.sentence ? area.positionToRectangle(found.start) : Qt.rect(0, 0, 0, 0)
    anchors.fill: parent
    Accessible.ignored: true
    HoverHandler {
        id: pointer
        onPointChanged: over.found = hovered ? over.box.doubtAt(over.area.positionAt(point.position.x, point.position.y)) : ({})
        onHoveredChanged: if (!hovered) over.found = ({})
    }
    Hint {
        delay: 250
        timeout: -1
        visible: pointer.hovered && over.enabled && text !== ""
        text: over.found.sentence || ""
        x: over.place.x
        y: over.place.y - implicitHeight - Theme.u1
    }
}
