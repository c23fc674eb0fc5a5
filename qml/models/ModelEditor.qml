import QtQuick 2.15
import "../controls"
import ".."

// What the user says of a model; written beside its file.
Panel {
    id: editor
    readonly property var model: studio.models.details
    title: qsTr("Edit %1").arg(model.name || "")
    width: Math.min(Theme.px(560), parent ? parent.width - 2 * Theme.u6 : 560)
    onAboutToShow: {
        description.text = model.plainDescription || ""
        words.text = (model.words || []).join(", ")
        tags.text = (model.tags || []).join(", ")
        weight.text = model.weight || ""
        description.area.forceActiveFocus()
    }
    function save() {
        studio.models.edit({ description: description.text, words: words.text, tags: tags.text, weight: weight.text })
        close()
    }
    Label { text: qsTr("Description"); color: Theme.soft; font.pixelSize: Theme.small }
    TextBox { id: description; width: parent.width; height: Theme.px(140); name: qsTr("Description"); focus: true }
    Label { text: qsTr("Trigger words, with commas between them"); color: Theme.soft; font.pixelSize: Theme.small }
    Field { id: words; width: parent.width; Accessible.name: qsTr("Trigger words"); onAccepted: editor.save() }
    Row {
        width: parent.width
        spacing: Theme.u3
        Column {
            spacing: Theme.u1
            Label { text: qsTr("Preferred weight"); color: Theme.soft; font.pixelSize: Theme.small }
            Field { id: weight; width: Theme.px(120); placeholderText: "1"; Accessible.name: qsTr("Preferred weight"); onAccepted: editor.save() }
        }
        Column {
            spacing: Theme.u1
            width: parent.width - Theme.px(120) - Theme.u3
            Label { text: qsTr("Tags"); color: Theme.soft; font.pixelSize: Theme.small }
            Field { id: tags; width: parent.width; Accessible.name: qsTr("Tags"); onAccepted: editor.save() }
        }
    }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: editor.close() },
        Button { text: qsTr("Save"); primary: true; onClicked: editor.save() }
    ]
}
