import QtQuick 2.15
import QtQuick.Window 2.15
import ".."

// What a control does, shown when the pointer rests on it. Every control has one and hardly one is ever seen, so it is made when it is shown.
Item {
    id: hint
    property string text
    property int delay: 600
    property int timeout: 8000
    property QtObject bubble: null
    // Of the bubble: the place is told in its terms. The item itself takes no room.
    implicitWidth: bubble ? bubble.implicitWidth : 0
    implicitHeight: bubble ? bubble.implicitHeight : 0
    width: 0
    height: 0
    y: parent ? parent.height + Theme.u1 : 0
    x: parent ? Math.round((parent.width - implicitWidth) / 2) : 0
    onVisibleChanged: visible ? show() : hide()
    function show() {
        // The pointer may rest on a control whose window is just coming or going.
        if (Window.window === null)
            return
        if (bubble === null)
            bubble = Qt.createComponent("HintBubble.qml").createObject(parent, { hint: hint, parent: parent })
    }
    function hide() {
        if (bubble !== null)
            bubble.destroy()
        bubble = null
    }
}
