import QtQuick 2.15
import QtQuick.Window 2.15
import Sfumato.Pose 1.0
import "../controls"
import ".."

// The pose of one card over the whole window: what can be done above, the people in the middle, the joints of one of them at the right, state below.
FocusScope {
    id: editor
    readonly property var desk: studio.pose
    readonly property var held: desk.state
    property Item before
    // Alt was pressed, and nothing else since.
    property bool altAlone: false
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Pose editor")
    Keys.forwardTo: [scopeKeys]
    Keys.onPressed: event => {
        altAlone = event.key === Qt.Key_Alt
        event.accepted = altAlone
    }
    Keys.onReleased: event => {
        if (event.key === Qt.Key_Alt && altAlone)
            desk.toggleMode()
        altAlone = false
    }
    Component.onCompleted: {
        before = Window.window.activeFocusItem
        forceActiveFocus(Qt.OtherFocusReason)
    }
    Component.onDestruction: if (before) before.forceActiveFocus(Qt.OtherFocusReason)

    ScopeKeys {
        id: scopeKeys
        scope: "pose"
        actions: ({
            pose_close: () => { if (!editor.desk.leave_off()) editor.desk.close() },
            pose_undo: () => editor.desk.undo(),
            pose_redo: () => editor.desk.redo(),
            pose_add: () => editor.desk.addPerson(),
            pose_select_all: () => editor.desk.selectAll(),
            pose_attach: () => editor.desk.attachMissing(),
            pose_delete: () => editor.desk.removeChosen(),
            pose_flip_across: () => editor.desk.flip(true),
            pose_flip_down: () => editor.desk.flip(false),
            pose_mode: () => editor.desk.toggleMode(),
            pose_find: () => editor.held.picture ? editor.desk.findPeople() : false,
            pose_export: () => files.ask(true),
            pose_import: () => files.ask(false),
            pose_fit: () => view.fit()
        })
    }
    Rectangle { anchors.fill: parent; color: Theme.stage }
    // Nothing below may hear the pointer.
    MouseArea { anchors.fill: parent; acceptedButtons: Qt.AllButtons; hoverEnabled: true; Accessible.ignored: true; onWheel: wheel => wheel.accepted = true }

    Item {
        id: middle
        anchors.left: parent.left
        anchors.right: side.left
        anchors.top: bar.bottom
        anchors.bottom: foot.top
        clip: true
        Rectangle {
            visible: editor.desk.isReady
            x: view.left - 1
            y: view.top - 1
            width: (editor.held.width || 0) * view.zoom + 2
            height: (editor.held.height || 0) * view.zoom + 2
            color: "black"
            border.color: Theme.line
            // The picture of the card, to pose by; it is no part of the map.
            Item {
                anchors.fill: parent
                anchors.margins: 1
                clip: true
                visible: ground.checked
                Image {
                    readonly property var box: editor.held.box || [0, 0, 1, 1]
                    x: -box[0] / box[2] * parent.width
                    y: -box[1] / box[3] * parent.height
                    width: parent.width / box[2]
                    height: parent.height / box[3]
                    source: editor.held.picture || ""
                    sourceSize.width: 1024
                    asynchronous: true
                    opacity: 0.45
                    Accessible.ignored: true
                }
            }
        }
        PoseView {
            id: view
            anchors.fill: parent
            focus: true
            desk: editor.desk
            accent: Theme.light ? Theme.accentSoft : Theme.accent
            Accessible.role: Accessible.Graphic
            Accessible.name: qsTr("Pose")
            Accessible.description: qsTr("Joints are dragged; arrows move those that are chosen.")
            Keys.onPressed: event => {
                var far = event.modifiers & Qt.ShiftModifier ? 10 : 1
                var ways = {}
                ways[Qt.Key_Left] = [-far, 0]
                ways[Qt.Key_Right] = [far, 0]
                ways[Qt.Key_Up] = [0, -far]
                ways[Qt.Key_Down] = [0, far]
                var way = event.modifiers & (Qt.ControlModifier | Qt.AltModifier) ? undefined : ways[event.key]
                event.accepted = way !== undefined
                if (way)
                    editor.desk.nudge(way[0], way[1])
            }
        }
        Rectangle {
            anchors.fill: waiting
            anchors.margins: -Theme.u4
            visible: waiting.visible
            radius: Theme.radiusLarge
            color: Theme.panel
            border.color: Theme.line
        }
        Column {
            id: waiting
            anchors.centerIn: parent
            spacing: Theme.u3
            visible: !editor.desk.isReady || editor.held.finding === true
            Spinner { anchors.horizontalCenter: parent.horizontalCenter; running: parent.visible }
            Label { text: editor.desk.isReady ? qsTr("Looking for people") : qsTr("Opening the pose"); color: Theme.soft }
        }
        Rectangle {
            anchors.fill: nobody
            anchors.margins: -Theme.u4
            visible: nobody.visible
            radius: Theme.radiusLarge
            color: Theme.panel
            border.color: Theme.line
        }
        Column {
            id: nobody
            anchors.centerIn: parent
            spacing: Theme.u3
            visible: editor.desk.isReady && editor.held.people === 0 && !editor.held.finding
            Label { anchors.horizontalCenter: parent.horizontalCenter; text: qsTr("Nobody is here yet.") }
            Button { anchors.horizontalCenter: parent.horizontalCenter; visible: !!editor.held.picture; glyph: "scan-search"; text: qsTr("Find people in the picture"); hint: studio.hint("pose_find"); onClicked: { view.forceActiveFocus(Qt.OtherFocusReason); editor.desk.findPeople() } }
            Button { anchors.horizontalCenter: parent.horizontalCenter; glyph: "plus"; text: qsTr("New pose"); hint: studio.hint("pose_add"); onClicked: { view.forceActiveFocus(Qt.OtherFocusReason); editor.desk.addPerson() } }
        }
        DropArea {
            anchors.fill: parent
            keys: ["text/uri-list"]
            onDropped: drop => { editor.desk.importFile(drop.urls[0].toString()); drop.accept(Qt.CopyAction) }
        }
    }
    PoseBar { id: bar; desk: editor.desk; width: parent.width; onFilesAsked: saving => files.ask(saving) }
    PoseSide { id: side; desk: editor.desk; anchors.right: parent.right; anchors.top: bar.bottom; anchors.bottom: foot.top }
    Rectangle {
        id: foot
        anchors.bottom: parent.bottom
        width: parent.width
        height: Theme.control
        color: Theme.panel
        Rectangle { width: parent.width; height: 1; color: Theme.line }
        Row {
            x: Theme.u3
            height: parent.height
            spacing: Theme.u6
            Label { height: parent.height; text: qsTr("%1 × %2").arg(editor.held.width || 0).arg(editor.held.height || 0); color: Theme.soft; font.pixelSize: Theme.small }
            Label {
                height: parent.height
                text: editor.held.told || (editor.held.relative
                    ? qsTr("Drag bends a limb and what hangs on it. Ctrl: angle only. Shift: length only. Ctrl+wheel turns what hangs on a joint.")
                    : qsTr("Drag joints, or a band around several. Double-click takes a whole person. Ctrl keeps the ratio, or turns by 45°."))
                width: Math.min(implicitWidth, foot.width - x - corner.width - Theme.u8)
                color: Theme.soft
                font.pixelSize: Theme.small
            }
        }
        Row {
            id: corner
            anchors.right: parent.right
            anchors.rightMargin: Theme.u3
            height: parent.height
            spacing: Theme.u2
            Check { id: ground; visible: !!editor.held.picture; anchors.verticalCenter: parent.verticalCenter; text: qsTr("Show the picture"); checked: true }
            Button { anchors.verticalCenter: parent.verticalCenter; height: 24; width: 72; quiet: true; text: Math.round(view.zoom * 100) + " %"; hint: studio.hint("pose_fit"); onClicked: view.fit() }
        }
    }
    PoseFiles { id: files; desk: editor.desk }
}
