import QtQuick 2.15
import "../controls"
import ".."

// One number of a colour, or its hex text; what is no colour stays and is marked.
Field {
    id: field
    property var ink
    property string part
    property string title
    height: Theme.px(26)
    leftPadding: Theme.u1
    rightPadding: Theme.u1
    text: ink.fields[part]
    font.pixelSize: Theme.small
    Accessible.name: title
    onEditingFinished: {
        wrong = !ink.setField(field.part, text)
        if (!wrong)
            text = Qt.binding(() => ink.fields[field.part])
    }
    Keys.onEscapePressed: event => {
        wrong = false
        text = Qt.binding(() => ink.fields[field.part])
        event.accepted = false
    }
}
