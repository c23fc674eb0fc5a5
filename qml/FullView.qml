import QtQuick 2.15
import QtQuick.Window 2.15
import "controls"
import "generate"

// One picture over the whole window: wheel zooms at the pointer, dragging pans, Z switches between fit and 100 %, Esc closes.
FocusScope {
    id: view
    readonly property var shown: studio.outputs.shown
    property real zoom: 0
    property Item before
    // The picture that another is compared with, while it is.
    property var held: null
    property point pan: Qt.point(0, 0)
    readonly property point middle: Qt.point(width / 2, 48 + (height - 48) / 2)
    readonly property real naturalWidth: picture.naturalWidth
    readonly property real naturalHeight: picture.naturalHeight
    readonly property real fit: naturalWidth > 0 ? Math.min((width - 48) / naturalWidth, (height - 112) / naturalHeight) : 1
    readonly property real fitted: fit >= 1 ? Math.floor(fit) : fit
    readonly property real factor: zoom > 0 ? zoom : fitted
    visible: false
    Accessible.role: Accessible.Pane
    Accessible.name: shown.prompt ? qsTr("Full view of %1").arg(shown.prompt) : qsTr("Full view of the picture")

    function open() {
        if (studio.outputs.count === 0)
            return
        before = Window.window.activeFocusItem
        zoom = 0
        held = null
        visible = true
        forceActiveFocus(Qt.OtherFocusReason)
    }
    function close() {
        // The last thing that was opened closes first.
        if (held !== null || details.visible) {
            details.visible = details.visible && held !== null
            held = null
            return
        }
        visible = false
        if (before)
            before.forceActiveFocus(Qt.OtherFocusReason)
    }
    function step(distance) {
        zoom = 0
        studio.outputs.step(distance)
    }
    function compare() {
        held = held === null && shown.painting === false ? { source: shown.source, name: shown.fileName, prompt: shown.prompt } : null
        if (held !== null)
            studio.outputs.step(studio.outputs.current < studio.outputs.count - 1 ? 1 : -1)
    }
    function zoomAt(point, wanted) {
        var next = Math.max(0.1, Math.min(10, wanted))
        var scale = next / factor
        // What is under the pointer stays there.
        pan = Qt.point(point.x - middle.x - (point.x - middle.x - pan.x) * scale, point.y - middle.y - (point.y - middle.y - pan.y) * scale)
        zoom = next
    }
    onZoomChanged: if (zoom === 0) pan = Qt.point(0, 0)

    Keys.forwardTo: [scopeKeys]
    ScopeKeys {
        id: scopeKeys
        scope: "full view"
        actions: ({
            view_close: view.close,
            view_previous: () => view.step(-1),
            view_next: () => view.step(1),
            view_part_next: () => studio.outputs.cycle(studio.outputs.current, 1),
            view_part_previous: () => studio.outputs.cycle(studio.outputs.current, -1),
            view_newest: () => studio.outputs.follow(),
            view_fit: view.toggleZoom,
            view_details: () => details.visible = !details.visible,
            view_compare: view.compare,
            view_menu: () => menu.popup(bar, bar.width - Theme.px(260), bar.height),
            view_clear: () => studio.act("view_clear"),
            view_trash: () => studio.act("view_trash"),
            view_copy: () => studio.act("view_copy")
        })
    }
    function toggleZoom() {
        if (zoom > 0)
            zoom = 0
        else
            zoomAt(middle, 1)
    }
    Connections {
        target: studio.outputs
        function onChanged() { if (view.visible && studio.outputs.count === 0) view.close() }
    }
    Rectangle { anchors.fill: parent; color: Theme.stage }
    // Nothing below may hear the pointer.
    TapHandler { gesturePolicy: TapHandler.WithinBounds; onDoubleTapped: view.toggleZoom() }
    HoverHandler { id: pointer }
    WheelHandler { enabled: view.held === null; onWheel: event => view.zoomAt(pointer.point.position, view.factor * Math.pow(1.0015, event.angleDelta.y)) }
    Item {
        id: holder
        x: Math.round(view.middle.x - width / 2 + view.pan.x)
        y: Math.round(view.middle.y - height / 2 + view.pan.y)
        width: Math.round(view.naturalWidth * view.factor)
        height: Math.round(view.naturalHeight * view.factor)
        Picture {
            id: picture
            anchors.fill: parent
            stretch: true
            source: view.visible ? view.shown.source || "" : ""
            description: view.shown.prompt || ""
        }
    }
    TapHandler { acceptedButtons: Qt.RightButton; onTapped: menu.popup() }
    DragHandler {
        enabled: view.held === null
        property point from: Qt.point(0, 0)
        target: null
        acceptedButtons: Qt.LeftButton | Qt.MiddleButton
        onActiveChanged: from = view.pan
        onTranslationChanged: if (active) view.pan = Qt.point(from.x + translation.x, from.y + translation.y)
    }
    Compare {
        visible: view.held !== null
        anchors.fill: parent
        anchors.topMargin: bar.height
        slides: true
        sources: visible ? [view.held.source, view.shown.source || ""] : []
        names: visible ? [view.held.name, view.shown.fileName || ""] : []
    }
    Details {
        id: details
        visible: false
        anchors { right: parent.right; top: bar.bottom; margins: Theme.u3 }
        width: Theme.px(340)
        height: Math.min(wanted, parent.height - bar.height - 2 * Theme.u3)
    }
    PartLabel {
        x: Theme.u3
        y: bar.height + Theme.u3
        visible: count > 0 && view.shown.painting === false && view.held === null
    }
    PictureMenu { id: menu; inFull: true }
    FullViewBar {
        id: bar
        width: parent.width
        view: view
        detailed: details.visible
        onDetailsAsked: details.visible = !details.visible
        onMenuAsked: item => menu.popup(item, 0, item.height)
    }
}
