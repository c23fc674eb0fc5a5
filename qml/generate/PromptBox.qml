import QtQuick 2.15
import "../controls"
import ".."

// Prompt and negative prompt; on the right there is room for the Generate button.
FocusScope {
    id: prompts
    property real buttonWidth: 208
    readonly property real room: width - buttonWidth - 4 * Theme.u3
    Accessible.role: Accessible.Pane
    Accessible.name: "Prompts"
    function focusPrompt() { prompt.area.forceActiveFocus(Qt.OtherFocusReason) }
    Rectangle { anchors.fill: parent; color: Theme.panel }
    TextBox {
        id: prompt
        focus: true
        anchors.left: parent.left
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u3
        width: Math.round(prompts.room * 0.62)
        name: "Prompt"
        placeholder: "What do you want to see?"
        text: studio.prompts.text
        onEdited: studio.prompts.text = text
    }
    TextBox {
        id: negative
        anchors.left: prompt.right
        width: prompts.room - prompt.width
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u3
        name: "Negative prompt"
        placeholder: "What should not be in it?"
        text: studio.prompts.negative
        onEdited: studio.prompts.negative = text
    }
}
