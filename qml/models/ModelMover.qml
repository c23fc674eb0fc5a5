import QtQuick 2.15
import "../controls"
import ".."

// The folder to move into, one that is there or a new one.
Panel {
    id: dialog
    title: studio.models.chosenCount > 1 ? qsTr("Move %1 models").arg(studio.models.chosenCount) : qsTr("Move %1").arg(studio.models.details.name || "")
    onAboutToShow: { folder.text = ""; folder.forceActiveFocus() }
    function move(to) {
        close()
        studio.models.moveTo(to)
    }
    Label { width: parent.width; text: qsTr("Pictures, descriptions and marks come along. A folder that is not there is made; empty is the top."); color: Theme.soft; wrapMode: Text.Wrap }
    Field { id: folder; width: parent.width; focus: true; placeholderText: qsTr("Folder, such as style/ink"); Accessible.name: qsTr("Folder"); onAccepted: dialog.move(text.trim()) }
    Flow {
        width: parent.width
        spacing: Theme.u1
        Repeater {
            model: studio.models.folders.slice(0, 24)
            delegate: ModelChip { text: modelData.path; limit: 400; hint: qsTr("Move here"); onClicked: dialog.move(modelData.path) }
        }
    }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: dialog.close() },
        Button { text: qsTr("Move"); primary: true; onClicked: dialog.move(folder.text.trim()) }
    ]
}
