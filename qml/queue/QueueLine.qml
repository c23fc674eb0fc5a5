import QtQuick 2.15
import "../controls"
import ".."

// One line over the status line, when there is something to decide: the engine is in trouble, a job is edited, or the last session left jobs.
Rectangle {
    id: line
    readonly property var desk: studio.queue
    readonly property var health: studio.health
    readonly property string what: health.trouble !== "" ? health.trouble : asks ? "question" : desk.editing !== "" ? "editing" : desk.restored > 0 ? "restored"
        : studio.jobs.pausedBy === "user" && studio.jobs.waiting > 0 ? "paused" : ""
    // On the page of the machines the question itself is seen.
    readonly property bool asks: studio.remote.questions.isAsking && studio.tab !== "settings"
    readonly property bool bad: health.trouble !== ""
    visible: what !== ""
    height: visible ? Math.max(Theme.px(44), words.implicitHeight + 2 * Theme.u2) : 0
    color: bad ? Theme.raised : Theme.accentSoft
    Accessible.role: Accessible.AlertMessage
    Accessible.name: words.text
    Rectangle { width: parent.width; height: 1; color: line.bad ? Theme.error : Theme.line }
    Icon {
        id: sign
        x: Theme.u4
        anchors.verticalCenter: parent.verticalCenter
        glyph: line.bad ? "triangle-alert" : line.what === "editing" ? "pencil" : "circle-pause"
        colour: line.bad ? Theme.error : Theme.accent
    }
    Label {
        id: words
        anchors.left: sign.right
        anchors.leftMargin: Theme.u3
        anchors.right: buttons.left
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        wrapMode: Text.Wrap
        maximumLineCount: 2
        text: line.bad ? line.health.sentence
            : line.what === "question" ? studio.remote.questions.sentence
            : line.what === "editing" ? qsTr("Editing a waiting job: %1").arg(line.desk.editing)
            : line.what === "restored" ? (line.desk.restored === 1 ? qsTr("One job of the last session waits.") : qsTr("%1 jobs of the last session wait.").arg(line.desk.restored))
            : qsTr("The queue is paused.")
    }
    Row {
        id: buttons
        anchors.right: parent.right
        anchors.rightMargin: Theme.u4
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u2
        Button { visible: line.what === "question"; text: studio.remote.questions.agreement; onClicked: studio.remote.questions.agree() }
        Button { visible: line.what === "question"; primary: true; text: qsTr("Do not connect"); onClicked: studio.remote.questions.refuse() }
        Button { visible: line.what === "editing"; text: qsTr("Leave as it was"); onClicked: line.desk.leaveEdit() }
        Button { visible: line.what === "editing"; primary: true; text: qsTr("Save job"); onClicked: line.desk.saveEdit() }
        Button { visible: line.what === "restored"; text: qsTr("Clear"); hint: qsTr("Cancel these jobs; the queue keeps them for a retry"); onClicked: line.desk.clearRestored() }
        Button { visible: line.what === "restored" && !line.desk.shown; text: qsTr("Review"); hint: studio.hint("queue"); onClicked: line.desk.show(true) }
        Button { visible: line.what === "restored" || line.what === "paused"; primary: true; glyph: "play"; text: qsTr("Continue"); onClicked: studio.jobs.resume() }
        Button { visible: line.what === "deaths"; text: qsTr("Copy report"); glyph: "copy"; onClicked: line.health.copyReport() }
        Button { visible: line.what === "deaths"; text: qsTr("Open log"); onClicked: line.health.openLog() }
        Button { visible: line.what === "deaths" && line.health.canUseProcessor; text: qsTr("Restart on CPU"); onClicked: line.health.restartOnProcessor() }
        Button { visible: line.bad; primary: true; glyph: "refresh-cw"; text: qsTr("Restart engine"); onClicked: line.health.restart() }
    }
}
