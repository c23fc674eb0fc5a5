import QtQuick 2.15
import QtQuick.Window 2.15
import "../controls"
import ".."

// The models: categories and folders at the left, cards in the middle, everything about the chosen one at the right.
FocusScope {
    id: page
    readonly property var models: studio.models
    property bool renaming: false
    // What may be typed into, so that letters are letters there.
    readonly property bool roomy: width >= 900
    function takeFocus() {
        models.visit()
        grid.takeFocus()
    }
    readonly property var does: ({
        model_search: () => search.forceActiveFocus(Qt.ShortcutFocusReason),
        model_search_clear: () => { if (models.query === "") return false; search.clear(); grid.takeFocus() },
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
            clear: () => models.clearPreview(),
            convert: () => models.convert(),
            move: () => mover.open(),
            favourite: () => models.toggleFavourite(),
            rename: () => page.rename(),
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
            { id: "clear", title: qsTr("Clear picture"), icon: "image", enabled: !several && model.preview !== "" },
            { id: "convert", title: qsTr("Convert"), icon: "refresh-cw", enabled: !several && model.kind === "pickle" },
            { id: "rename", title: qsTr("Rename"), icon: "type", shown: studio.keys.shown("model_rename"), enabled: !several },
            { id: "move", title: qsTr("Move"), icon: "folder" },
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
        Item {
            id: bar
            width: parent.width
            height: Theme.px(48)
            Field {
                id: search
                anchors.left: parent.left
                anchors.leftMargin: Theme.u3
                anchors.right: tools.left
                anchors.rightMargin: Theme.u2
                anchors.verticalCenter: parent.verticalCenter
                leftPadding: Theme.px(30)
                placeholderText: qsTr("Search; a semicolon between words means both")
                Accessible.name: qsTr("Search models")
                onTextEdited: wait.restart()
                onAccepted: grid.takeFocus()
                Keys.onEscapePressed: { if (text !== "") { clear(); wait.stop(); page.models.search("") } else grid.takeFocus() }
                Keys.onDownPressed: grid.takeFocus()
                onTextChanged: if (text === "") { wait.stop(); page.models.search("") }
                Icon { x: Theme.u2; anchors.verticalCenter: parent.verticalCenter; glyph: "search" }
                Timer { id: wait; interval: 60; onTriggered: page.models.search(search.text) }
            }
            Row {
                id: tools
                anchors.right: parent.right
                anchors.rightMargin: Theme.u3
                anchors.verticalCenter: parent.verticalCenter
                spacing: Theme.u1
                Choice {
                    width: Theme.px(128)
                    name: qsTr("Order")
                    current: page.models.order
                    rows: [
                        { value: "name", label: qsTr("Name"), note: "", enabled: true, reason: "" },
                        { value: "date", label: qsTr("Newest"), note: "", enabled: true, reason: "" },
                        { value: "size", label: qsTr("Largest"), note: "", enabled: true, reason: "" },
                        { value: "used", label: qsTr("Last used"), note: "", enabled: true, reason: "" }
                    ]
                    onChosen: value => page.models.sort(value)
                }
                Button {
                    quiet: !page.models.compatible
                    visible: page.models.family !== ""
                    glyph: "list-filter"
                    hint: page.models.compatible ? qsTr("Show models of every family too") : qsTr("Hide models that are not for %1").arg(page.models.family)
                    Accessible.name: qsTr("Compatible only")
                    Accessible.checkable: true
                    Accessible.checked: page.models.compatible
                    onClicked: page.models.hideOthers(!page.models.compatible)
                }
                Button {
                    quiet: true
                    glyph: page.models.textOnly ? "layout-grid" : "list"
                    hint: page.models.textOnly ? qsTr("Cards with pictures  (Shift)") : qsTr("Lines of text  (Shift)")
                    onClicked: page.models.toggleText()
                }
            }
        }
        Rectangle { anchors.top: bar.bottom; width: parent.width; height: 1; color: Theme.line }
        ModelGrid {
            id: grid
            focus: true
            anchors.top: bar.bottom
            anchors.topMargin: 1
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
