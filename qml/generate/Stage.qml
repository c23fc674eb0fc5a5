import QtQuick 2.15
import "../controls"
import "../grid"
import ".."

// The chosen picture, as large as it fits: what emerges while it is painted, or what was finished. Without one: what to do.
FocusScope {
    id: stage
    readonly property var shown: studio.outputs.shown
    readonly property bool painting: shown.painting === true
    signal openAsked()
    Rectangle { anchors.fill: parent; color: Theme.stage }
    Picture {
        id: picture
        anchors.fill: parent
        anchors.margins: Theme.u4
        anchors.bottomMargin: caption.visible ? caption.height + Theme.u2 : Theme.u4
        source: stage.shown.source || ""
        description: stage.shown.prompt || ""
        opacity: ready ? 1 : 0
        Behavior on opacity { NumberAnimation { duration: Theme.calm } }
        DragOut { anchors.fill: parent; address: stage.shown.fileAddress || "" }
        TapHandler {
            enabled: !stage.painting
            onDoubleTapped: stage.openAsked()
            onSingleTapped: {
                if (stage.shown.kind === "grid" && stage.shown.path)
                    studio.grid.cells.look(stage.shown.path, (eventPoint.position.x - (picture.width - picture.paintedWidth) / 2) / picture.factor,
                                           (eventPoint.position.y - (picture.height - picture.paintedHeight) / 2) / picture.factor)
            }
        }
        TapHandler { enabled: !stage.painting; acceptedButtons: Qt.RightButton; onTapped: menu.popup() }
    }
    Rectangle {
        // The place of a picture that has nothing to show yet.
        visible: stage.painting && !picture.ready
        anchors.centerIn: parent
        width: Math.min(parent.width, parent.height) * 0.6
        height: width
        radius: Theme.radiusLarge
        color: Theme.window
        Column {
            anchors.centerIn: parent
            spacing: Theme.u3
            Spinner { anchors.horizontalCenter: parent.horizontalCenter; running: stage.painting && !picture.ready }
            Label { anchors.horizontalCenter: parent.horizontalCenter; text: studio.jobs.stage; color: Theme.soft }
        }
    }
    EmptyHint { visible: studio.outputs.count === 0; anchors.centerIn: parent; width: Math.min(parent.width - 2 * Theme.u6, 440) }
    Caption {
        id: caption
        visible: studio.outputs.count > 0
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        shown: stage.shown
        onOpenAsked: stage.openAsked()
        onMenuAsked: item => menu.popup(item, 0, 0)
        onRescueAsked: saver.ask("rescue")
    }
    PartLabel {
        anchors.left: parent.left
        anchors.top: parent.top
        anchors.margins: Theme.u3
        visible: count > 0 && !stage.painting
    }
    LiveView { anchors.fill: parent }
    GridCell {
        anchors.horizontalCenter: parent.horizontalCenter
        anchors.top: parent.top
        anchors.topMargin: Theme.u3
        path: stage.shown.kind === "grid" ? stage.shown.path : ""
    }
    PictureMenu { id: menu; onOpenAsked: stage.openAsked() }
    SaveElsewhere { id: saver }
    UpscalePanel { id: upscaler }
    Connections {
        target: studio.pictures
        function onSaveAsked(purpose) { saver.ask(purpose) }
        function onUpscaleAsked() { upscaler.open() }
    }
}
