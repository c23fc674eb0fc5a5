import QtQuick 2.15
import "../controls"
import "../queue"
import ".."

// Generate, beside it the ways to generate, and while something runs Cancel: one never does the other's work. Below: how far, how fast, how long.
Item {
    id: group
    readonly property var jobs: studio.jobs
    readonly property bool forever: studio.queue.forever
    readonly property string obstacle: studio.parameters.obstacle || studio.inputs.obstacle
    readonly property bool marked: studio.inputs.obstacle !== "" && !jobs.busy
    // A button that cannot act takes no pointer: the reason is shown from here.
    HoverHandler { id: over; enabled: group.obstacle !== "" }
    Hint { visible: over.hovered && group.obstacle !== ""; text: group.obstacle; y: -implicitHeight - Theme.u1 }
    implicitWidth: 200
    implicitHeight: 84
    Row {
        id: buttons
        width: parent.width
        spacing: Theme.u2
        Button {
            id: go
            width: parent.width - ways.width - parent.spacing - (stop.visible ? stop.width + parent.spacing : 0)
            height: Theme.px(44)
            primary: true
            glyph: group.forever ? "infinity" : "sparkles"
            text: group.jobs.busy ? qsTr("Queue") : qsTr("Generate")
            font.pixelSize: Theme.large
            enabled: group.obstacle === ""
            hint: group.obstacle || studio.hint("generate")
            onClicked: studio.act("generate")
        }
        Button {
            id: stop
            visible: group.jobs.runs
            enabled: !group.jobs.cancelling
            height: Theme.px(44)
            width: 40
            glyph: "stop"
            hint: studio.hint("cancel")
            onClicked: studio.act("cancel")
        }
        Button {
            id: ways
            height: Theme.px(44)
            width: 28
            glyph: "chevron-down"
            hint: qsTr("More ways to generate")
            onClicked: menu.popup(ways, 0, ways.height)
        }
    }
    ContextMenu {
        id: menu
        title: qsTr("Generate")
        rows: () => ["generate", "generate_first", "generate_forever", "live", "queue_pause", "cancel", "cancel_all"].map(id => studio.actions.find(row => row.id === id))
        onPicked: action => studio.act(action)
    }
    Item {
        anchors.top: buttons.bottom
        anchors.topMargin: Theme.u2
        width: parent.width
        height: Theme.px(32)
        Rectangle {
            visible: group.jobs.busy
            width: parent.width
            height: 4
            radius: 2
            color: Theme.track
            Rectangle {
                height: parent.height
                radius: 2
                width: Math.round(parent.width * group.jobs.fraction)
                color: Theme.accent
                Behavior on width { NumberAnimation { duration: Theme.quick } }
            }
            Accessible.role: Accessible.ProgressBar
            Accessible.name: qsTr("Progress, %1 percent").arg(Math.round(group.jobs.fraction * 100))
        }
        Label {
            y: Theme.u1
            height: queue.height
            width: parent.width - (queue.visible ? queue.width + Theme.u2 : 0)
            text: group.marked ? qsTr("An input needs attention") : !group.jobs.busy ? (group.forever ? qsTr("For ever, until switched off") : studio.keys.revision >= 0 ? studio.keys.shown("generate") : "")
                : [group.jobs.steps || group.jobs.stage, queue.visible && queue.brief ? "" : group.jobs.rate, group.jobs.timeLeft].filter(part => part !== "").join("  ·  ")
            color: group.marked ? Theme.warning : Theme.soft
            font.pixelSize: Theme.small
        }
        QueueCount { id: queue; brief: group.width < Theme.px(190); anchors.right: parent.right; y: Theme.u1 }
    }
}
