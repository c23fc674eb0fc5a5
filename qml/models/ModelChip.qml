import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// A word that can be clicked.
T.AbstractButton {
    id: chip
    property string hint
    property bool quiet: false
    property real limit: 400
    implicitHeight: Theme.px(26)
    implicitWidth: Math.min(limit, word.implicitWidth)
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.Button
    Accessible.name: text
    Accessible.description: hint
    Accessible.onPressAction: chip.clicked()
    Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : chip.clicked()
    contentItem: Label { id: word; leftPadding: Theme.u2; rightPadding: Theme.u2; text: chip.text; font.pixelSize: Theme.small; color: chip.quiet ? Theme.soft : Theme.text; Accessible.ignored: true }
    background: Rectangle {
        radius: Theme.radius
        color: chip.down ? Theme.pressed : chip.hovered ? Theme.hover : chip.quiet ? "transparent" : Theme.raised
        border.color: Theme.line
        FocusRing { control: chip }
    }
    Hint { visible: chip.hovered && chip.hint !== ""; text: chip.hint }
}
