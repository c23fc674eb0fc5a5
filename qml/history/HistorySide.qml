import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// Where to look: folders, saved searches, and what the pictures found have in common.
Rectangle {
    id: side
    signal saveAsked()
    signal folderAsked()
    color: Theme.window
    Flickable {
        anchors.fill: parent
        anchors.margins: Theme.u2
        anchors.rightMargin: 2
        contentHeight: column.height
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        T.ScrollBar.vertical: Scroll { }
        Column {
            id: column
            width: parent.width - Theme.u1
            spacing: 1
            SideHead {
                title: qsTr("Folders")
                glyph: "folder-plus"
                hint: qsTr("Add a folder")
                onAsked: side.folderAsked()
            }
            Repeater {
                model: studio.history.folders
                delegate: SideRow {
                    width: column.width
                    text: modelData.title
                    note: modelData.count.toLocaleString(Qt.locale("C"), "f", 0)
                    depth: modelData.depth
                    glyph: modelData.scope === "all" ? "images" : modelData.scope === "favourites" ? "heart" : "folder"
                    isChosen: studio.history.scope === modelData.scope
                    removable: modelData.added
                    removeHint: qsTr("Follow this folder no longer; its files stay")
                    onPicked: studio.history.look(modelData.scope)
                    onRemoved: studio.history.dropFolder(modelData.scope)
                }
            }
            SideHead {
                title: qsTr("Saved searches")
                glyph: "bookmark"
                hint: qsTr("Save this search")
                canAsk: studio.history.text.trim() !== ""
                onAsked: side.saveAsked()
            }
            Label {
                visible: studio.history.saved.length === 0
                width: parent.width
                leftPadding: Theme.u2
                rightPadding: Theme.u2
                bottomPadding: Theme.u1
                text: qsTr("Search for something, then keep it here with the mark.")
                wrapMode: Text.Wrap
                color: Theme.faint
                font.pixelSize: Theme.small
            }
            Repeater {
                model: studio.history.saved
                delegate: SideRow {
                    width: column.width
                    text: modelData.name
                    glyph: "search"
                    isChosen: studio.history.text === modelData.text
                    removable: true
                    removeHint: qsTr("Remove this saved search")
                    onPicked: studio.history.searchNow(modelData.text)
                    onRemoved: studio.history.dropSaved(modelData.name)
                }
            }
            Repeater {
                model: studio.history.facets
                delegate: Column {
                    id: section
                    property bool all: false
                    width: column.width
                    spacing: 1
                    SideHead { title: modelData.title }
                    Repeater {
                        model: section.all ? modelData.rows : modelData.rows.slice(0, 6)
                        delegate: SideRow {
                            width: column.width
                            text: modelData.name
                            note: modelData.count.toLocaleString(Qt.locale("C"), "f", 0)
                            isChosen: studio.history.text.indexOf(modelData.term) >= 0
                            onPicked: studio.history.narrow(modelData.term)
                        }
                    }
                    SideRow {
                        visible: modelData.rows.length > 6
                        width: column.width
                        quiet: true
                        text: section.all ? qsTr("Fewer") : qsTr("%1 more").arg(modelData.rows.length - 6)
                        onPicked: section.all = !section.all
                    }
                }
            }
        }
    }
}
