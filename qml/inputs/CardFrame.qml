import QtQuick 2.15
import "../controls"
import ".."

// The part of a card's picture that is taken, and what of it is repainted. The picture itself is never scaled again: pan and zoom move it.
Item {
    id: frame
    property var card
    readonly property real room: width / Math.max(1, height)
    clip: true
    Rectangle { anchors.fill: parent; color: Theme.stage; radius: Theme.radius }
    Item {
        id: view
        anchors.centerIn: parent
        width: Math.round(frame.room > frame.card.aspect ? frame.height * frame.card.aspect : frame.width)
        height: Math.round(frame.room > frame.card.aspect ? frame.height : frame.width / frame.card.aspect)
        clip: true
        visible: frame.card.face !== ""
        opacity: !frame.card.acts ? 0.35 : frame.card.borrowed ? 0.5 : 1
        Image {
            width: view.width / frame.card.boxWidth
            height: view.height / frame.card.boxHeight
            x: -frame.card.boxX * width
            y: -frame.card.boxY * height
            source: frame.card.face
            asynchronous: true
            cache: false
            mipmap: true
            fillMode: Image.Stretch
            Accessible.ignored: true
        }
        Rectangle {
            // What is painted when only the masked part is.
            readonly property var box: frame.card.extent
            visible: box.length === 4
            x: visible ? Math.round(box[0] * view.width) : 0
            y: visible ? Math.round(box[1] * view.height) : 0
            width: visible ? Math.round(box[2] * view.width) : 0
            height: visible ? Math.round(box[3] * view.height) : 0
            color: "transparent"
            border.width: 2
            border.color: frame.card.extentWords !== "" ? Theme.warning : Theme.accent
        }
    }
    Icon { anchors.centerIn: parent; visible: frame.card.face === "" && !frame.card.busy; glyph: frame.card.glyph; size: 24; colour: Theme.edge }
    Spinner { anchors.centerIn: parent; visible: frame.card.busy; running: visible }
}
