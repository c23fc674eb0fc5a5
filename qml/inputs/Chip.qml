import QtQuick 2.15
import "../controls"
import ".."

// A word on the corner of a card.
Rectangle {
    property alias text: word.text
    property alias glyph: sign.glyph
    property color ink: Theme.text
    height: 18
    width: Math.max(18, (sign.visible ? 14 : 0) + (word.visible ? word.implicitWidth : 0) + 8)
    radius: 4
    color: Theme.raised
    opacity: 0.94
    Row {
        anchors.centerIn: parent
        spacing: 2
        Icon { id: sign; visible: glyph !== ""; size: 12; colour: parent.parent.ink; anchors.verticalCenter: parent.verticalCenter }
        Label { id: word; visible: text !== ""; font.pixelSize: Theme.small - 1; color: parent.parent.ink; anchors.verticalCenter: parent.verticalCenter }
    }
}
