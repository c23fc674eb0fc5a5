import QtQuick 2.15
import "../controls"
import ".."

// One job: its picture, what it asks for, how far it is and when it ends. Rows that wait can be dragged to another place.
Item {
    id: line
    required property int index
    required property string key
    required property string jobState
    required property string stateWord
    required property string mode
    required property string prompt
    required property string model
    required property string size
    required property string count
    required property real progress
    required property string estimate
    required property string problem
    required property string source
    required property bool selected
    required property bool editable
    required property bool retriable
    required property int position
    required property string elsewhere
    property bool isCurrent: false
    property bool hasFocus: false
    property bool dragged: false
    readonly property bool waits: jobState === "waiting" || jobState === "interrupted"
    readonly property bool runs: jobState === "running" || jobState === "fetching"
    readonly property bool fetches: jobState === "fetching"
    readonly property string title: prompt || qsTr("No prompt")
    readonly property string facts: [elsewhere ? qsTr("Waits for %1").arg(elsewhere) : "", fetches ? stateWord : runs ? studio.jobs.stage + (studio.jobs.steps ? " " + studio.jobs.steps : "") : jobState === "waiting" ? "" : stateWord,
        position > 0 ? qsTr("%1 before it").arg(position) : "", count, size, model].filter(part => part !== "").join("  ·  ")
    signal chosen(int how)
    signal opened()
    signal menuAsked(real x, real y)
    signal carried(real y)
    signal dropped(real y)
    signal released()
    implicitHeight: Theme.px(64)
    opacity: dragged ? 0.5 : 1
    Accessible.role: Accessible.ListItem
    Accessible.name: [stateWord, mode, title, facts, estimate, problem].filter(part => part !== "").join(", ")
    Accessible.selected: selected
    Accessible.onPressAction: chosen(0)

    Rectangle {
        anchors.fill: parent
        radius: Theme.radius
        color: line.selected ? Theme.accentSoft : over.containsMouse ? Theme.hover : "transparent"
        border.width: line.isCurrent && line.hasFocus ? 2 : 0
        border.color: Theme.accent
    }
    Rectangle {
        id: frame
        x: Theme.u2
        anchors.verticalCenter: parent.verticalCenter
        width: Theme.px(48)
        height: width
        radius: Theme.radius - 2
        color: Theme.stage
        Picture { anchors.fill: parent; fill: true; limit: 128; source: line.source; visible: line.source !== ""; description: line.title }
        Icon {
            anchors.centerIn: parent
            visible: line.source === ""
            glyph: line.jobState === "failed" ? "triangle-alert" : line.jobState === "interrupted" ? "circle-pause" : "image"
            colour: line.jobState === "failed" ? Theme.error : Theme.faint
        }
    }
    Label {
        id: heading
        anchors.left: frame.right
        anchors.leftMargin: Theme.u3
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        y: Theme.u2
        text: line.title
        color: line.prompt ? Theme.text : Theme.faint
        Accessible.ignored: true
    }
    // Beside the facts: the words of the prompt tell jobs apart, and need the whole width.
    Label {
        id: when
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        anchors.baseline: factsLine.baseline
        text: line.estimate
        color: Theme.soft
        font.pixelSize: Theme.small
        Accessible.ignored: true
    }
    Label {
        id: factsLine
        anchors.left: heading.left
        anchors.right: when.left
        anchors.rightMargin: Theme.u2
        anchors.top: heading.bottom
        anchors.topMargin: 2
        text: line.problem || (line.mode + (line.facts ? "  ·  " + line.facts : ""))
        color: line.problem ? Theme.error : line.jobState === "interrupted" ? Theme.warning : Theme.soft
        font.pixelSize: Theme.small
        Accessible.ignored: true
    }
    Rectangle {
        visible: line.runs || (line.waits && line.progress > 0)
        anchors.left: heading.left
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        anchors.bottom: parent.bottom
        anchors.bottomMargin: Theme.u2
        height: 3
        radius: 1.5
        color: Theme.track
        Rectangle {
            height: parent.height
            radius: 1.5
            width: Math.round(parent.width * line.progress)
            color: line.runs ? Theme.accent : Theme.edge
            Behavior on width { NumberAnimation { duration: Theme.quick } }
        }
    }
    RowPointer { id: over; anchors.fill: parent; row: line }
    Hint { visible: over.containsMouse && !over.moving && (line.prompt.length > 40 || line.problem !== ""); text: line.problem || line.prompt }
}
