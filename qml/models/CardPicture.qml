import QtQuick 2.15
import "../controls"
import ".."

// The picture of a card with its marks: what kind of network it is, whether it is in use, and why it cannot be.
Item {
    id: picture
    property var card
    Rectangle { anchors.fill: parent; radius: Theme.radius - 2; color: Theme.stage }
    Shot { anchors.fill: parent; visible: picture.card.preview !== ""; path: picture.card.flat ? "" : picture.card.preview; description: picture.card.name }
    Column {
        anchors.centerIn: parent
        visible: picture.card.preview === ""
        width: parent.width - 2 * Theme.u3
        spacing: Theme.u1
        Icon { anchors.horizontalCenter: parent.horizontalCenter; glyph: picture.card.problem !== "" ? "triangle-alert" : "image"; size: 24; colour: picture.card.problem !== "" ? Theme.warning : Theme.edge }
        Label {
            width: parent.width
            visible: picture.card.problem !== "" && picture.height > Theme.px(120)
            text: picture.card.problem
            color: Theme.soft
            font.pixelSize: Theme.small
            wrapMode: Text.Wrap
            maximumLineCount: 4
            horizontalAlignment: Text.AlignHCenter
            Accessible.ignored: true
        }
    }
    Rectangle {
        visible: picture.card.badge !== "" && !picture.card.renaming
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u1
        width: Math.min(parent.width - 2 * Theme.u1, mark.implicitWidth + 2 * Theme.u2)
        height: Theme.px(20)
        radius: 4
        color: Theme.raised
        opacity: 0.94
        Label { id: mark; anchors.fill: parent; anchors.leftMargin: Theme.u2; anchors.rightMargin: Theme.u2; text: picture.card.badge; font.pixelSize: Theme.small; color: picture.card.problem !== "" ? Theme.warning : Theme.soft; Accessible.ignored: true }
    }
    Rectangle {
        visible: picture.card.active
        x: Theme.u1
        y: Theme.u1
        width: Theme.px(22)
        height: width
        radius: width / 2
        color: Theme.accent
        Icon { anchors.centerIn: parent; glyph: "check"; colour: Theme.accentInk; size: 14 }
    }
}
