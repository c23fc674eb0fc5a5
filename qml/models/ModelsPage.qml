import QtQuick 2.15
import "../controls"
import ".."

// The models: categories and folders at the left, cards in the middle, everything about the chosen one at the right.
FocusScope {
    id: page
    readonly property var models: studio.models
    function takeFocus() {
        models.visit()
        grid.takeFocus()
    }
    readonly property var does: ({
        model_search: () => bar.takeFocus(),
        model_search_clear: () => { if (models.query === "") return false; bar.clear(); grid.takeFocus() },
        model_activate: () => models.activate(models.currentIndex),
        model_favourite: () => models.toggleFavourite(),
        model_rename: () => page.rename(),
        model_delete: () => models.askDelete(),
        model_all: () => models.chooseAll(),
        model_larger: () => models.zoom(1),
        model_smaller: () => models.zoom(-1),
        model_size_reset: () => models.zoom(0)
    })
    function rename() {
        if (models.currentIndex >= 0)
            grid.rename(models.currentIndex)
    }
    function run(action) {
        var does = {
            use: () => models.activate(models.currentIndex),
            edit: () => editor.open(),
            inspect: () => models.inspect(),
            visit: () => models.visitCurrent(),
            hash: () => models.copyHash(),
            twins: () => models.findDuplicates(),
            picture: () => models.setPreview(studio.outputs.shown.path),
            clear: () => models.clearPreview(),
            vocabulary: () => models.toggleVocabulary(),
            convert: () => models.convert(),
            move: () => mover.open(),
            favourite: () => models.toggleFavourite(),
            rename: () => page.rename(),
            send: () => models.sendCurrent(),
            remove: () => models.askDelete()
        }
        does[action]()
    }
    function menuRows() {
        var model = models.details
        if (!model.path)
            return []
        var several = models.chosenCount > 1
        return [
            { id: "use", title: model.insertable ? qsTr("Insert or take out") : qsTr("Use"), icon: "check", shown: studio.keys.shown("model_activate"), enabled: !several && !model.problem },
            { id: "favourite", title: model.favourite ? qsTr("No favourite") : qsTr("Favourite"), icon: "star", shown: studio.keys.shown("model_favourite") },
            { id: "edit", title: qsTr("Edit"), icon: "pencil", enabled: !several },
            { id: "inspect", title: qsTr("Inspect"), icon: "file-search", enabled: !several && model.kind === "safetensors" },
            { id: "visit", title: qsTr("Show in folder"), icon: "folder-open", enabled: !several },
            { id: "hash", title: qsTr("Copy checksum"), icon: "hash", enabled: !several },
            { id: "twins", title: qsTr("Find duplicates"), icon: "copy", enabled: !several },
            { id: "picture", title: qsTr("Take the shown output as picture"), icon: "image", enabled: !several && (studio.outputs.shown.path || "") !== "" },
            { id: "clear", title: qsTr("Clear picture"), icon: "eraser", enabled: !several && model.preview !== "" },
            model.vocabulary !== undefined && models.category === "wildcards"
                ? { id: "vocabulary", title: model.vocabulary ? qsTr("No vocabulary") : qsTr("Vocabulary"), icon: model.vocabulary ? "check" : "bookmark", enabled: !several }
                : { id: "convert", title: qsTr("Convert"), icon: "refresh-cw", enabled: !several && model.kind === "pickle" },
            { id: "rename", title: qsTr("Rename"), icon: "type", shown: studio.keys.shown("model_rename"), enabled: !several },
            { id: "move", title: qsTr("Move"), icon: "folder" },
            ...(studio.transfers.isRemote ? [{ id: "send", title: qsTr("Send to %1").arg(studio.transfers.machine), icon: "upload", enabled: studio.transfers.refusal === "" && model.kind !== "diffusers" && models.category !== "wildcards" }] : []),
            { id: "remove", title: qsTr("Delete"), icon: "trash-2", shown: studio.keys.shown("model_delete") }
        ]
    }
    Connections {
        target: page.models
        function onImportAsked() { importer.open() }
        function onInspectAsked() { inspector.open() }
        function onShownAt(index) { grid.show(index) }
    }

    Rectangle { anchors.fill: parent; color: Theme.stage }
    ModelSidebar {
        id: sidebar
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        width: Theme.px(196)
    }
    Item {
        id: middle
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        anchors.left: sidebar.right
        anchors.right: pane.left
        ModelsBar { id: bar; width: parent.width; onLeave: grid.takeFocus() }
        Rectangle { anchors.top: bar.bottom; width: parent.width; height: 1; color: Theme.line }
        // The cards are files; those of another machine cannot be looked into from here.
        Item {
            id: whose
            anchors.top: bar.bottom
            anchors.topMargin: 1
            width: parent.width
            height: visible ? words.implicitHeight + 2 * Theme.u2 : 0
            visible: studio.remote.isRemote
            Label {
                id: words
                x: Theme.u4
                y: Theme.u2
                width: parent.width - 2 * Theme.u4
                text: studio.remote.endpoint === "" ? qsTr("These are the files of this computer.")
                    : qsTr("These are the files of this computer. Pictures are made with the models of %1, which the lists beside the picture offer.").arg(studio.remote.name)
                color: Theme.soft
                font.pixelSize: Theme.small
                wrapMode: Text.Wrap
            }
        }
        ModelGrid {
            id: grid
            focus: true
            anchors.top: whose.bottom
            anchors.bottom: ask.top
            width: parent.width
            actions: page.does
            onMenuAsked: (item, x, y) => menu.popup(item, x, y)
        }
        ModelQuestion {
            id: ask
            anchors.bottom: parent.bottom
            width: parent.width
            onDone: grid.takeFocus()
        }
    }
    ModelPane {
        id: pane
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        anchors.right: parent.right
        width: page.models.details.path ? Theme.px(page.width > 1300 ? 340 : 292) : 0
        visible: width > 0
        onEditAsked: editor.open()
        onMenuAsked: item => menu.popup(item, 0, item.height)
    }
    ContextMenu { id: menu; title: qsTr("Model"); rows: page.menuRows; onPicked: action => page.run(action) }
    ModelEditor { id: editor }
    ModelInspector { id: inspector }
    ModelImport { id: importer }
    ModelMover { id: mover }
}
