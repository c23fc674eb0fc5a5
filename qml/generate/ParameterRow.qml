import QtQuick 2.15
import "../controls"
import ".."

// One parameter: its word, its control, and what is wrong with what was typed. The control is chosen by the row's `control`.
FocusScope {
    id: cell
    required property string name
    required property string title
    required property string description
    required property string control
    required property string text
    required property real value
    required property bool isSet
    required property real minimum
    required property real maximum
    required property real step
    required property real snap
    required property string unit
    required property var choices
    required property string problem
    required property string placeholder
    required property string source
    required property bool opensGroup
    readonly property int lift: opensGroup ? 17 : 0
    property Item first: loader.item ? loader.item.first : null
    readonly property int wordWidth: 120
    signal focused(Item item)
    onActiveFocusChanged: if (activeFocus) focused(cell)
    function commit(typed) { return studio.parameters.commit(name, typed) }
    function reset() { studio.parameters.reset(name) }
    implicitHeight: lift + Theme.control + 4 + (complaint.visible ? complaint.implicitHeight + Theme.u1 : 0)

    Rectangle { visible: cell.opensGroup; y: Theme.u2 - 1; width: parent.width; height: 1; color: Theme.line }
    Label {
        id: word
        y: cell.lift
        width: cell.wordWidth
        height: Theme.control
        text: cell.title
        color: cell.isSet ? Theme.text : Theme.soft
        Accessible.ignored: true
        HoverHandler { id: over }
        TapHandler { onDoubleTapped: cell.reset() }
        Hint { visible: over.hovered; text: cell.description + (cell.isSet ? "\nDouble-click to reset." : "") }
    }
    Rectangle {
        visible: cell.isSet
        x: -10
        y: cell.lift + (Theme.control - height) / 2
        width: 4
        height: 4
        radius: 2
        color: Theme.accent
    }
    Loader {
        id: loader
        anchors.left: word.right
        anchors.leftMargin: Theme.u2
        anchors.right: parent.right
        y: cell.lift
        height: Theme.control
        sourceComponent: ({ number: number, seed: seed, choice: choice, bool: toggle, image: picture })[cell.control] || line
    }
    Label {
        id: complaint
        anchors.left: loader.left
        anchors.right: parent.right
        y: cell.lift + Theme.control + 2
        visible: cell.problem !== ""
        text: cell.problem
        color: Theme.error
        font.pixelSize: Theme.small
        wrapMode: Text.Wrap
        Accessible.role: Accessible.AlertMessage
    }
    Component { id: number; NumberControl { row: cell } }
    Component { id: seed; SeedControl { row: cell } }
    Component { id: picture; PictureControl { row: cell } }
    Component {
        id: choice
        Choice {
            readonly property Item first: this
            name: cell.title
            rows: cell.choices
            current: cell.text
            onChosen: value => cell.commit(value)
        }
    }
    Component {
        id: toggle
        Item {
            readonly property Item first: theSwitch
            Toggle { id: theSwitch; name: cell.title; anchors.right: parent.right; anchors.verticalCenter: parent.verticalCenter; checked: cell.text === "true"; onToggled: cell.commit(checked ? "true" : "false") }
        }
    }
    Component {
        id: line
        Field {
            readonly property Item first: this
            Accessible.name: cell.title
            text: cell.text
            wrong: cell.problem !== ""
            onEditingFinished: if (text !== cell.text) cell.commit(text)
        }
    }
}
