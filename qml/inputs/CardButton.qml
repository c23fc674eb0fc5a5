import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// A small button on a card; the keyboard reaches the same through the card's own keys.
T.Button {
    id: button
    property string glyph
    property string hint
    height: 20
    width: Math.max(20, 20 + (text ? word.implicitWidth + 6 : 0))
    focusPolicy: Qt.NoFocus
    Accessible.role: Accessible.Button
    Accessible.name: hint || text
    contentItem: Item {
        Icon { x: 4; anchors.verticalCenter: parent.verticalCenter; glyph: button.glyph; size: 12; colour: Theme.text }
        Label { id: word; x: 20; visible: text !== ""; height: parent.height; text: button.text; font.pixelSize: Theme.small - 1; Accessible.ignored: true }
    }
    background: Rectangle { radius: 4; color: button.hovered ? Theme.hover : Theme.raised; opacity: 0.94 }
    Hint { visible: button.hovered && button.hint !== ""; text: button.hint }
}
