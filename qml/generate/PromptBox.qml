import QtQuick 2.15
import "../controls"
import ".."

// Prompt, negative prompt and the Generate button.
FocusScope {
    id: prompts
    property Item next
    readonly property bool narrow: width < 720
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
        width: Math.round((button.x - 3 * Theme.u3) * 0.62)
        name: "Prompt"
        placeholder: "What do you want to see?"
        text: studio.prompt
        onEdited: studio.prompt = text
    }
    TextBox {
        id: negative
        anchors.left: prompt.right
        anchors.right: button.left
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u3
        name: "Negative prompt"
        placeholder: "What should not be in it?"
        text: studio.negative
        onEdited: studio.negative = text
    }
    GenerateButton {
        id: button
        anchors.right: parent.right
        anchors.top: parent.top
        anchors.margins: Theme.u3
        width: prompts.narrow ? 168 : 208
    }
}
