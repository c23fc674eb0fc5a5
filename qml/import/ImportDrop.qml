import QtQuick 2.15
import "../controls"
import ".."

// Pictures, texts and addresses dropped on the window where nothing else takes them.
DropArea {
    id: area
    readonly property bool wanted: containsDrag && drag.source === null
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Drop pictures or texts here")
    onEntered: drag => drag.accepted = drag.source === null && (drag.hasUrls || drag.hasText)
    onDropped: drop => {
        drop.accept(Qt.CopyAction)
        studio.importer.drop(drop.urls, drop.text)
    }
    Rectangle {
        visible: area.wanted
        anchors.fill: parent
        anchors.margins: Theme.u2
        z: 10
        radius: Theme.radiusLarge
        color: "transparent"
        border.width: 2
        border.color: Theme.accent
        Rectangle {
            anchors.horizontalCenter: parent.horizontalCenter
            y: Theme.u6
            width: words.implicitWidth + 2 * Theme.u4
            height: 40
            radius: Theme.radius
            color: Theme.raised
            border.color: Theme.line
            Label { id: words; anchors.centerIn: parent; text: qsTr("Drop to import") }
        }
    }
}
