import QtQuick 2.15
import "../controls"
import ".."

// A folder by its path: typed, chosen from a list, or dropped.
FocusScope {
    id: control
    property string name
    property string path
    property bool wrong: false
    readonly property Item first: field
    signal chosen(string path)
    Field {
        id: field
        focus: true
        anchors.left: parent.left
        anchors.right: browse.left
        anchors.rightMargin: Theme.u2
        height: parent.height
        text: control.path
        wrong: control.wrong
        placeholderText: qsTr("In the data folder")
        Accessible.name: control.name
        onEditingFinished: if (text !== control.path) control.chosen(text)
        Connections {
            target: control
            function onPathChanged() { field.text = control.path }
        }
    }
    Button { id: browse; anchors.right: parent.right; glyph: "folder-open"; text: qsTr("Browse"); Accessible.name: qsTr("Browse for %1").arg(control.name); onClicked: dialog.open() }
    DropArea {
        id: drop
        anchors.fill: parent
        keys: ["text/uri-list"]
        onDropped: event => {
            var found = event.urls.length > 0 ? studio.dataFolder.dropped(event.urls[0]) : ""
            if (found !== "")
                control.chosen(found)
        }
        Rectangle { anchors.fill: parent; visible: drop.containsDrag; radius: Theme.radius; color: "transparent"; border.color: Theme.accent; border.width: 2 }
    }
    FolderPanel { id: dialog; title: control.name; start: control.path; onChosen: path => control.chosen(path) }
}
