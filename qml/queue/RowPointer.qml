import QtQuick 2.15
import "../controls"
import ".."

// The mouse on a row of the queue: a click chooses, Ctrl and Shift choose more, a drag carries rows that wait, the right button asks for the menu.
MouseArea {
    id: pointer
    required property Item row
    property real start: 0
    property bool moving: false
    hoverEnabled: true
    acceptedButtons: Qt.LeftButton | Qt.RightButton
    preventStealing: row.waits
    cursorShape: moving ? Qt.ClosedHandCursor : Qt.ArrowCursor
    Accessible.role: Accessible.NoRole // the row has name and role
    Accessible.ignored: true
    onPressed: mouse => {
        start = mouse.y
        moving = false
        if (mouse.button === Qt.RightButton) {
            if (!row.selected)
                row.chosen(0)
            row.menuAsked(mouse.x, mouse.y)
        } else if (mouse.modifiers & Qt.ShiftModifier) {
            row.chosen(2)
        } else if (mouse.modifiers & Qt.ControlModifier) {
            row.chosen(1)
        } else if (!row.selected) {
            row.chosen(0)
        }
    }
    onPositionChanged: mouse => {
        if (!(mouse.buttons & Qt.LeftButton) || !row.waits)
            return
        moving = moving || Math.abs(mouse.y - start) > 6
        if (moving)
            row.carried(row.y + mouse.y)
    }
    onReleased: mouse => {
        if (moving)
            row.dropped(row.y + mouse.y)
        else if (mouse.button === Qt.LeftButton && row.selected && !(mouse.modifiers & (Qt.ShiftModifier | Qt.ControlModifier)))
            row.chosen(0)
        moving = false
        row.released()
    }
    onCanceled: { moving = false; row.released() }
    onDoubleClicked: mouse => { if (mouse.button === Qt.LeftButton) row.opened() }
}
