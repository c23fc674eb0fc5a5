import QtQuick 2.15
import "../controls"
import ".."

// One picture over the page: wheel zooms at the pointer, dragging moves, the arrow keys go on through what was found.
FocusScope {
    id: view
    readonly property var shown: studio.history.details.shown
    property var actions: ({})
    property real zoom: 0
    property point pan: Qt.point(0, 0)
    readonly property point middle: Qt.point(width / 2, 48 + (height - 48) / 2)
    readonly property real fit: picture.naturalWidth > 0 ? Math.min((width - 48) / picture.naturalWidth, (height - 96) / picture.naturalHeight) : 1
    readonly property real factor: zoom > 0 ? zoom : fit >= 1 ? Math.floor(fit) : fit
    signal closed()
    visible: false
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Full view of %1").arg(shown.name || qsTr("the picture"))
    function open() {
        if (shown.path === undefined)
            studio.history.pictures.press(0, false, false)
        if (shown.path === undefined)
            return
        zoom = 0
        visible = true
        forceActiveFocus(Qt.OtherFocusReason)
    }
    function close() {
        visible = false
        closed()
    }
    function step(distance) {
        zoom = 0
        studio.history.pictures.press(Math.max(0, Math.min(studio.history.pictures.count - 1, studio.history.pictures.current + distance)), false, false)
    }
    function toggleZoom() {
        if (zoom > 0)
            zoom = 0
        else
            zoomAt(middle, 1)
    }
    function zoomAt(point, wanted) {
        var next = Math.max(0.1, Math.min(10, wanted))
        var scale = next / factor
        pan = Qt.point(point.x - middle.x - (point.x - middle.x - pan.x) * scale, point.y - middle.y - (point.y - middle.y - pan.y) * scale)
        zoom = next
    }
    onZoomChanged: if (zoom === 0) pan = Qt.point(0, 0)
    Keys.forwardTo: [scopeKeys]
    ScopeKeys {
        id: scopeKeys
        place: view
        scope: "history view"
        actions: Object.assign({}, view.actions, {
            history_close: view.close,
            history_previous: () => view.step(-1),
            history_next: () => view.step(1),
            history_fit: view.toggleZoom
        })
    }
    Connections {
        target: studio.history.pictures
        function onChanged() { if (view.visible && studio.history.pictures.count === 0) view.close() }
    }
    Rectangle { anchors.fill: parent; color: Theme.stage }
    MouseArea {
        property point from
        property point began
        anchors.fill: parent
        Accessible.ignored: true
        onPressed: mouse => { from = view.pan; began = Qt.point(mouse.x, mouse.y); view.forceActiveFocus(Qt.MouseFocusReason) }
        onPositionChanged: mouse => view.pan = Qt.point(from.x + mouse.x - began.x, from.y + mouse.y - began.y)
        onDoubleClicked: view.toggleZoom()
        onWheel: wheel => view.zoomAt(Qt.point(wheel.x, wheel.y), view.factor * Math.pow(1.0015, wheel.angleDelta.y))
    }
    Item {
        x: Math.round(view.middle.x - width / 2 + view.pan.x)
        y: Math.round(view.middle.y - height / 2 + view.pan.y)
        width: Math.round(picture.naturalWidth * view.factor)
        height: Math.round(picture.naturalHeight * view.factor)
        Picture {
            id: picture
            anchors.fill: parent
            stretch: true
            source: view.visible ? view.shown.source || "" : ""
            description: view.shown.prompt || view.shown.name || ""
        }
    }
    Rectangle {
        width: parent.width
        height: 48
        color: Theme.panel
        Label {
            anchors.left: parent.left
            anchors.leftMargin: Theme.u4
            anchors.right: tools.left
            anchors.rightMargin: Theme.u4
            height: parent.height
            text: view.shown.prompt || view.shown.name || ""
            color: Theme.soft
            maximumLineCount: 1
        }
        Row {
            id: tools
            anchors.right: parent.right
            anchors.rightMargin: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            spacing: Theme.u1
            Label { height: Theme.control; rightPadding: Theme.u2; text: qsTr("%1 of %2").arg(studio.history.pictures.current + 1).arg(studio.history.pictures.count); color: Theme.soft }
            Button { quiet: true; glyph: "chevron-left"; hint: studio.hint("history_previous"); enabled: studio.history.pictures.current > 0; onClicked: view.step(-1) }
            Button { quiet: true; glyph: "chevron-right"; hint: studio.hint("history_next"); enabled: studio.history.pictures.current < studio.history.pictures.count - 1; onClicked: view.step(1) }
            Button { quiet: true; text: Math.round(view.factor * 100) + " %"; hint: studio.hint("history_fit"); width: 72; onClicked: view.toggleZoom() }
            Button { quiet: true; glyph: "copy"; hint: studio.hint("history_copy"); onClicked: studio.history.deeds.copyFiles() }
            Button { quiet: true; glyph: "trash-2"; hint: studio.hint("history_delete"); onClicked: studio.history.deeds.remove() }
            Button { quiet: true; glyph: "x"; hint: studio.hint("history_close"); onClicked: view.close() }
        }
    }
}
