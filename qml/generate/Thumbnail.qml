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
    required property string file
    required property string fileAddress
    required property bool painting
    required property int part
    required property int parts
    required property string partTitle
    required property bool incomplete
    required property real arriving
    property bool isCurrent: false
    property bool hasFocus: false
    // Of a file that is written, the small picture that is kept on disk.
    property string small: ""
    signal chosen()
    signal opened()
    signal menuAsked()
    Accessible.role: Accessible.ListItem
    Accessible.name: (arriving >= 0 ? qsTr("On its way: %1") : painting ? qsTr("Being painted: %1") : problem ? qsTr("Not saved: %1") : incomplete ? qsTr("Incomplete picture: %1") : qsTr("Picture: %1")).arg(prompt || qsTr("no prompt"))
    Accessible.selected: isCurrent
    Accessible.onPressAction: chosen()
    onFileChanged: small = file !== "" ? studio.thumbnails.address(file) : ""
    Component.onCompleted: small = file !== "" ? studio.thumbnails.address(file) : ""
    Connections {
        target: studio.thumbnails
        function onReady(path, url) { if (path === thumbnail.file) thumbnail.small = url }
    }
    Rectangle { anchors.fill: parent; radius: Theme.radius; color: Theme.stage }
    Picture {
        anchors.fill: parent
        anchors.margins: 2
        fill: true
        limit: 256
        source: thumbnail.small || thumbnail.source
        description: thumbnail.prompt
    }
    Spinner { anchors.centerIn: parent; visible: thumbnail.painting && thumbnail.source === ""; running: visible }
    Rectangle {
        visible: thumbnail.painting
        anchors.left: parent.left
        anchors.bottom: parent.bottom
        anchors.margins: 2
        height: 3
        width: (parent.width - 4) * (thumbnail.arriving >= 0 ? thumbnail.arriving : studio.jobs.fraction)
        color: Theme.accent
    }
    Rectangle {
        visible: thumbnail.problem !== "" || thumbnail.incomplete
        anchors.right: parent.right
        anchors.top: parent.top
        anchors.margins: Theme.u1
        width: 20
        height: 20
        radius: 10
        color: Theme.raised
        Icon { anchors.centerIn: parent; glyph: "triangle-alert"; colour: thumbnail.problem !== "" ? Theme.error : Theme.warning; size: 12 }
    }
    Rectangle {
        anchors.fill: parent
        radius: Theme.radius
        color: "transparent"
        border.width: thumbnail.isCurrent ? 2 : over.hovered ? 1 : 0
        border.color: thumbnail.isCurrent ? (thumbnail.hasFocus ? Theme.accent : Theme.soft) : Theme.edge
    }
    HoverHandler { id: over }
    DragOut { anchors.fill: parent; address: thumbnail.fileAddress }
    TapHandler { onTapped: thumbnail.chosen(); onDoubleTapped: thumbnail.opened() }
    TapHandler { acceptedButtons: Qt.RightButton; onTapped: thumbnail.menuAsked() }
    PartLabel {
        anchors.left: parent.left
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u1
        visible: count > 0 && !thumbnail.painting && (over.hovered || thumbnail.part > 0)
        place: thumbnail.index
        count: thumbnail.parts
        part: thumbnail.part
        title: thumbnail.partTitle
    }
    Hint { visible: over.hovered && thumbnail.prompt !== ""; text: thumbnail.prompt.length > 160 ? thumbnail.prompt.slice(0, 160) + "…" : thumbnail.prompt }
}
