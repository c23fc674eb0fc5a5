import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The cards. Only those in view exist. Files may be dropped: a model is imported, a picture becomes the picture of the card it falls on.
FocusScope {
    id: grid
    property var actions: ({})
    readonly property var models: studio.models
    signal menuAsked(Item item, real x, real y)
    function takeFocus() { view.forceActiveFocus(Qt.OtherFocusReason) }
    function show(index) { view.positionViewAtIndex(index, GridView.Contain); view.currentIndex = index }
    function rename(index) {
        view.positionViewAtIndex(index, GridView.Contain)
        if (view.itemAtIndex(index))
            view.itemAtIndex(index).rename()
    }
    GridView {
        id: view
        readonly property int columns: grid.models.textOnly ? Math.max(1, Math.floor(width / Theme.px(420))) : Math.max(1, Math.round(width / (grid.models.cardSize + Theme.u2)))
        property bool shiftAlone: false
        focus: true
        activeFocusOnTab: true
        anchors.fill: parent
        anchors.leftMargin: Theme.u3
        anchors.rightMargin: Theme.u1
        anchors.topMargin: Theme.u2
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        model: grid.models.shelf
        cellWidth: Math.floor((width - Theme.u2) / columns)
        cellHeight: grid.models.textOnly ? Theme.px(44) : Math.round(cellWidth * 1.06) + Theme.px(22)
        cacheBuffer: 400
        currentIndex: -1
        keyNavigationEnabled: false
        highlightMoveDuration: 0
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Models")
        T.ScrollBar.vertical: Scroll { }
        Connections {
            target: grid.models
            function onPicked() { if (view.currentIndex !== grid.models.currentIndex) view.currentIndex = grid.models.currentIndex }
        }
        function walk(to, modifiers) {
            if (count === 0)
                return
            var index = Math.max(0, Math.min(count - 1, to))
            grid.models.choose(index, (modifiers & Qt.ControlModifier) !== 0, (modifiers & Qt.ShiftModifier) !== 0)
            positionViewAtIndex(index, GridView.Contain)
        }
        ScopeKeys { id: keys; scope: "models"; place: view; actions: grid.actions }
        Keys.forwardTo: [keys]
        Keys.onPressed: event => {
            shiftAlone = event.key === Qt.Key_Shift && !event.isAutoRepeat
            var rows = Math.max(1, Math.floor(height / cellHeight))
            var steps = { [Qt.Key_Left]: -1, [Qt.Key_Right]: 1, [Qt.Key_Up]: -columns, [Qt.Key_Down]: columns, [Qt.Key_PageUp]: -columns * rows, [Qt.Key_PageDown]: columns * rows }
            if (event.key === Qt.Key_Home)
                walk(0, event.modifiers)
            else if (event.key === Qt.Key_End)
                walk(count - 1, event.modifiers)
            else if (steps[event.key] !== undefined)
                walk(currentIndex < 0 ? 0 : currentIndex + steps[event.key], event.modifiers)
            else if (event.key === Qt.Key_Menu && currentIndex >= 0)
                grid.menuAsked(currentItem, Theme.u4, Theme.u4)
            else
                return
            event.accepted = true
        }
        Keys.onReleased: event => {
            if (event.key === Qt.Key_Shift && shiftAlone)
                grid.models.toggleText()
            shiftAlone = false
        }
        delegate: ModelCard {
            width: view.cellWidth
            height: view.cellHeight
            isCurrent: GridView.isCurrentItem
            hasFocus: view.activeFocus
            onPressed: modifiers => {
                grid.takeFocus()
                view.shiftAlone = false
                grid.models.choose(index, (modifiers & Qt.ControlModifier) !== 0, (modifiers & Qt.ShiftModifier) !== 0)
            }
            onOpened: grid.models.activate(index)
            onMenuAsked: (x, y) => grid.menuAsked(this, x, y)
            onRenamed: grid.takeFocus()
        }
    }
    DropArea {
        id: drop
        anchors.fill: parent
        keys: ["text/uri-list"]
        z: -1
        onDropped: event => {
            if (event.hasUrls && !event.source) {
                grid.models.take(event.urls.map(url => String(url)))
                event.accept()
            }
        }
    }
    Rectangle {
        anchors.fill: parent
        anchors.margins: Theme.u2
        visible: drop.containsDrag && !drop.drag.source
        radius: Theme.radiusLarge
        color: "transparent"
        border.color: Theme.accent
        border.width: 2
    }
    Column {
        visible: view.count === 0 && (grid.models.listed || grid.models.busy)
        // A button that goes takes the focus with it.
        onVisibleChanged: if (!visible && (opener.focus || shower.focus)) grid.takeFocus()
        anchors.centerIn: parent
        width: Math.min(parent.width - 2 * Theme.u6, Theme.px(420))
        spacing: Theme.u3
        Spinner { visible: grid.models.busy; running: visible; anchors.horizontalCenter: parent.horizontalCenter }
        Icon { visible: !grid.models.busy; anchors.horizontalCenter: parent.horizontalCenter; glyph: grid.models.query !== "" ? "search" : "box"; size: Theme.px(40); colour: Theme.edge }
        Label {
            width: parent.width
            text: grid.models.busy ? qsTr("Looking through the models folders") : grid.models.emptyWords
            font.pixelSize: Theme.large
            font.weight: Font.DemiBold
            wrapMode: Text.Wrap
            horizontalAlignment: Text.AlignHCenter
        }
        Button {
            id: opener
            anchors.horizontalCenter: parent.horizontalCenter
            visible: !grid.models.busy && grid.models.listed && grid.models.query === "" && grid.models.hidden === 0 && grid.models.category !== "favourites"
            text: qsTr("Open folder")
            glyph: "folder-open"
            onClicked: grid.models.visitFolder(grid.models.category)
        }
        Button {
            id: shower
            anchors.horizontalCenter: parent.horizontalCenter
            visible: !grid.models.busy && grid.models.hidden > 0 && grid.models.query === ""
            text: qsTr("Show them")
            glyph: "eye"
            onClicked: grid.models.hideOthers(false)
        }
    }
}
