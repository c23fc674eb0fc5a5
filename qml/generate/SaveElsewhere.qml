import QtQuick 2.15
import "../controls"
import ".."

// Where a picture goes: "rescue" one that could not be written and is only in memory, a copy as a "file", a copy into a "folder".
Panel {
    id: dialog
    property string purpose: "rescue"
    readonly property var shown: studio.outputs.shown
    title: purpose === "rescue" ? qsTr("Save the picture elsewhere") : purpose === "file" ? qsTr("Save a copy") : qsTr("Copy to a folder")
    function ask(wanted) {
        purpose = wanted
        place.text = wanted === "folder" ? studio.pictures.folders[0] : wanted === "file" ? shown.file || "" : ""
        open()
        place.forceActiveFocus(Qt.OtherFocusReason)
        place.selectAll()
    }
    function save() {
        if (place.text === "")
            return
        if (purpose === "rescue")
            studio.outputs.saveElsewhere(studio.outputs.current, place.text)
        else if (purpose === "file")
            studio.pictures.saveAs(place.text)
        else
            studio.pictures.copyTo(place.text)
        close()
    }
    Label {
        width: parent.width
        visible: text !== ""
        text: dialog.purpose === "rescue" ? dialog.shown.problem || "" : dialog.purpose === "folder" ? qsTr("A name without a path is a folder inside the outputs folder.") : ""
        color: Theme.soft
        wrapMode: Text.Wrap
    }
    Field {
        id: place
        width: parent.width
        focus: true
        placeholderText: dialog.purpose === "file" ? qsTr("File, for example ~/Pictures/fox.png") : qsTr("Folder, for example ~/Pictures")
        Accessible.name: dialog.purpose === "file" ? qsTr("File") : qsTr("Folder")
        onAccepted: dialog.save()
    }
    Flow {
        width: parent.width
        spacing: Theme.u1
        visible: dialog.purpose === "folder"
        Repeater {
            model: dialog.visible && dialog.purpose === "folder" ? studio.pictures.folders : []
            delegate: Button { quiet: true; glyph: "folder"; text: modelData; onClicked: { place.text = modelData; dialog.save() } }
        }
    }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: dialog.close() },
        Button { text: dialog.purpose === "folder" ? qsTr("Copy") : qsTr("Save"); primary: true; enabled: place.text !== ""; onClicked: dialog.save() }
    ]
}
