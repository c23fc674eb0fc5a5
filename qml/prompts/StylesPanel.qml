import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The styles: a list to choose from, and the chosen row's texts to edit.
ToolPanel {
    id: panel
    readonly property var styles: studio.prompts.styles
    property string words
    property string edited
    readonly property var shown: styles.rows.filter(row => (row.name + "\n" + row.prompt + "\n" + row.negative).toLowerCase().includes(words.toLowerCase()))
    title: qsTr("Styles")
    filterName: qsTr("Search styles")
    onFilterTyped: typed => words = typed
    function edit(row) {
        edited = row.name
        form.load(row)
    }
    ListView {
        id: rows
        width: Math.round(parent.width * 0.42)
        height: parent.height - add.height - Theme.u2
        clip: true
        spacing: 2
        boundsBehavior: Flickable.StopAtBounds
        model: panel.opened ? panel.shown : []
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: panel.title
        delegate: ListRow {
            width: rows.width - Theme.u3
            title: modelData.name
            line: (modelData.prompt || modelData.negative).replace(/\s+/g, " ")
            chosen: modelData.name === panel.edited
            onClicked: panel.edit(modelData)
            onDoubleClicked: panel.styles.toggle(modelData.name)
            Toggle {
                anchors.verticalCenter: parent.verticalCenter
                name: qsTr("Use style %1").arg(modelData.name)
                checked: modelData.chosen
                onToggled: panel.styles.toggle(modelData.name)
            }
        }
    }
    Label {
        visible: rows.count === 0
        width: rows.width
        topPadding: Theme.u6
        wrapMode: Text.Wrap
        color: Theme.soft
        text: panel.styles.rows.length ? qsTr("No style holds these words.") : qsTr("There is no style yet. Write one on the right, or put a styles.csv into the data folder.")
    }
    Button {
        id: add
        anchors.bottom: parent.bottom
        glyph: "plus"
        text: qsTr("New style")
        onClicked: panel.edit({ name: "", prompt: "", negative: "", notes: "" })
    }
    StyleForm {
        id: form
        anchors.right: parent.right
        width: parent.width - rows.width - Theme.u4
        height: parent.height
        onSaved: name => panel.edited = name
    }
}
