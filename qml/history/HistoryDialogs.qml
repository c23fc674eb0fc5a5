import QtQuick 2.15
import ".."

// The small questions of the page: a line of tags, a name, a folder.
Item {
    id: dialogs
    property var deeds
    property int count: 0
    function tag() { tagDialog.open() }
    function saveSearch() { saveDialog.open() }
    function addFolder() { addDialog.open() }
    function bundle() { bundleDialog.open() }
    function folder(moves) {
        folderDialog.moves = moves
        folderDialog.open()
    }
    PathDialog {
        id: tagDialog
        title: qsTr("Tags")
        words: qsTr("Tags for the chosen pictures, with commas between them.")
        action: qsTr("Add")
        placeholder: qsTr("landscape, keep")
        onGiven: text => dialogs.deeds.tag(text)
    }
    PathDialog {
        id: saveDialog
        title: qsTr("Save this search")
        action: qsTr("Save")
        start: studio.history.text
        onGiven: text => studio.history.save(text)
    }
    PathDialog {
        id: addDialog
        title: qsTr("Add a folder")
        words: qsTr("Its pictures, with those of all folders inside, appear here; the files stay where they are.")
        action: qsTr("Add")
        placeholder: qsTr("Folder, for example ~/Pictures")
        refuse: text => studio.history.addFolder(text)
    }
    PathDialog {
        id: folderDialog
        property bool moves: false
        title: moves ? qsTr("Move to a folder") : qsTr("Copy to a folder")
        action: moves ? qsTr("Move") : qsTr("Copy")
        placeholder: qsTr("Folder, for example ~/Pictures")
        onGiven: text => moves ? dialogs.deeds.moveTo(text) : dialogs.deeds.copyTo(text)
    }
    PathDialog {
        id: bundleDialog
        title: qsTr("Export %1 pictures as zip").arg(dialogs.count)
        action: qsTr("Export")
        start: visible ? dialogs.deeds.bundleName() : ""
        option: qsTr("With how they were made")
        onGiven: text => dialogs.deeds.bundle(text, checked)
    }
}
