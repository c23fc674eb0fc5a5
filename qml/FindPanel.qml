import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "controls"

// Finds an action, a control or a setting by its words; Enter runs it or moves the focus there.
Panel {
    id: panel
    property var rows: []
    title: qsTr("Find action")
    width: Math.min(Theme.px(600), parent ? parent.width - 2 * Theme.u6 : 600)
    y: parent ? Math.min(Theme.px(72), Math.round((parent.height - height) / 2)) : 0
    onAboutToShow: {
        finder.text = ""
        rows = studio.finder.search("")
    }
    onOpened: finder.forceActiveFocus(Qt.OtherFocusReason)
    function choose(place) {
        var row = rows[place]
        if (!row || !row.enabled)
            return
        panel.close()
        // After the focus has gone back.
        Qt.callLater(studio.finder.choose, row.kind, row.id)
    }
    Field {
        id: finder
        width: parent.width
        focus: true
        placeholderText: qsTr("Action, parameter or setting")
        Accessible.name: qsTr("Find action")
        onTextChanged: {
            panel.rows = studio.finder.search(text)
            list.currentIndex = 0
        }
        onAccepted: panel.choose(list.currentIndex)
        Keys.onDownPressed: list.currentIndex = Math.min(list.count - 1, list.currentIndex + 1)
        Keys.onUpPressed: list.currentIndex = Math.max(0, list.currentIndex - 1)
    }
    ListView {
        id: list
        width: parent.width
        height: Math.min(Theme.px(360), panel.parent ? panel.parent.height - Theme.px(220) : 360)
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        model: panel.rows
        highlightMoveDuration: 0
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Found")
        T.ScrollBar.vertical: Scroll { }
        delegate: T.ItemDelegate {
            id: row
            width: list.width
            implicitHeight: Math.max(Theme.control, words.implicitHeight) + Theme.u2
            enabled: modelData.enabled
            opacity: enabled ? 1 : 0.45
            focusPolicy: Qt.NoFocus
            Accessible.role: Accessible.ListItem
            Accessible.name: modelData.title + ". " + modelData.words
            Accessible.onPressAction: row.clicked()
            onClicked: panel.choose(index)
            contentItem: Item {
                Icon { id: icon; x: Theme.u2; anchors.verticalCenter: parent.verticalCenter; glyph: modelData.icon }
                Column {
                    id: words
                    anchors.left: icon.right
                    anchors.leftMargin: Theme.u3
                    anchors.right: note.left
                    anchors.rightMargin: Theme.u3
                    anchors.verticalCenter: parent.verticalCenter
                    Label { width: parent.width; text: modelData.title; Accessible.ignored: true }
                    Label { width: parent.width; text: modelData.words; color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
                }
                Label { id: note; anchors.right: parent.right; anchors.rightMargin: Theme.u3; height: parent.height; text: modelData.note; color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
            }
            background: Rectangle { radius: Theme.radius; color: row.ListView.isCurrentItem ? Theme.accentSoft : row.hovered ? Theme.hover : "transparent" }
        }
        Label { visible: list.count === 0; anchors.centerIn: parent; text: qsTr("Nothing is called that."); color: Theme.faint }
    }
}
