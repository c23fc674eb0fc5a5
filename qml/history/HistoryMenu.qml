import QtQuick 2.15
import "../controls"
import ".."

// What can be done with the chosen pictures: the page's own actions, and those that have no key.
ContextMenu {
    id: menu
    property var pictures
    property var deeds
    property var dialogs
    signal shared(string action)
    title: qsTr("Pictures")
    rows: offered
    onPicked: action => menuDoing[action] ? menuDoing[action]() : shared(action)
    readonly property var menuDoing: ({
        use_input: () => menu.send(["image"]),
        bulk_input: () => menu.send(["bulk"]),
        open_outside: () => deeds.open(studio.history.details.shown.path),
        visit_folder: () => deeds.visit(studio.history.details.shown.path),
        copy_to: () => dialogs.folder(false),
        move_to: () => dialogs.folder(true),
        copy_favourites: () => deeds.copyTo(deeds.favouritesFolder()),
        bundle: () => dialogs.bundle()
    })
    function send(how) {
        var paths = deeds.paths()
        if (how[0] === "bulk")
            studio.inputs.takeFiles(paths, "image", -1, "")
        else
            paths.slice(0, 8).forEach(path => studio.inputs.add(path, "image"))
        studio.show("generate")
    }
    function offered() {
        var one = menu.pictures.chosenCount === 1
        var rows = [{ id: "history_open", title: qsTr("Open in full view"), icon: "maximize-2" }]
        if (studio.importer)
            rows.push({ id: "history_import", title: qsTr("Import settings"), icon: "file-input" })
        if (studio.inputs) {
            rows.push({ id: "use_input", title: qsTr("Use as input"), icon: "image" })
            if (!one)
                rows.push({ id: "bulk_input", title: qsTr("Send as bulk input"), icon: "images" })
        }
        if (menu.pictures.chosenCount > 1 && menu.pictures.chosenCount <= 8)
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
}
