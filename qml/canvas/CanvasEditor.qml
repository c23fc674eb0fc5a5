import QtQuick 2.15
import QtQuick.Window 2.15
import Sfumato.Canvas 1.0
import "../controls"
import ".."

// The canvas of one card over the whole window: tools at the left, what the tool can be set to above, colour and layers at the right, state below.
FocusScope {
    id: editor
    readonly property var room: studio.canvas
    readonly property var held: room.state
    property Item before
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Canvas: %1").arg(room.title)
    Keys.forwardTo: [scopeKeys]
    Component.onCompleted: {
        before = Window.window.activeFocusItem
        forceActiveFocus(Qt.OtherFocusReason)
    }
    Component.onDestruction: if (before) before.forceActiveFocus(Qt.OtherFocusReason)

    ScopeKeys {
        id: scopeKeys
        scope: "canvas"
        actions: ({
            canvas_close: () => editor.room.close(),
            canvas_undo: () => editor.room.undo(),
            canvas_redo: () => editor.room.redo(),
            canvas_brush: () => editor.room.tools.choose("brush"),
            canvas_eraser: () => editor.room.tools.choose("eraser"),
            canvas_fill: () => editor.room.tools.choose("fill"),
            canvas_rectangle: () => editor.room.tools.choose("rectangle"),
            canvas_ellipse: () => editor.room.tools.choose("ellipse"),
            canvas_lasso: () => editor.room.tools.choose("lasso"),
            canvas_move: () => editor.room.tools.choose("move"),
            canvas_pick: () => editor.held.hasColour ? editor.room.tools.choose("pick") : false,
            canvas_smaller: () => editor.room.tools.nudge("size", -1),
            canvas_larger: () => editor.room.tools.nudge("size", 1),
            canvas_swap: () => editor.room.palette.swap(),
            canvas_select_all: () => editor.room.selectAll(),
            canvas_select_none: () => editor.room.selectNone(),
            canvas_invert: () => editor.room.invert(),
            canvas_clear: () => editor.room.clear(),
            canvas_zoom: () => view.toggleZoom(),
            canvas_add_layer: () => editor.held.hasLayers ? editor.room.addLayer() : false,
            canvas_save: () => editor.room.saveCopy()
        })
    }
    Rectangle { anchors.fill: parent; color: Theme.stage }
    // Nothing below may hear the pointer.
    MouseArea { anchors.fill: parent; acceptedButtons: Qt.AllButtons; hoverEnabled: true; Accessible.ignored: true; onWheel: wheel => wheel.accepted = true }

    CanvasView {
        id: view
        anchors.left: tools.right
        anchors.right: side.left
        anchors.top: options.bottom
        anchors.bottom: status.top
        focus: true
        clip: true
        room: editor.room
        Accessible.role: Accessible.Graphic
        Accessible.name: editor.room.title
        Accessible.description: qsTr("Painted with the pointer; everything else can be done with keys.")
        Rectangle {
            // The edge of the canvas, where it is as dark or light as the ground.
            visible: editor.room.isReady
            x: view.left - 1
            y: view.top - 1
            width: editor.room.width * view.zoom + 2
            height: editor.room.height * view.zoom + 2
            color: "transparent"
            border.color: Theme.line
        }
        EdgeHandles { anchors.fill: parent; view: view; room: editor.room; visible: editor.room.isReady && editor.held.extendable === true }
        BrushRing { view: view; tools: editor.room.tools; shown: editor.room.isReady && view.isPointed }
        Column {
            anchors.centerIn: parent
            spacing: Theme.u3
            visible: !editor.room.isReady || slow.running === false && editor.room.isBusy
            Spinner { anchors.horizontalCenter: parent.horizontalCenter; running: parent.visible }
            Label { text: editor.room.isReady ? qsTr("Working") : qsTr("Opening the picture"); color: Theme.soft }
        }
        Timer { id: slow; interval: 400; running: false }
        Connections {
            target: editor.room
            function onChanged() { if (editor.room.isBusy) slow.restart() }
        }
    }
    ToolOptions { id: options; room: editor.room; width: parent.width; view: view }
    ToolColumn { id: tools; room: editor.room; anchors.top: options.bottom; anchors.bottom: status.top }
    CanvasSide { id: side; room: editor.room; anchors.right: parent.right; anchors.top: options.bottom; anchors.bottom: status.top }
    CanvasStatus { id: status; room: editor.room; view: view; anchors.bottom: parent.bottom; width: parent.width }
}
