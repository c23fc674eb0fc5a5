import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// Walks through folders; the one that is looked into is the one that is chosen.
Panel {
    id: panel
    property string start
    signal chosen(string path)
    onAboutToShow: studio.dataFolder.look(start)
    onOpened: list.forceActiveFocus(Qt.OtherFocusReason)
    Row {
        width: parent.width
        spacing: Theme.u2
        Button { id: up; glyph: "arrow-up"; hint: qsTr("The folder above"); onClicked: studio.dataFolder.enter("..") }
        Field {
            id: path
            width: parent.width - up.width - parent.spacing
            text: studio.dataFolder.folder
            Accessible.name: qsTr("Folder")
            onAccepted: studio.dataFolder.look(text)
            Connections {
                target: studio.dataFolder
                function onListed() { path.text = studio.dataFolder.folder; list.currentIndex = 0 }
            }
        }
    }
    ListView {
        id: list
        width: parent.width
        height: Math.min(Theme.px(280), panel.parent ? panel.parent.height - Theme.px(260) : 280)
        clip: true
        focus: true
        activeFocusOnTab: true
        boundsBehavior: Flickable.StopAtBounds
        model: studio.dataFolder.inside
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Folders")
        T.ScrollBar.vertical: Scroll { }
        Keys.onReturnPressed: if (currentIndex >= 0) studio.dataFolder.enter(model[currentIndex])
        Keys.onPressed: event => {
            if (event.key === Qt.Key_Backspace || event.key === Qt.Key_Left) {
                studio.dataFolder.enter("..")
                event.accepted = true
            }
        }
        delegate: T.ItemDelegate {
            id: row
            width: list.width
            implicitHeight: Theme.control
            Accessible.role: Accessible.ListItem
            Accessible.name: modelData
            Accessible.onPressAction: row.clicked()
            onClicked: studio.dataFolder.enter(modelData)
            contentItem: Item {
                Icon { x: Theme.u2; anchors.verticalCenter: parent.verticalCenter; glyph: "folder" }
                Label { x: Theme.u3 + Theme.icon + Theme.u1; width: parent.width - x; height: parent.height; text: modelData; Accessible.ignored: true }
            }
            background: Rectangle { radius: Theme.radius; color: row.hovered || row.ListView.isCurrentItem && list.activeFocus ? Theme.hover : "transparent" }
        }
        Label { visible: list.count === 0; anchors.centerIn: parent; text: qsTr("There is no folder in it."); color: Theme.faint }
    }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: panel.close() },
        Button { text: qsTr("Choose this folder"); primary: true; onClicked: { panel.close(); panel.chosen(studio.dataFolder.folder) } }
    ]
}
