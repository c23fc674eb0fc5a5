import QtQuick 2.15
import "../controls"
import ".."

// Where models belong, and how those of another program are used: its folder is typed, pasted or dropped.
Column {
    id: ways
    readonly property var first: studio.firstModels
    property bool asking: false
    spacing: Theme.u3
    topPadding: Theme.u2
    Row {
        anchors.horizontalCenter: parent.horizontalCenter
        spacing: Theme.u2
        Button { glyph: "folder-open"; text: qsTr("Open the models folder"); onClicked: ways.first.openFolder() }
        Button {
            glyph: "folder"
            text: qsTr("Use another program's models")
            hint: qsTr("Models of AUTOMATIC1111, ComfyUI or qDiffusion are used where they are")
            onClicked: { ways.asking = true; field.forceActiveFocus(Qt.OtherFocusReason) }
        }
    }
    Field {
        id: field
        visible: ways.asking && ways.first.added === ""
        width: parent.width
        placeholderText: qsTr("Folder of the other program; Enter takes it")
        Accessible.name: qsTr("Folder of another program")
        wrong: ways.first.problem !== ""
        onAccepted: ways.first.addFolder(text)
        DropArea { anchors.fill: parent; keys: ["text/uri-list"]; onDropped: drop => { field.text = drop.urls[0]; ways.first.addFolder(drop.urls[0]); drop.accept(Qt.CopyAction) } }
    }
    Label {
        visible: text !== ""
        width: parent.width
        horizontalAlignment: Text.AlignHCenter
        wrapMode: Text.Wrap
        text: ways.first.problem || ways.first.added
        color: ways.first.problem ? Theme.error : Theme.soft
        font.pixelSize: Theme.small
        Accessible.role: Accessible.AlertMessage
    }
    Button {
        visible: ways.first.added !== ""
        anchors.horizontalCenter: parent.horizontalCenter
        primary: true
        text: qsTr("Restart")
        onClicked: studio.act("restart")
    }
}
