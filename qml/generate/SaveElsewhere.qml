import QtQuick 2.15
import "../controls"
import ".."

// A picture that could not be written is still in memory: another folder for it.
Panel {
    id: dialog
    title: "Save the picture elsewhere"
    Label { width: parent.width; text: studio.outputs.shown.problem || ""; color: Theme.soft; wrapMode: Text.Wrap }
    Field {
        id: folder
        width: parent.width
        focus: true
        placeholderText: "Folder, for example ~/Pictures"
        Accessible.name: "Folder"
        onAccepted: dialog.save()
    }
    buttons: [
        Button { text: "Cancel"; onClicked: dialog.close() },
        Button { text: "Save"; primary: true; enabled: folder.text !== ""; onClicked: dialog.save() }
    ]
    function save() {
        if (folder.text !== "") {
            studio.outputs.saveElsewhere(studio.outputs.current, folder.text)
            close()
        }
    }
}
