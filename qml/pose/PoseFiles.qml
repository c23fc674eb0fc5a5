import QtQuick 2.15
import "../controls"
import ".."

// The file a pose is saved to, or taken from.
Panel {
    id: dialog
    property var desk
    property bool saving: true
    function ask(wanted) {
        saving = wanted
        place.text = wanted ? desk.state.exportName : ""
        open()
        place.forceActiveFocus(Qt.OtherFocusReason)
        place.selectAll()
    }
    function finish() {
        if (place.text !== "") {
            saving ? desk.export(place.text) : desk.importFile(place.text)
            close()
        }
    }
    title: saving ? qsTr("Export the pose") : qsTr("Import a pose")
    Field { id: place; width: parent.width; focus: true; placeholderText: dialog.saving ? "" : qsTr("File, for example ~/poses/dancer.png"); Accessible.name: qsTr("File"); onAccepted: dialog.finish() }
    Label {
        width: parent.width
        text: dialog.saving ? qsTr("A .png shows the map and carries the pose, a .json is OpenPose's. An existing file is never replaced.")
                            : qsTr("A PNG that carries a pose, or OpenPose's JSON. A file can also be dropped on the editor. Undo brings back what is here now.")
        color: Theme.soft
        wrapMode: Text.Wrap
    }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: dialog.close() },
        Button { text: dialog.saving ? qsTr("Save") : qsTr("Import"); primary: true; enabled: place.text !== ""; onClicked: dialog.finish() }
    ]
}
