import QtQuick 2.15
import QtQuick.Window 2.15
import "../controls"
import ".."

// Every job: what runs, what waits and what has ended. Beside the pages, or over them where the window is narrow.
FocusScope {
    id: panel
    readonly property var desk: studio.queue
    readonly property var jobs: studio.jobs
    readonly property bool empty: jobs.rows.count === 0
    property Item before: null
    visible: desk.shown
    // Later: choosing the first row tells of changes, and this one is not over yet.
    onVisibleChanged: Qt.callLater(settle)
    function settle() {
        var host = Window.window
        if (visible) {
            before = host ? host.activeFocusItem : null
            list.forceActiveFocus(Qt.ShortcutFocusReason)
        } else if (before && host && (activeFocus || !host.activeFocusItem || host.activeFocusItem === host.contentItem)) {
            before.forceActiveFocus(Qt.ShortcutFocusReason)
        }
    }
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Queue")
    Rectangle { anchors.fill: parent; color: Theme.panel }
    MouseArea { anchors.fill: parent; acceptedButtons: Qt.AllButtons; onWheel: wheel => wheel.accepted = true; Accessible.ignored: true }
    Rectangle { width: 1; height: parent.height; color: Theme.line }
    Item {
        id: head
        x: Theme.u4
        width: parent.width - Theme.u4 - Theme.u2
        height: Theme.px(48)
        Label { id: name; height: parent.height; text: qsTr("Queue"); font.pixelSize: Theme.large; font.weight: Font.DemiBold }
        Label {
            anchors.left: name.right
            anchors.leftMargin: Theme.u3
            anchors.right: tools.left
            height: parent.height
            color: Theme.soft
            font.pixelSize: Theme.small
            text: [panel.jobs.paused ? qsTr("Paused") : "", panel.jobs.waiting ? qsTr("%1 waiting").arg(panel.jobs.waiting) : "",
                   panel.jobs.allTimeLeft ? qsTr("%1 left").arg(panel.jobs.allTimeLeft) : ""].filter(part => part !== "").join("  ·  ")
        }
        Row {
            id: tools
            anchors.right: parent.right
            anchors.verticalCenter: parent.verticalCenter
            spacing: 2
            Button {
                quiet: true
                glyph: panel.jobs.paused ? "play" : "pause"
                hint: panel.jobs.paused ? qsTr("Let the queue go on") + "  (" + studio.keys.shown("queue_pause") + ")" : studio.hint("queue_pause")
                onClicked: studio.act("queue_pause")
            }
            Button {
                id: more
                quiet: true
                glyph: "ellipsis"
                hint: qsTr("More for the whole queue")
                onClicked: whole.popup(more, 0, more.height)
            }
            Button { quiet: true; glyph: "x"; hint: studio.hint("queue"); onClicked: studio.queue.show(false) }
        }
        Rectangle { x: -Theme.u4; anchors.bottom: parent.bottom; width: panel.width; height: 1; color: Theme.line }
    }
    QueueList {
        id: list
        visible: !panel.empty
        anchors.top: head.bottom
        anchors.topMargin: Theme.u2
        anchors.bottom: foot.top
        x: Theme.u2
        width: parent.width - Theme.u2
        onMenuAsked: (row, x, y) => chosen.popup(row, x, y)
    }
    Column {
        visible: panel.empty
        anchors.centerIn: parent
        width: parent.width - 2 * Theme.u8
        spacing: Theme.u2
        Icon { anchors.horizontalCenter: parent.horizontalCenter; glyph: "list-ordered"; size: Theme.px(28); colour: Theme.faint }
        Label { width: parent.width; horizontalAlignment: Text.AlignHCenter; text: qsTr("No jobs yet") }
        Label {
            width: parent.width
            horizontalAlignment: Text.AlignHCenter
            wrapMode: Text.Wrap
            color: Theme.soft
            font.pixelSize: Theme.small
            text: qsTr("%1 adds one. Here they are put in order, paused, edited and repeated, and they are still here after a restart.").arg(studio.keys.revision >= 0 ? studio.keys.shown("generate") : "")
        }
    }
    Item {
        id: foot
        anchors.bottom: parent.bottom
        width: parent.width
        height: panel.empty ? 0 : Theme.px(48)
        visible: !panel.empty
        Rectangle { width: parent.width; height: 1; color: Theme.line }
        Row {
            x: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            spacing: 2
            Repeater {
                model: ["queue_front", "queue_up", "queue_down", "queue_edit", "queue_hold", "queue_duplicate", "queue_retry", "queue_here", "queue_cancel", "queue_remove"]
                delegate: Button {
                    readonly property var entry: studio.actions.find(row => row.id === modelData)
                    quiet: true
                    glyph: entry.icon
                    hint: studio.keys.revision >= 0 ? studio.hint(modelData) : ""
                    enabled: panel.desk.chosen > 0 && panel.revision >= 0 && panel.desk.can(modelData)
                    onClicked: studio.act(modelData)
                }
            }
        }
        Label {
            anchors.right: parent.right
            anchors.rightMargin: Theme.u3
            height: parent.height
            visible: panel.desk.chosen > 1
            text: qsTr("%1 chosen").arg(panel.desk.chosen)
            color: Theme.soft
            font.pixelSize: Theme.small
        }
    }
    // What can be done is asked anew whenever rows change.
    property int revision: 0
    Connections {
        target: studio.jobs.rows
        function onCounted() { ++panel.revision }
    }
    function named(ids) { return ids.map(id => Object.assign({}, studio.actions.find(row => row.id === id))) }
    ContextMenu {
        id: chosen
        title: qsTr("Jobs")
        rows: () => panel.named(["queue_front", "queue_up", "queue_down", "queue_edit", "queue_hold", "queue_duplicate", "queue_retry", "queue_here", "queue_cancel", "queue_remove"])
        onPicked: action => studio.act(action)
    }
    ContextMenu {
        id: whole
        title: qsTr("Queue")
        rows: () => panel.named(["queue_pause", "queue_pause_now", "queue_retry_all", "queue_clear_done", "cancel_all"])
        onPicked: action => studio.act(action)
    }
}
