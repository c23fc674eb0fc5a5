import QtQuick 2.15
import "../controls"
import ".."

// Generate, and beside it, while something runs, Cancel: one never does the other's work. Below: how far, how fast, how long.
Item {
    id: group
    readonly property var jobs: studio.jobs
    implicitWidth: 200
    implicitHeight: 84
    Row {
        id: buttons
        width: parent.width
        spacing: Theme.u2
        Button {
            id: go
            width: parent.width - (stop.visible ? stop.width + parent.spacing : 0)
            height: 44
            primary: true
            glyph: "sparkles"
            text: group.jobs.busy ? "Add to queue" : "Generate"
            font.pixelSize: Theme.large
            enabled: studio.parameters.obstacle === ""
            hint: studio.parameters.obstacle !== "" ? studio.parameters.obstacle : studio.hint("generate")
            onClicked: studio.act("generate")
        }
        Button {
            id: stop
            visible: group.jobs.busy
            enabled: !group.jobs.cancelling
            height: 44
            width: 44
            glyph: "stop"
            hint: studio.hint("cancel")
            onClicked: studio.act("cancel")
        }
    }
    Item {
        anchors.top: buttons.bottom
        anchors.topMargin: Theme.u2
        width: parent.width
        height: 32
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
            Accessible.name: "Progress, " + Math.round(group.jobs.fraction * 100) + " percent"
        }
        Label {
            y: Theme.u2
            width: parent.width - (queue.visible ? queue.width + Theme.u2 : 0)
            text: !group.jobs.busy ? "Ctrl+Enter" : [group.jobs.steps || group.jobs.stage, group.jobs.rate, group.jobs.timeLeft].filter(part => part !== "").join("  ·  ")
            color: Theme.soft
            font.pixelSize: Theme.small
        }
        Label {
            id: queue
            y: Theme.u2
            anchors.right: parent.right
            visible: group.jobs.waiting > 0
            text: "+" + group.jobs.waiting + " waiting"
            color: Theme.soft
            font.pixelSize: Theme.small
        }
    }
}
