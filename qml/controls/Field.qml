import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// One line of text.
T.TextField {
    id: field
    property bool wrong: false
    implicitHeight: Theme.control
    implicitWidth: 160
    leftPadding: Theme.u3
    rightPadding: Theme.u3
    color: Theme.text
    placeholderTextColor: Theme.faint
    selectionColor: Theme.accent
    selectedTextColor: Theme.accentInk
    selectByMouse: true
    activeFocusOnTab: true
    verticalAlignment: TextInput.AlignVCenter
    font.family: Theme.family
    font.pixelSize: Theme.body
    Accessible.role: Accessible.EditableText
    Label {
        x: field.leftPadding
        width: field.width - field.leftPadding - field.rightPadding
        height: field.height
        visible: field.text === "" && field.preeditText === ""
        text: field.placeholderText
        color: Theme.faint
        horizontalAlignment: field.horizontalAlignment
        Accessible.ignored: true
    }
    background: Rectangle {
        radius: Theme.radius
        color: Theme.field
        border.color: field.wrong ? Theme.error : field.activeFocus ? Theme.accent : field.hovered ? Theme.edge : Theme.line
        border.width: field.wrong || field.activeFocus ? 2 : 1
    }
}
