import QtQuick 2.15
import "../controls"
import ".."

// Asks for a line of text: a folder, a file, a name, tags.
Panel {
    id: dialog
    property string words
    property string action
    property string placeholder
    property string start
    property string option
    property alias checked: box.checked
    property var refuse: text => ""
    property string refusal
    signal given(string text)
    onAboutToShow: {
        field.text = start
        refusal = ""
    }
    onOpened: {
        field.forceActiveFocus()
        field.selectAll()
    }
    Label { width: parent.width; visible: text !== ""; text: dialog.words; color: Theme.soft; wrapMode: Text.Wrap }
    Field {
        id: field
        width: parent.width
        focus: true
        placeholderText: dialog.placeholder
        Accessible.name: dialog.title
        wrong: dialog.refusal !== ""
        onAccepted: dialog.give()
        onTextEdited: dialog.refusal = ""
    }
    Label { width: parent.width; visible: text !== ""; text: dialog.refusal; color: Theme.error; wrapMode: Text.Wrap }
    Check { id: box; visible: dialog.option !== ""; text: dialog.option; checked: true }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: dialog.close() },
        Button { text: dialog.action; primary: true; enabled: field.text.trim() !== ""; onClicked: dialog.give() }
    ]
    function give() {
        if (field.text.trim() === "")
            return
        refusal = refuse(field.text)
        if (refusal === "") {
            close()
            given(field.text)
        }
    }
}
