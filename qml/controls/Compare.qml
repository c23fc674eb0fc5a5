import QtQuick 2.15
import ".."

// Two to eight pictures beside each other, or two under a line that is dragged. Zoom and place are those of all of them at once:
// the wheel zooms at the pointer, dragging moves, `toggleZoom` switches between fit and 100 %.
FocusScope {
    id: compare
    property var sources: []
    property var names: []
    property bool slides: false
    property real zoom: 0
    property real split: 0.5
    property point pan: Qt.point(0, 0)
    readonly property bool sliding: slides && sources.length === 2
    readonly property int columns: sliding ? 1 : sources.length <= 3 ? sources.length : sources.length === 4 ? 2 : sources.length <= 6 ? 3 : 4
    readonly property int lines: sliding ? 1 : Math.max(1, Math.ceil(sources.length / Math.max(1, columns)))
    readonly property real cellWidth: Math.floor((width - (columns - 1) * 2) / Math.max(1, columns))
    readonly property real cellHeight: Math.floor((height - (lines - 1) * 2) / lines)
    property size natural: Qt.size(0, 0)
    readonly property real fit: natural.width > 0 ? Math.min(cellWidth / natural.width, cellHeight / natural.height) : 1
    readonly property real fitted: fit >= 1 ? Math.max(1, Math.floor(fit)) : fit
    readonly property real factor: zoom > 0 ? zoom : fitted
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Comparison of %1 pictures").arg(sources.length)
    onSourcesChanged: { zoom = 0; split = 0.5; natural = Qt.size(0, 0) }
    onZoomChanged: if (zoom === 0) pan = Qt.point(0, 0)

    function toggleZoom() {
        if (zoom > 0)
            zoom = 0
        else
            zoomAt(Qt.point(cellWidth / 2, cellHeight / 2), 1)
    }
    function zoomAt(point, wanted) {
        var next = Math.max(0.1, Math.min(10, wanted))
        var scale = next / factor
        pan = Qt.point(point.x - cellWidth / 2 - (point.x - cellWidth / 2 - pan.x) * scale, point.y - cellHeight / 2 - (point.y - cellHeight / 2 - pan.y) * scale)
        zoom = next
    }
    // Where a point of the whole lies in its own cell.
    function inCell(point) {
        return Qt.point(point.x % (cellWidth + 2), point.y % (cellHeight + 2))
    }

    Rectangle { anchors.fill: parent; color: Theme.stage }
    Repeater {
        model: compare.sources
        delegate: Item {
            id: cell
            required property int index
            required property string modelData
            readonly property bool isSecond: compare.sliding && index === 1
            x: compare.sliding ? (isSecond ? Math.round(compare.split * compare.width) : 0) : (index % compare.columns) * (compare.cellWidth + 2)
            y: compare.sliding ? 0 : Math.floor(index / compare.columns) * (compare.cellHeight + 2)
            width: isSecond ? compare.width - x : compare.cellWidth
            height: compare.cellHeight
            z: index
            clip: true
            Rectangle { anchors.fill: parent; color: Theme.stage }
            Image {
                id: image
                // Every picture covers the same area, whatever its own size is.
                readonly property real share: compare.natural.width > 0 && implicitWidth > 0 ? Math.min(compare.natural.width / implicitWidth, compare.natural.height / implicitHeight) : 1
                width: Math.round(implicitWidth * share * compare.factor)
                height: Math.round(implicitHeight * share * compare.factor)
                x: Math.round((compare.cellWidth - width) / 2 + compare.pan.x) - (cell.isSecond ? cell.x : 0)
                y: Math.round((compare.cellHeight - height) / 2 + compare.pan.y)
                source: cell.modelData
                asynchronous: true
                cache: false
                smooth: compare.factor < 1
                mipmap: compare.factor < 1
                Accessible.role: Accessible.Graphic
                Accessible.name: compare.names[cell.index] || qsTr("Picture %1").arg(cell.index + 1)
                onStatusChanged: {
                    if (status === Image.Ready && implicitWidth * implicitHeight > compare.natural.width * compare.natural.height)
                        compare.natural = Qt.size(implicitWidth, implicitHeight)
                }
            }
            Rectangle {
                x: cell.isSecond ? cell.width - width - Theme.u2 : Theme.u2
                y: Theme.u2
                width: number.implicitWidth + Theme.u3
                height: 20
                radius: 10
                color: Theme.raised
                opacity: 0.9
                Label { id: number; anchors.centerIn: parent; text: compare.names[cell.index] || cell.index + 1; font.pixelSize: Theme.small; Accessible.ignored: true }
            }
        }
    }
    HoverHandler { id: pointer }
    WheelHandler { onWheel: event => compare.zoomAt(compare.inCell(pointer.point.position), compare.factor * Math.pow(1.0015, event.angleDelta.y)) }
    MouseArea {
        id: area
        property point from: Qt.point(0, 0)
        property point began: Qt.point(0, 0)
        anchors.fill: parent
        z: 20
        Accessible.ignored: true
        cursorShape: pressed ? Qt.ClosedHandCursor : Qt.OpenHandCursor
        onPressed: mouse => { from = compare.pan; began = Qt.point(mouse.x, mouse.y); compare.forceActiveFocus(Qt.MouseFocusReason) }
        onPositionChanged: mouse => compare.pan = Qt.point(from.x + mouse.x - began.x, from.y + mouse.y - began.y)
        onDoubleClicked: compare.toggleZoom()
    }
    Item {
        id: line
        visible: compare.sliding
        x: Math.round(compare.split * compare.width) - width / 2
        z: 21
        width: 32
        height: compare.height
        activeFocusOnTab: true
        Accessible.role: Accessible.Splitter
        Accessible.name: qsTr("Line between the two pictures")
        Keys.onPressed: event => {
            var distance = ({ [Qt.Key_Left]: -0.02, [Qt.Key_Right]: 0.02, [Qt.Key_Home]: -1, [Qt.Key_End]: 1 })[event.key]
            if (distance !== undefined) {
                compare.split = Math.max(0, Math.min(1, compare.split + distance))
                event.accepted = true
            }
        }
        Rectangle { anchors.horizontalCenter: parent.horizontalCenter; width: 2; height: parent.height; color: Theme.accent }
        Rectangle {
            anchors.centerIn: parent
            width: 28
            height: 28
            radius: 14
            color: Theme.accent
            Icon { x: 1; anchors.verticalCenter: parent.verticalCenter; glyph: "chevron-left"; size: 13; colour: Theme.accentInk }
            Icon { x: 14; anchors.verticalCenter: parent.verticalCenter; glyph: "chevron-right"; size: 13; colour: Theme.accentInk }
        }
        FocusRing { control: line; property int focusReason: Qt.TabFocusReason; visible: line.activeFocus }
        MouseArea {
            anchors.fill: parent
            cursorShape: Qt.SplitHCursor
            Accessible.ignored: true
            onPositionChanged: mouse => { if (pressed) compare.split = Math.max(0, Math.min(1, mapToItem(compare, mouse.x, 0).x / compare.width)) }
        }
    }
}
