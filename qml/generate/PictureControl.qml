import QtQuick 2.15
import "../controls"
import ".."

// A picture to start from: its file typed, pasted or dropped, and shown small.
Item {
    id: control
    property var row
    readonly property Item first: file
    Rectangle {
        id: frame
        width: Theme.control
        height: Theme.control
        radius: Theme.radius - 2
        color: Theme.stage
        border.width: drop.containsDrag ? 2 : 1
        border.color: drop.containsDrag ? Theme.accent : Theme.line
        Picture { anchors.fill: parent; anchors.margins: 2; fill: true; limit: 64; source: control.row.source; description: control.row.title }
        Icon { anchors.centerIn: parent; visible: control.row.source === ""; glyph: "image"; size: 14 }
    }
    Field {
        id: file
        anchors.left: frame.right
        anchors.leftMargin: Theme.u1
        anchors.right: clear.visible ? clear.left : parent.right
        anchors.rightMargin: clear.visible ? Theme.u1 : 0
        text: control.row.text
        placeholderText: qsTr("Drop a picture")
        wrong: control.row.problem !== ""
        Accessible.name: control.row.title
        onEditingFinished: if (text !== control.row.text) control.row.commit(text)
    }
    Button {
        id: clear
        visible: control.row.isSet
        anchors.right: parent.right
        quiet: true
        glyph: "x"
        hint: qsTr("Without %1").arg(control.row.title)
        onClicked: control.row.reset()
    }
    DropArea {
        id: drop
        anchors.fill: parent
        keys: ["text/uri-list"]
        onDropped: event => { if (event.hasUrls) { control.row.commit(String(event.urls[0])); event.accept() } }
    }
}
