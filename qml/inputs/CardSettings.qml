import QtQuick 2.15
import QtQuick.Window 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// How a control or reference card steers, beside the card. Esc or a click elsewhere closes it and the focus goes back.
T.Popup {
    id: popup
    property Item card: null
    property Item before: null
    property string cardId
    property var rows: []
    function show(item) {
        if (!item || !item.hasSettings)
            return
        card = item
        cardId = item.cardId
        before = parent.Window.window.activeFocusItem
        take()
        var point = item.mapToItem(parent, 0, item.height + Theme.u1)
        x = Math.max(Theme.u2, Math.min(parent.width - width - Theme.u2, point.x))
        y = point.y
        open()
    }
    // Only the values of the same rows are replaced, so that the control in use keeps the focus.
    function take() {
        var now = studio.inputs.settings(cardId)
        var same = now.length === rows.length && now.every((row, index) => row.name === rows[index].name && row.control === rows[index].control)
        if (same) {
            rows = now
            return
        }
        var at = -1
        for (var index = 0; index < repeater.count; ++index)
            if (repeater.itemAt(index).first && repeater.itemAt(index).first.activeFocus)
                at = index
        // None in between: a control that is kept would read a row that is not its own.
        repeater.model = 0
        rows = now
        repeater.model = now.length
        if (at >= 0 && repeater.itemAt(Math.min(at, now.length - 1)).first)
            repeater.itemAt(Math.min(at, now.length - 1)).first.forceActiveFocus(Qt.OtherFocusReason)
    }
    width: 344
    implicitHeight: column.height + 2 * padding
    height: Math.min(implicitHeight, (parent && parent.Window.window ? parent.Window.window.height : 600) - 2 * Theme.u6)
    padding: Theme.u3
    margins: Theme.u2
    focus: true
    closePolicy: T.Popup.CloseOnEscape | T.Popup.CloseOnPressOutside
    onClosed: if (before) before.forceActiveFocus(Qt.OtherFocusReason)
    onOpened: if (repeater.count > 0 && repeater.itemAt(0).first) repeater.itemAt(0).first.forceActiveFocus(Qt.PopupFocusReason)
    background: Rectangle { color: Theme.panel; radius: Theme.radius; border.color: Theme.line }
    Connections {
        target: studio.inputs
        enabled: popup.visible
        function onSettingsChanged(card) { if (card === popup.cardId) popup.take() }
        function onChanged() { if (studio.inputs.indexOf(popup.cardId) < 0) popup.close() }
    }
    contentItem: Flickable {
        id: view
        implicitHeight: column.height
        contentHeight: column.height
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        Accessible.role: Accessible.Pane
        Accessible.name: qsTr("Settings of the control")
        T.ScrollBar.vertical: Scroll { }
        Column {
            id: column
            width: view.width - (view.contentHeight > view.height ? Theme.u3 : 0)
            Repeater {
                id: repeater
                model: 0
                delegate: SettingRow { width: column.width; cardId: popup.cardId; given: popup.rows[index] || ({}) }
            }
        }
    }
}
