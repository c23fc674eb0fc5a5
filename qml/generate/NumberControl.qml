import QtQuick 2.15
import "../controls"
import ".."

// Slider and typed number. What is typed may go beyond the slider's end, up to the parameter's limit.
Item {
    id: control
    property var row
    readonly property Item first: slider
    Slider {
        id: slider
        anchors.left: parent.left
        anchors.right: number.left
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        name: control.row.title
        from: control.row.minimum
        to: control.row.maximum
        step: control.row.step
        snap: control.row.snap
        onChosen: chosenNumber => control.row.commit(String(chosenNumber))
        Binding on value { value: control.row.value }
        onPressedChanged: if (!pressed) value = Qt.binding(() => control.row.value)
    }
    NumberField {
        id: number
        anchors.right: parent.right
        width: 68
        row: control.row
    }
}
