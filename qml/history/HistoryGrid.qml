import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The pictures found, as a grid of squares that is filled as it is scrolled.
FocusScope {
    id: holder
    property alias view: grid
    property var actions: ({})
    signal openAsked()
    signal menuAsked()
    signal searchAsked()
    readonly property int inRow: Math.max(1, Math.round(grid.width / Math.max(1, studio.history.size)))
    readonly property int page: Math.max(1, Math.floor(grid.height / grid.cellHeight)) * inRow
    function go(row, event) {
        studio.history.pictures.move(row, (event.modifiers & Qt.ControlModifier) !== 0, (event.modifiers & Qt.ShiftModifier) !== 0)
    }
    GridView {
        id: grid
        anchors.fill: parent
        focus: true
        activeFocusOnTab: true
        clip: true
        model: studio.history.pictures
        currentIndex: studio.history.pictures.current
        highlightFollowsCurrentItem: false
        keyNavigationEnabled: false
        boundsBehavior: Flickable.StopAtBounds
        cellWidth: Math.floor(width / holder.inRow)
        cellHeight: cellWidth
        cacheBuffer: 0
        reuseItems: true
        flickDeceleration: 6000
        maximumFlickVelocity: 12000
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Pictures found")
        onCurrentIndexChanged: if (currentIndex >= 0) positionViewAtIndex(currentIndex, GridView.Contain)
        T.ScrollBar.vertical: Scroll { }
        Keys.forwardTo: [scopeKeys]
        ScopeKeys { id: scopeKeys; place: grid; scope: "history grid"; actions: holder.actions }
        Keys.onTabPressed: holder.searchAsked()
        Keys.onPressed: event => {
            var row = Math.max(0, studio.history.pictures.current)
            var steps = ({ [Qt.Key_Left]: -1, [Qt.Key_Right]: 1, [Qt.Key_Up]: -holder.inRow, [Qt.Key_Down]: holder.inRow, [Qt.Key_PageUp]: -holder.page, [Qt.Key_PageDown]: holder.page })
            if (steps[event.key] !== undefined) {
                var first = studio.history.pictures.current < 0
                holder.go(first ? 0 : row + steps[event.key], event)
                event.accepted = true
            } else if (event.key === Qt.Key_Home || event.key === Qt.Key_End) {
                holder.go(event.key === Qt.Key_Home ? 0 : grid.count - 1, event)
                event.accepted = true
            } else if (event.key === Qt.Key_Menu) {
                holder.menuAsked()
                event.accepted = true
            }
        }
        delegate: HistoryCell {
            width: grid.cellWidth
            height: grid.cellHeight
            isCurrent: GridView.isCurrentItem
            hasFocus: grid.activeFocus
            onPressed: mouse => {
                grid.forceActiveFocus(Qt.MouseFocusReason)
                var adds = (mouse.modifiers & Qt.ControlModifier) !== 0, ranges = (mouse.modifiers & Qt.ShiftModifier) !== 0
                if (adds || ranges || !chosen)
                    studio.history.pictures.press(index, adds && mouse.button === Qt.LeftButton, ranges)
            }
            onClicked: mouse => {
                if (mouse.button === Qt.RightButton)
                    holder.menuAsked()
                else if (!(mouse.modifiers & (Qt.ControlModifier | Qt.ShiftModifier)))
                    studio.history.pictures.press(index, false, false)
            }
            onOpened: holder.openAsked()
            onDragged: luggage.go()
        }
    }
    Item {
        id: luggage
        property string files
        Drag.dragType: Drag.Automatic
        Drag.supportedActions: Qt.CopyAction
        Drag.mimeData: ({ "text/uri-list": files })
        function go() {
            files = studio.history.deeds.addresses().join("\r\n")
            if (files !== "")
                Drag.startDrag()
        }
    }
    Connections {
        target: studio.history
        function onSearched() { grid.positionViewAtBeginning() }
    }
}
