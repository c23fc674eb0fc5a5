import QtQuick 2.15
import "../controls"
import ".."

// Prompt and negative prompt; on the right there is room for the Generate button. Along the lower edge: tools, styles, what is doubtful, tokens.
FocusScope {
    id: prompts
    property real buttonWidth: 208
    property bool negativeShown: studio.recall("negativePrompt", true)
    readonly property real room: width - buttonWidth - 4 * Theme.u3
    readonly property int edge: Theme.px(28)
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Prompts")
    function focusPrompt() { prompt.area.forceActiveFocus(Qt.OtherFocusReason) }
    Rectangle { anchors.fill: parent; color: Theme.panel }
    Binding {
        target: palette
        property: "language"
        value: ({
            comment: Theme.faint, network: Theme.wordNetwork, wildcard: Theme.wordWildcard, variable: Theme.wordWildcard, choice: Theme.wordWildcard,
            keyword: Theme.accent, escape: Theme.faint, embedding: Theme.wordEmbedding, doubt: Theme.warning, missing: Theme.error,
            depth0: Theme.wordDepths[0], depth1: Theme.wordDepths[1], depth2: Theme.wordDepths[2], depth3: Theme.wordDepths[3]
        })
    }
    QtObject {
        id: palette
        property var language: ({})
        onLanguageChanged: studio.prompts.colour(language)
    }
    Connections {
        target: studio
        function onChanged() { prompts.negativeShown = studio.recall("negativePrompt", true) }
        function onViewAsked(action) {
            var tools = { prompt_styles: styles, prompt_history: history, prompt_wildcards: wildcards, prompt_expand: ahead }
            if (tools[action])
                tools[action].load()
            if (action === "negative_prompt")
                studio.remember("negativePrompt", !studio.recall("negativePrompt", true))
        }
    }
    PromptEditor {
        id: prompt
        focus: true
        anchors.left: parent.left
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u3
        width: prompts.negativeShown ? Math.round(prompts.room * 0.62) : prompts.room
        footer: prompts.edge
        name: qsTr("Prompt")
        placeholder: qsTr("What do you want to see?")
        box: studio.prompts.positiveBox
        completion: studio.prompts.positiveCompletion
        other: prompts.negativeShown ? negative.area : null
    }
    PromptEditor {
        id: negative
        visible: prompts.negativeShown
        anchors.left: prompt.right
        width: prompts.room - prompt.width
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u3
        footer: prompts.edge
        name: qsTr("Negative prompt")
        placeholder: qsTr("What should not be in it?")
        box: studio.prompts.negativeBox
        completion: studio.prompts.negativeCompletion
    }
    PromptEdge {
        id: edgeRow
        x: prompt.x + Theme.u1
        y: prompt.y + prompt.height - height - 2
        width: prompt.width - Theme.u2
        height: prompts.edge - 2
        box: studio.prompts.positiveBox
        tools: true
        negativeHidden: !prompts.negativeShown && studio.prompts.negative !== ""
        onDoubtAsked: place => { prompt.area.forceActiveFocus(Qt.OtherFocusReason); prompt.area.cursorPosition = place }
    }
    PromptEdge {
        visible: prompts.negativeShown
        x: negative.x + Theme.u1
        y: edgeRow.y
        width: negative.width - Theme.u2
        height: edgeRow.height
        box: studio.prompts.negativeBox
        onDoubtAsked: place => { negative.area.forceActiveFocus(Qt.OtherFocusReason); negative.area.cursorPosition = place }
    }
    component Tool: Loader {
        function load() {
            active = true
            item.open()
        }
        active: false
    }
    Tool { id: styles; source: "StylesPanel.qml" }
    Tool { id: history; source: "HistoryPanel.qml" }
    Tool { id: wildcards; source: "WildcardsPanel.qml" }
    Tool { id: ahead; source: "AheadPanel.qml" }
}
