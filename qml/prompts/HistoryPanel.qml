import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The prompts of earlier jobs, newest first; Enter or a click puts a pair into the boxes.
ToolPanel {
    id: panel
    readonly property var history: studio.prompts.history
    title: qsTr("Prompt history")
    filterName: qsTr("Search prompts")
    isEmpty: rows.count === 0
    empty: history.count ? qsTr("No prompt holds these words.") : qsTr("The prompts of your pictures are kept here. Alt+Up brings the last one back.")
    onFilterTyped: words => history.words = words
    onAboutToShow: { search.text = ""; history.words = "" }
    search.onAccepted: if (rows.count > 0) use(history.rows[0])
    function use(past) {
        history.use(past.prompt, past.negative)
        close()
    }
    ListView {
        id: rows
        anchors.fill: parent
        clip: true
        spacing: 2
        boundsBehavior: Flickable.StopAtBounds
        model: panel.opened ? panel.history.rows : []
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: panel.title
        delegate: ListRow {
            width: rows.width - Theme.u3
            title: modelData.prompt || qsTr("(no prompt)")
            lines: 2
            line: modelData.negative ? "− " + modelData.negative.replace(/\s+/g, " ") : ""
            note: modelData.when > 0 ? new Date(modelData.when).toLocaleDateString(Qt.locale(), Locale.ShortFormat) : ""
            onClicked: panel.use(modelData)
        }
    }
}
