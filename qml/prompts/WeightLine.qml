import QtQuick 2.15
import "../controls"
import ".."

// A weight: a slider from -2 to 2 and a number from -10 to 10. Escape in the number asks for the default.
Item {
    id: line
    property string title
    property string name
    property real value: 1
    property bool wide: false
    property bool faint: false
    signal chosen(real number)
    signal resetAsked()
    implicitHeight: Theme.control
    Label { visible: line.wide; width: Theme.px(56); height: parent.height; text: line.title; color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
    Slider {
        id: slider
        x: line.wide ? Theme.px(56) : 0
        width: number.x - Theme.u3 - x
        anchors.verticalCenter: parent.verticalCenter
        opacity: line.faint ? 0.6 : 1
        name: line.name
        from: -2
        to: 2
        step: 0.01
        snap: 0.05
        onChosen: chosenNumber => line.chosen(chosenNumber)
        Binding on value { value: line.value }
        onPressedChanged: if (!pressed) value = Qt.binding(() => line.value)
    }
    Field {
        id: number
        anchors.right: parent.right
        width: Theme.px(60)
        height: Theme.px(28)
        anchors.verticalCenter: parent.verticalCenter
        horizontalAlignment: TextInput.AlignRight
        text: shown(line.value)
        color: line.faint ? Theme.faint : Theme.text
        Accessible.name: line.name
        function shown(value) { return String(Number(value.toFixed(3))) }
        onEditingFinished: {
            var typed = Number(text.replace(",", "."))
            if (text.trim() === "")
                line.resetAsked()
            else if (isFinite(typed) && text !== shown(line.value))
                line.chosen(typed)
            text = Qt.binding(() => shown(line.value))
        }
        Keys.onEscapePressed: line.resetAsked()
    }
}
