import QtQuick 2.15
import "../controls"
import ".."

// A typed number: Enter or leaving the field commits it, empty or Esc restores the default, a refused one stays to be mended.
Field {
    id: field
    property var row
    horizontalAlignment: TextInput.AlignRight
    text: row.text
    color: row.isSet ? Theme.text : Theme.soft
    wrong: row.problem !== ""
    placeholderText: row.placeholder ? "auto" : ""
    inputMethodHints: Qt.ImhFormattedNumbersOnly
    Accessible.name: row.title + (row.unit ? " in " + row.unit : "")
    Accessible.description: row.description

    function commit() {
        if (text !== row.text || wrong)
            row.commit(text)
    }
    onEditingFinished: commit()
    onActiveFocusChanged: activeFocus ? selectAll() : deselect()
    Keys.onEscapePressed: {
        row.reset()
        text = Qt.binding(() => row.text)
    }
    Connections {
        target: field.row
        // A value taken, also one that was taken in another spelling, is shown as the form holds it.
        function onProblemChanged() { if (field.row.problem === "") field.text = Qt.binding(() => field.row.text) }
        function onTextChanged() { field.text = Qt.binding(() => field.row.text) }
    }
}
