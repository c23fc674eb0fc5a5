import QtQuick 2.15
import ".."

// A line between two parts that can be dragged, or moved with the arrow keys.
Item {
    id: divider
    property bool vertical: false
    property string name
    signal moved(real distance)
    signal dropped()
    width: 8
    height: 8
    activeFocusOnTab: true
    Accessible.role: Accessible.Splitter
    Accessible.name: name
    Keys.onPressed: event => {
        var distance = ({ [vertical ? Qt.Key_Left : Qt.Key_Up]: -16, [vertical ? Qt.Key_Right : Qt.Key_Down]: 16 })[event.key]
        if (distance !== undefined) {
            moved(distance)
            dropped()
            event.accepted = true
        }
    }
    Rectangle {
        anchors.centerIn: parent
        width: divider.vertical ? 2 : parent.width
        height: divider.vertical ? parent.height : 2
        color: divider.activeFocus || area.pressed ? Theme.accent : Theme.edge
        visible: divider.activeFocus || area.containsMouse || area.pressed
    }
    MouseArea {
        id: area
        property real last: 0
        anchors.fill: parent
        hoverEnabled: true
        cursorShape: divider.vertical ? Qt.SplitHCursor : Qt.SplitVCursor
        Accessible.ignored: true
        function along(mouse) { var point = mapToItem(null, mouse.x, mouse.y); return divider.vertical ? point.x : point.y }
        onPressed: mouse => last = along(mouse)
        onPositionChanged: mouse => {
            if (pressed) {
                var now = along(mouse)
                divider.moved(now - last)
                last = now
            }
        }
        onReleased: divider.dropped()
    }
}
