import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The wildcard files: insert one, mark it as vocabulary, edit its lines, make and delete files.
ToolPanel {
    id: panel
    readonly property var shelf: studio.prompts.wildcards
    property string problem
    title: qsTr("Wildcards")
    filterName: qsTr("Search, or the name of a new file")
    onFilterTyped: words => { shelf.words = words; problem = "" }
    onAboutToShow: { search.text = ""; shelf.words = "" }
    onClosed: shelf.save(lines.text)
    search.onAccepted: create()
    function create() {
        if (search.text.trim() === "")
            return
        problem = shelf.create(search.text)
        if (problem === "") {
            search.text = ""
            shelf.words = ""
        }
    }
    Connections {
        target: panel.shelf
        function onOpened() { lines.text = panel.shelf.lines }
    }
    ListView {
        id: rows
        width: Math.round(parent.width * 0.5)
        height: parent.height - below.height - Theme.u2
        clip: true
        spacing: 2
        boundsBehavior: Flickable.StopAtBounds
        model: panel.opened ? panel.shelf.rows : []
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: panel.title
        delegate: ListRow {
            width: rows.width - Theme.u3
            title: modelData.name
            chosen: modelData.name === panel.shelf.name
            onClicked: { panel.shelf.save(lines.text); panel.shelf.open(modelData.name) }
            Button {
                quiet: true
                glyph: "list-filter"
                implicitWidth: Theme.px(28)
                implicitHeight: Theme.px(28)
                tinted: modelData.vocabulary
                hint: modelData.vocabulary ? qsTr("Vocabulary: its lines are suggested. Press to end that.") : qsTr("Suggest its lines while typing")
                Accessible.name: qsTr("Vocabulary %1").arg(modelData.name)
                onClicked: panel.shelf.toggleVocabulary(modelData.name)
            }
            Button {
                quiet: true
                glyph: "plus"
                implicitWidth: Theme.px(28)
                implicitHeight: Theme.px(28)
                hint: qsTr("Insert into the prompt, or take out")
                Accessible.name: qsTr("Insert %1").arg(modelData.name)
                onClicked: panel.shelf.insert(modelData.name)
            }
        }
    }
    Label {
        visible: rows.count === 0
        width: rows.width
        topPadding: Theme.u6
        wrapMode: Text.Wrap
        color: Theme.soft
        text: panel.shelf.count ? qsTr("No file has this name. Enter makes one.") : qsTr("There is no wildcard yet: type a name above and press Enter, or put text files into the folder wildcards of the data folder.")
    }
    Column {
        id: below
        anchors.bottom: parent.bottom
        width: rows.width
        spacing: Theme.u1
        Label { width: parent.width; visible: panel.problem !== ""; wrapMode: Text.Wrap; color: Theme.error; font.pixelSize: Theme.small; text: panel.problem }
        Button { glyph: "plus"; text: qsTr("New file"); enabled: panel.search.text.trim() !== ""; onClicked: panel.create() }
    }
    TextBox {
        id: lines
        anchors.right: parent.right
        width: parent.width - rows.width - Theme.u4
        height: parent.height - Theme.control - Theme.u2
        enabled: panel.shelf.name !== ""
        opacity: enabled ? 1 : 0.5
        name: qsTr("Lines of %1").arg(panel.shelf.name)
        placeholder: panel.shelf.name ? qsTr("One option a line; 2::text is twice as likely") : qsTr("Choose a file to see and edit its lines")
    }
    Row {
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        spacing: Theme.u2
        visible: panel.shelf.name !== ""
        Button { quiet: true; glyph: "trash-2"; hint: qsTr("Move to the trash"); onClicked: panel.shelf.throwAway(panel.shelf.name) }
        Button { glyph: "save"; text: qsTr("Save lines"); enabled: lines.text !== panel.shelf.lines; onClicked: panel.shelf.save(lines.text) }
    }
}
