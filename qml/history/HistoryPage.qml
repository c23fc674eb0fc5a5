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
        history_tag: () => tagDialog.open(),
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
    readonly property var menuDoing: ({
        use_input: () => page.send(["image"]),
        bulk_input: () => page.send(["bulk"]),
        open_outside: () => deeds.open(studio.history.details.shown.path),
        visit_folder: () => deeds.visit(studio.history.details.shown.path),
        copy_to: () => { folderDialog.moves = false; folderDialog.open() },
        move_to: () => { folderDialog.moves = true; folderDialog.open() },
        copy_favourites: () => deeds.copyTo(deeds.favouritesFolder()),
        bundle: () => bundleDialog.open()
    })
    function importer() {
        if (studio.importer && studio.history.details.shown.path)
            studio.importer.openFile(studio.history.details.shown.path)
        else
            return false
    }
    function send(how) {
        var paths = deeds.paths()
        if (how[0] === "bulk")
            studio.inputs.takeFiles(paths, "image", -1, "")
        else
            paths.slice(0, 8).forEach(path => studio.inputs.add(path, "image"))
        studio.show("generate")
    }
    function menuRows() {
        var one = page.pictures.chosenCount === 1
        var rows = [{ id: "history_open", title: qsTr("Open in full view"), icon: "maximize-2" }]
        if (studio.importer)
            rows.push({ id: "history_import", title: qsTr("Import settings"), icon: "file-input" })
        if (studio.inputs) {
            rows.push({ id: "use_input", title: qsTr("Use as input"), icon: "image" })
            if (!one)
                rows.push({ id: "bulk_input", title: qsTr("Send as bulk input"), icon: "images" })
        }
        if (page.pictures.chosenCount > 1 && page.pictures.chosenCount <= 8)
            rows.push({ id: "history_compare", title: qsTr("Compare"), icon: "columns-2" })
        return rows.concat([
            { id: "history_favourite", title: qsTr("Favourite"), icon: "heart" },
            { id: "history_tag", title: qsTr("Tags…"), icon: "tag" },
            { id: "open_outside", title: qsTr("Open with the system's program"), icon: "external-link" },
            { id: "visit_folder", title: qsTr("Visit the folder"), icon: "folder-open" },
            { id: "history_copy", title: qsTr("Copy files"), icon: "copy" },
            { id: "copy_favourites", title: qsTr("Copy to the favourites folder"), icon: "heart" },
            { id: "copy_to", title: qsTr("Copy to…"), icon: "folder-output" },
            { id: "move_to", title: qsTr("Move to…"), icon: "folder-output" },
            { id: "bundle", title: qsTr("Export as zip…"), icon: "file-archive" },
            { id: "history_delete", title: qsTr("Delete"), icon: "trash-2" }
        ])
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
        HistorySide {
            id: side
            width: page.width < 1200 ? 184 : 224
            height: parent.height
            onSaveAsked: saveDialog.open()
            onFolderAsked: addDialog.open()
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
        Column {
            anchors.centerIn: grid
            width: Math.min(380, grid.width - Theme.u8)
            spacing: Theme.u3
            visible: page.pictures.count === 0 && !studio.history.busy
            readonly property bool searched: studio.history.text !== "" || studio.history.scope !== "all"
            Icon { anchors.horizontalCenter: parent.horizontalCenter; glyph: parent.searched ? "search" : "images"; size: 32; colour: Theme.faint }
            Label {
                width: parent.width
                horizontalAlignment: Text.AlignHCenter
                wrapMode: Text.Wrap
                font.pixelSize: Theme.large
                text: parent.searched ? qsTr("Nothing was found") : studio.history.working ? qsTr("Looking through the folders") : qsTr("No pictures yet")
            }
            Label {
                width: parent.width
                horizontalAlignment: Text.AlignHCenter
                wrapMode: Text.Wrap
                color: Theme.soft
                text: parent.searched ? qsTr("Take a word or a field out of the search, or look in all folders.") : qsTr("Every picture you make appears here. Pictures of other programs come in with a folder.")
            }
            Row {
                anchors.horizontalCenter: parent.horizontalCenter
                spacing: Theme.u2
                Button { visible: parent.parent.searched; text: qsTr("Clear the search"); onClicked: { studio.history.look("all"); studio.history.searchNow("") } }
                Button { visible: !parent.parent.searched; text: qsTr("Add a folder"); glyph: "folder-plus"; onClicked: addDialog.open() }
            }
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
            onTagAsked: tagDialog.open()
        }
        Rectangle { anchors.right: side.right; width: 1; height: parent.height; color: Theme.line }
        Rectangle { anchors.left: details.left; visible: details.visible; width: 1; height: parent.height; color: Theme.line }
    }
    HistoryView { id: full; anchors.fill: parent; actions: page.doing; onClosed: page.takeFocus() }
    HistoryCompare { id: comparing; anchors.fill: parent; onClosed: page.takeFocus() }
    ContextMenu {
        id: menu
        title: qsTr("Pictures")
        rows: page.menuRows
        onPicked: action => (page.doing[action] || page.menuDoing[action])()
    }
    PathDialog {
        id: tagDialog
        title: qsTr("Tags")
        words: qsTr("Tags for the chosen pictures, with commas between them.")
        action: qsTr("Add")
        placeholder: qsTr("landscape, keep")
        onGiven: text => page.deeds.tag(text)
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
        onGiven: text => moves ? page.deeds.moveTo(text) : page.deeds.copyTo(text)
    }
    PathDialog {
        id: bundleDialog
        title: qsTr("Export %1 pictures as zip").arg(page.pictures.chosenCount)
        action: qsTr("Export")
        start: visible ? page.deeds.bundleName() : ""
        option: qsTr("With how they were made")
        onGiven: text => page.deeds.bundle(text, checked)
    }
}
