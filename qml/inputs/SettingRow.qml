import QtQuick 2.15
import "../controls"
import "../generate"
import ".."

// One setting of a card; `row` is replaced as a whole when something of it changed.
Item {
    id: cell
    property string cardId
    property var given: ({})
    readonly property Item first: loader.item ? loader.item.first : null
    implicitHeight: Theme.control + 4 + (complaint.visible ? complaint.implicitHeight + Theme.u1 : 0)
    QtObject {
        id: held
        readonly property string title: cell.given.title
        readonly property string description: cell.given.description
        readonly property string text: cell.given.text
        readonly property real value: cell.given.value
        readonly property real minimum: cell.given.minimum
        readonly property real maximum: cell.given.maximum
        readonly property real step: cell.given.step
        readonly property real snap: cell.given.snap
        readonly property string unit: cell.given.unit
        readonly property string placeholder: cell.given.placeholder
        readonly property string problem: cell.given.problem
        readonly property bool isSet: cell.given.isSet
        readonly property bool follows: false
        function commit(typed) { return studio.inputs.set(cell.cardId, cell.given.name, typed) }
        function reset() { studio.inputs.set(cell.cardId, cell.given.name, "") }
    }
    Label {
        id: word
        width: 104
        height: Theme.control
        text: held.title
        color: held.isSet ? Theme.text : Theme.soft
        Accessible.ignored: true
        HoverHandler { id: over }
        TapHandler { onDoubleTapped: held.reset() }
        Hint { visible: over.hovered; text: held.description }
    }
    Loader {
        id: loader
        anchors.left: word.right
        anchors.leftMargin: Theme.u2
        anchors.right: parent.right
        height: Theme.control
        sourceComponent: ({ number: number, choice: choice, bool: toggle })[cell.given.control] || line
    }
    Label {
        id: complaint
        anchors.left: loader.left
        anchors.right: parent.right
        y: Theme.control + 2
        visible: held.problem !== ""
        text: held.problem
        color: Theme.error
        font.pixelSize: Theme.small
        wrapMode: Text.Wrap
        Accessible.role: Accessible.AlertMessage
    }
    Component { id: number; NumberControl { row: held } }
    Component {
        id: choice
        Choice { readonly property Item first: this; name: held.title; rows: cell.given.choices; current: held.text; onChosen: value => held.commit(value) }
    }
    Component {
        id: toggle
        Item {
            readonly property Item first: theSwitch
            Toggle { id: theSwitch; name: held.title; anchors.right: parent.right; anchors.verticalCenter: parent.verticalCenter; checked: held.text === "true"; onToggled: held.commit(checked ? "true" : "false") }
        }
    }
    Component {
        id: line
        Field { readonly property Item first: this; Accessible.name: held.title; text: held.text; onEditingFinished: if (text !== held.text) held.commit(text) }
    }
}
