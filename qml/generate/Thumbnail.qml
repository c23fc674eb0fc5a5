import QtQuick 2.15
import "../controls"
import ".."

// One place of the strip.
Item {
    id: thumbnail
    required property int index
    required property string source
    required property string prompt
    required property string seed
    required property string problem
    required property bool painting
    property bool isCurrent: false
    property bool hasFocus: false
    signal chosen()
    signal opened()
    Accessible.role: Accessible.ListItem
    Accessible.name: (painting ? "Being painted: " : problem ? "Not saved: " : "Picture: ") + (prompt || "no prompt")
    Accessible.selected: isCurrent
    Accessible.onPressAction: chosen()
    Rectangle { anchors.fill: parent; radius: Theme.radius; color: Theme.stage }
    Picture {
        anchors.fill: parent
        anchors.margins: 2
        fill: true
        limit: 192
        source: thumbnail.source
        description: thumbnail.prompt
    }
    Spinner { anchors.centerIn: parent; visible: thumbnail.painting && thumbnail.source === ""; running: visible }
    Rectangle {
        visible: thumbnail.painting
        anchors.left: parent.left
        anchors.bottom: parent.bottom
        anchors.margins: 2
        height: 3
        width: (parent.width - 4) * studio.jobs.fraction
        color: Theme.accent
    }
    Rectangle {
        visible: thumbnail.problem !== ""
        anchors.right: parent.right
        anchors.top: parent.top
        anchors.margins: Theme.u1
        width: 20
        height: 20
        radius: 10
        color: Theme.raised
        Icon { anchors.centerIn: parent; glyph: "triangle-alert"; colour: Theme.error; size: 12 }
    }
    Rectangle {
        anchors.fill: parent
        radius: Theme.radius
        color: "transparent"
        border.width: thumbnail.isCurrent ? 2 : over.hovered ? 1 : 0
        border.color: thumbnail.isCurrent ? (thumbnail.hasFocus ? Theme.accent : Theme.soft) : Theme.edge
    }
    HoverHandler { id: over }
    TapHandler { onTapped: thumbnail.chosen(); onDoubleTapped: thumbnail.opened() }
    Hint { visible: over.hovered && thumbnail.prompt !== ""; text: thumbnail.prompt.length > 160 ? thumbnail.prompt.slice(0, 160) + "…" : thumbnail.prompt }
}
