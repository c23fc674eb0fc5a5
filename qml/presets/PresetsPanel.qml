import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import "../prompts"
import ".."

// Named sets of values: a click takes one; its menu updates, renames, shares or deletes it. Saving ticks what the preset sets.
ToolPanel {
    id: panel
    readonly property var presets: studio.presets
    property bool saving: false
    property string renaming: ""
    property string words: ""
    readonly property var found: presets.rows.filter(row => (row.name + " " + row.words).toLowerCase().indexOf(words.toLowerCase()) >= 0)
    title: saving ? qsTr("Save a preset") : qsTr("Presets")
    filtered: !saving
    filterName: qsTr("Search presets")
    isEmpty: !saving && found.length === 0
    empty: presets.rows.length ? qsTr("No preset is called so.") : qsTr("A preset keeps any of your values under a name. Set some parameters, then press Save.")
    onFilterTyped: typed => words = typed
    search.onAccepted: if (found.length > 0) take(found[0].name)
    onAboutToShow: presets.refresh()
    onClosed: { saving = false; renaming = "" }
    function openToTake() { search.text = ""; words = ""; saving = false; open() }
    function openToSave() { saving = true; open(); form.start("") }
    function take(name) { presets.take(name); close() }

    ListView {
        id: list
        visible: !panel.saving
        anchors.fill: parent
        clip: true
        spacing: 2
        boundsBehavior: Flickable.StopAtBounds
        model: panel.opened && !panel.saving ? panel.found : []
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: panel.title
        delegate: ListRow {
            id: row
            width: list.width - Theme.u3
            title: modelData.name
            lines: 1
            line: modelData.words
            note: modelData.atStart ? qsTr("at the start") : ""
            onClicked: panel.take(modelData.name)
            Keys.onMenuPressed: menu.popup(row, Theme.u4, row.height)
            Button { id: more; quiet: true; glyph: "ellipsis"; hint: qsTr("More for '%1'").arg(modelData.name); onClicked: menu.popup(more, 0, more.height) }
            ContextMenu {
                id: menu
                title: modelData.name
                rows: () => [
                    { id: "update", title: qsTr("Give it the values of now"), icon: "save" },
                    { id: "rename", title: qsTr("Rename"), icon: "pencil" },
                    { id: "start", title: modelData.atStart ? qsTr("Not at the start") : qsTr("Take it at every start"), icon: "star" },
                    { id: "delete", title: qsTr("Delete"), icon: "trash-2" }
                ]
                onPicked: action => panel.act(action, modelData.name)
            }
        }
    }
    function act(action, name) {
        if (action === "update")
            presets.update(name)
        else if (action === "rename")
            rename.start(name)
        else if (action === "start")
            presets.takeAtStart(name)
        else
            presets.remove(name)
    }
    PresetForm { id: form; visible: panel.saving; anchors.fill: parent; onDone: panel.saving = false }
    extra: [
        Button {
            visible: !panel.saving
            quiet: true
            text: qsTr("Show the files")
            glyph: "folder-open"
            hint: qsTr("Each preset is a file that can be given to others; a file dropped here becomes a preset")
            onClicked: panel.presets.showFiles()
        },
        Item { width: Theme.u2; height: 1 },
        Button {
            primary: true
            glyph: "save"
            text: qsTr("Save")
            hint: panel.saving ? "" : qsTr("Save what is set now under a name")
            onClicked: panel.saving ? form.save() : panel.openToSave()
        }
    ]
    PresetName { id: rename }
    DropArea {
        anchors.fill: parent
        keys: ["text/uri-list"]
        onDropped: drop => { drop.urls.forEach(url => panel.presets.importFrom(url)); drop.accept(Qt.CopyAction) }
    }
}
