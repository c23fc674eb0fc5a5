import QtQuick 2.15
import "../controls"
import ".."

// What stands in place of the pictures: nothing was found, nothing is there yet, and what to do about it.
Column {
    id: hint
    signal folderAsked()
    spacing: Theme.u3
    readonly property bool searched: studio.history.text !== "" || studio.history.scope !== "all"
    Icon { anchors.horizontalCenter: parent.horizontalCenter; glyph: hint.searched ? "search" : "images"; size: Theme.px(40); colour: Theme.edge }
    Label {
        width: parent.width
        horizontalAlignment: Text.AlignHCenter
        wrapMode: Text.Wrap
        font.pixelSize: Theme.large
        font.weight: Font.DemiBold
        text: hint.searched ? qsTr("Nothing was found") : studio.history.working ? qsTr("Looking through the folders") : qsTr("No pictures yet")
    }
    Label {
        width: parent.width
        horizontalAlignment: Text.AlignHCenter
        wrapMode: Text.Wrap
        color: Theme.soft
        text: hint.searched ? qsTr("Take a word or a field out of the search, or look in all folders.") : qsTr("Every picture you make appears here. Pictures of other programs come in with a folder.")
    }
    Row {
        anchors.horizontalCenter: parent.horizontalCenter
        spacing: Theme.u2
        Button { visible: hint.searched; text: qsTr("Clear the search"); onClicked: { studio.history.look("all"); studio.history.searchNow("") } }
        Button { visible: !hint.searched; text: qsTr("Add a folder"); glyph: "folder-plus"; onClicked: hint.folderAsked() }
    }
}
