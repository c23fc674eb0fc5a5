import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The jobs in their order; keys and drags change it.
ListView {
    id: list
    property int carried: -1
    property int goal: -1
    readonly property real step: Theme.px(64)
    signal menuAsked(Item row, real x, real y)
    clip: true
    focus: true
    activeFocusOnTab: true
    boundsBehavior: Flickable.StopAtBounds
    keyNavigationEnabled: false
    currentIndex: -1
    highlightMoveDuration: 0
    reuseItems: true
    cacheBuffer: 256
    model: studio.queue.list
    T.ScrollBar.vertical: Scroll { }
    Accessible.role: Accessible.List
    Accessible.name: qsTr("Jobs")

    function go(distance, how) {
        var row = Math.max(0, Math.min(count - 1, (currentIndex < 0 ? 0 : currentIndex + distance)))
        currentIndex = row
        studio.queue.choose(row, how)
    }
    // The row before which something dropped at `y` goes.
    function rowAt(y) { return Math.max(0, Math.min(count, Math.round(y / step))) }
    onActiveFocusChanged: {
        if (activeFocus && currentIndex < 0 && count > 0)
            go(0, 0)
    }
    Connections {
        target: studio.queue
        function onPickedUp(row) { list.currentIndex = row }
    }
    ScopeKeys {
        id: scopeKeys
        scope: "queue"
        place: list
        actions: {
            var all = {}
            for (const name of ["up", "down", "front", "edit", "hold", "duplicate", "retry", "cancel", "remove", "select_all", "close"])
                all["queue_" + name] = () => studio.act("queue_" + name)
            return all
        }
    }
    Keys.forwardTo: [scopeKeys]
    Keys.onUpPressed: event => go(-1, event.modifiers & Qt.ShiftModifier ? 2 : 0)
    Keys.onDownPressed: event => go(1, event.modifiers & Qt.ShiftModifier ? 2 : 0)
    Keys.onPressed: event => {
        var jumps = ({ [Qt.Key_Home]: -count, [Qt.Key_End]: count, [Qt.Key_PageUp]: -6, [Qt.Key_PageDown]: 6 })
        if (jumps[event.key] !== undefined && !(event.modifiers & Qt.AltModifier)) {
            go(jumps[event.key], event.modifiers & Qt.ShiftModifier ? 2 : 0)
            event.accepted = true
        } else if (event.key === Qt.Key_Menu && currentItem) {
            menuAsked(currentItem, currentItem.width / 2, currentItem.height / 2)
            event.accepted = true
        }
    }
    delegate: QueueRow {
        width: ListView.view.width - Theme.u2
        isCurrent: ListView.isCurrentItem
        hasFocus: ListView.view.activeFocus
        dragged: list.carried === index
        onChosen: how => {
            list.currentIndex = index
            list.forceActiveFocus(Qt.MouseFocusReason)
            studio.queue.choose(index, how)
        }
        onOpened: studio.act("queue_edit")
        onMenuAsked: (x, y) => list.menuAsked(this, x, y)
        onCarried: y => { list.carried = index; list.goal = list.rowAt(y) }
        onDropped: y => studio.queue.drop(index, list.rowAt(y))
        onReleased: { list.carried = -1; list.goal = -1 }
    }
    Rectangle {
        parent: list.contentItem
        visible: list.goal >= 0
        y: list.goal * list.step - 1
        z: 2
        width: list.width - Theme.u2
        height: 2
        radius: 1
        color: Theme.accent
    }
    // A drag that rests at an edge scrolls.
    Timer {
        running: list.carried >= 0
        repeat: true
        interval: 16
        onTriggered: {
            var y = list.goal * list.step - list.contentY
            if (y < list.step / 2)
                list.contentY = Math.max(0, list.contentY - 6)
            else if (y > list.height - list.step / 2)
                list.contentY = Math.max(0, Math.min(list.contentHeight - list.height, list.contentY + 6))
        }
    }
}
