import QtQuick 2.15
import "../controls"
import ".."

// Every picture that was made: where to look at the left, the pictures in the middle, what one of them tells at the right.
FocusScope {
    id: page
    readonly property var pictures: studio.history.pictures
    readonly property var deeds: studio.history.deeds
    property bool detailed: studio.recall("historyDetails", true)
    Component.onCompleted: studio.history.visit()
    onVisibleChanged: if (visible) studio.history.visit()
    function takeFocus() { (full.visible ? full : comparing.visible ? comparing : grid.view).forceActiveFocus(Qt.OtherFocusReason) }

    readonly property var doing: ({
        history_open: () => full.open(),
        history_all: () => pictures.chooseAll(),
        history_compare: () => comparing.open(),
        history_favourite: () => deeds.favour(),
        history_tag: () => dialogs.tag(),
        history_import: () => importer(),
        history_delete: () => deeds.remove(),
        history_copy: () => deeds.copyFiles(),
        history_rate_0: () => deeds.rate(0),
        history_rate_1: () => deeds.rate(1),
        history_rate_2: () => deeds.rate(2),
        history_rate_3: () => deeds.rate(3),
        history_rate_4: () => deeds.rate(4),
        history_rate_5: () => deeds.rate(5)
    })
    function importer() {
        if (studio.importer && studio.history.details.shown.path)
            studio.importer.openFile(studio.history.details.shown.path)
        else
            return false
    }
    function openMenu() {
        if (page.pictures.chosenCount > 0)
            menu.popup(null, 0, 0)
    }

    Keys.forwardTo: [pageKeys]
    ScopeKeys {
        id: pageKeys
        place: page
        scope: "history"
        actions: ({
            history_search: () => bar.focusSearch(),
            history_larger: () => studio.history.resize(studio.history.size + 40),
            history_smaller: () => studio.history.resize(studio.history.size - 40)
        })
    }
    Item {
        id: body
        anchors.fill: parent
        enabled: !full.visible && !comparing.visible
        Rectangle { anchors.fill: parent; color: Theme.stage }
        HistorySide {
            id: side
            width: page.width < 1200 ? 184 : 224
            height: parent.height
            onSaveAsked: dialogs.saveSearch()
            onFolderAsked: dialogs.addFolder()
        }
        SearchBar {
            id: bar
            anchors.left: side.right
            anchors.right: details.left
            detailed: page.detailed
            onLeaveAsked: grid.view.forceActiveFocus(Qt.TabFocusReason)
            onDetailsToggled: {
                page.detailed = !page.detailed
                studio.remember("historyDetails", page.detailed)
            }
        }
        Rectangle {
            id: says
            anchors.top: bar.bottom
            anchors.left: side.right
            anchors.right: details.left
            height: studio.history.problem !== "" ? 30 : 0
            visible: height > 0
            color: Theme.raised
            Icon { x: Theme.u3; anchors.verticalCenter: parent.verticalCenter; glyph: "info"; colour: Theme.warning }
            Label { x: 36; width: parent.width - 44; height: parent.height; text: studio.history.problem; font.pixelSize: Theme.small }
        }
        HistoryGrid {
            id: grid
            anchors.top: says.bottom
            anchors.bottom: parent.bottom
            anchors.left: side.right
            anchors.right: details.left
            anchors.margins: Theme.u2
            focus: true
            actions: page.doing
            onOpenAsked: full.open()
            onMenuAsked: page.openMenu()
            onSearchAsked: bar.focusSearch()
        }
        HistoryEmpty {
            anchors.centerIn: grid
            width: Math.min(380, grid.width - Theme.u8)
            visible: page.pictures.count === 0 && !studio.history.busy
            onFolderAsked: dialogs.addFolder()
        }
        Row {
            anchors.right: grid.right
            anchors.bottom: grid.bottom
            anchors.margins: Theme.u3
            spacing: Theme.u2
            visible: studio.history.working && page.pictures.count > 0
            Spinner { running: parent.visible; anchors.verticalCenter: parent.verticalCenter }
            Label { text: qsTr("Reading folders"); color: Theme.soft; font.pixelSize: Theme.small; anchors.verticalCenter: parent.verticalCenter }
        }
        HistoryDetails {
            id: details
            anchors.right: parent.right
            width: !page.detailed ? 0 : page.width < 1200 ? 232 : 288
            visible: page.detailed
            height: parent.height
            onTagAsked: dialogs.tag()
        }
        Rectangle { anchors.right: side.right; width: 1; height: parent.height; color: Theme.line }
        Rectangle { anchors.left: details.left; visible: details.visible; width: 1; height: parent.height; color: Theme.line }
    }
    HistoryView { id: full; anchors.fill: parent; actions: page.doing; onClosed: page.takeFocus() }
    HistoryCompare { id: comparing; anchors.fill: parent; onClosed: page.takeFocus() }
    HistoryMenu { id: menu; pictures: page.pictures; deeds: page.deeds; dialogs: dialogs; onShared: action => page.doing[action]() }
    HistoryDialogs { id: dialogs; deeds: page.deeds; count: page.pictures.chosenCount }
}
