import QtQuick 2.15
import "../controls"
import ".."

// A copy of a card's picture under a name of the user's.
Panel {
    id: dialog
    property string card
    function show(identity) {
        card = identity
        place.text = studio.inputs.copyName(identity)
        open()
        place.forceActiveFocus()
        place.selectAll()
    }
    function save() {
        if (place.text !== "") {
            studio.inputs.saveCopy(card, place.text)
            close()
        }
    }
    title: qsTr("Save a copy of the picture")
    Field { id: place; width: parent.width; focus: true; Accessible.name: qsTr("File"); onAccepted: dialog.save() }
    Label { width: parent.width; text: qsTr("The ending says the format: .png, .jpg or .webp. An existing file is never replaced."); color: Theme.soft; wrapMode: Text.Wrap }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: dialog.close() },
        Button { text: qsTr("Save"); primary: true; enabled: place.text !== ""; onClicked: dialog.save() }
    ]
}
