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
    property Item first: loader.item ? loader.item.first : null
    readonly property int wordWidth: 120
    property var form: studio.parameters
    signal focused(Item item)
    onActiveFocusChanged: if (activeFocus) focused(cell)
    function commit(typed) { return form.commit(name, typed) }
    function reset() { form.reset(name) }
    readonly property bool tall: control === "lines"
    implicitHeight: loader.height + 4 + (complaint.visible ? complaint.implicitHeight + Theme.u1 : 0)

    Label {
        id: word
        y: 0
        width: cell.wordWidth
        height: Theme.control
        text: cell.title
        color: cell.isSet ? Theme.text : Theme.soft
        Accessible.ignored: true
        HoverHandler { id: over }
        TapHandler { onDoubleTapped: cell.reset() }
        TapHandler { acceptedButtons: Qt.RightButton; onTapped: menu.popup() }
        Hint { visible: over.hovered; text: cell.description + (cell.isSet ? "\n" + qsTr("Double-click to reset.") : "") }
    }
    Rectangle {
        visible: cell.isSet
        x: -10
        y: (Theme.control - height) / 2
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
        y: 0
        height: cell.tall ? 3 * Theme.control : Theme.control
        sourceComponent: ({ number: number, seed: seed, choice: choice, bool: toggle, image: picture, lines: lines })[cell.control] || line
    }
    Label {
        id: complaint
        anchors.left: loader.left
        anchors.right: parent.right
        y: loader.height + 2
        visible: cell.problem !== ""
        text: cell.problem
        color: Theme.error
        font.pixelSize: Theme.small
        wrapMode: Text.Wrap
        Accessible.role: Accessible.AlertMessage
    }
    ContextMenu {
        id: menu
        readonly property bool pinned: studio.sections.pinnedRows.indexOf(cell.name) >= 0
        title: cell.title
        rows: () => [
            { id: "reset", title: qsTr("Reset"), icon: "rotate-ccw", enabled: cell.isSet },
            { id: "copy", title: qsTr("Copy value"), icon: "copy" },
            { id: "grid", title: qsTr("Use as grid axis"), icon: "layout-grid", enabled: studio.grid.canBeAxis(cell.name) },
            { id: "pin", title: pinned ? qsTr("Back into its section") : qsTr("Pin to the top"), icon: pinned ? "pin-off" : "pin" },
            { id: "hide", title: qsTr("Hide this row"), icon: "eye-off" }
        ].filter(row => cell.form === studio.parameters || row.id === "reset" || row.id === "copy")
        onPicked: action => {
            if (action === "reset")
                cell.reset()
            else if (action === "copy")
                cell.form.copy(cell.name)
            else if (action === "grid")
                studio.grid.useAsAxis(cell.name)
            else if (action === "pin")
                studio.sections.pinRow(cell.name)
            else
                studio.sections.hideRow(cell.name)
        }
    }
    Keys.onMenuPressed: menu.popup(word, 0, word.height)
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
        id: lines
        TextBox {
            readonly property Item first: area
            name: cell.title
            placeholder: qsTr("One to a line")
            text: cell.text
            onEdited: if (text !== cell.text) cell.commit(text)
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
