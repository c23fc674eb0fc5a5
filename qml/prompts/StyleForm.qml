import QtQuick 2.15
import "../controls"
import ".."

// Name, texts and notes of one style; {prompt} in a text is where the prompt goes.
FocusScope {
    id: form
    property string before
    property string problem
    readonly property bool changed: name.text !== kept.name || prompt.text !== kept.prompt || negative.text !== kept.negative || notes.text !== kept.notes
    property var kept: ({ name: "", prompt: "", negative: "", notes: "" })
    signal saved(string name)
    function load(row) {
        before = row.name
        kept = { name: row.name, prompt: row.prompt, negative: row.negative, notes: row.notes }
        name.text = row.name
        prompt.text = row.prompt
        negative.text = row.negative
        notes.text = row.notes
        problem = ""
        name.forceActiveFocus(Qt.OtherFocusReason)
    }
    function save() {
        problem = studio.prompts.styles.save(before, name.text, prompt.text, negative.text, notes.text)
        if (problem !== "")
            return
        before = name.text.trim()
        kept = { name: name.text, prompt: prompt.text, negative: negative.text, notes: notes.text }
        saved(before)
    }
    readonly property real share: Math.max(44, (height - name.height - buttons.height - 5 * Theme.u2 - complaint.height) / 3)
    Field { id: name; width: parent.width; placeholderText: qsTr("Name"); Accessible.name: qsTr("Name of the style"); wrong: form.problem !== ""; onAccepted: form.save() }
    Label { id: complaint; anchors.top: name.bottom; anchors.topMargin: visible ? Theme.u1 : 0; width: parent.width; height: visible ? implicitHeight : 0; visible: form.problem !== ""; text: form.problem; wrapMode: Text.Wrap; color: Theme.error; font.pixelSize: Theme.small }
    Column {
        anchors.top: complaint.bottom
        anchors.topMargin: Theme.u2
        width: parent.width
        spacing: Theme.u2
        TextBox { id: prompt; width: parent.width; height: form.share * 1.3; name: qsTr("Prompt of the style"); placeholder: qsTr("Added to the prompt; {prompt} is where the prompt goes") }
        TextBox { id: negative; width: parent.width; height: form.share; name: qsTr("Negative prompt of the style"); placeholder: qsTr("Added to the negative prompt") }
        TextBox { id: notes; width: parent.width; height: form.share * 0.7; name: qsTr("Notes on the style"); placeholder: qsTr("Notes") }
    }
    Row {
        id: buttons
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        spacing: Theme.u2
        Button { visible: form.before !== ""; quiet: true; glyph: "trash-2"; hint: qsTr("Delete style"); onClicked: { studio.prompts.styles.remove(form.before); form.load({ name: "", prompt: "", negative: "", notes: "" }) } }
        Button { enabled: form.changed && name.text.trim() !== ""; glyph: "save"; text: qsTr("Save style"); onClicked: form.save() }
    }
}
