import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The form: one row per parameter that acts, a line between sections, the seldom needed ones folded at the end.
FocusScope {
    id: panel
    property bool open: studio.recall("advanced", false)
    readonly property Item firstControl: everyday.count > 0 && everyday.itemAt(0) ? everyday.itemAt(0).first : null
    Accessible.role: Accessible.Pane
    Accessible.name: "Parameters"
    Connections {
        target: studio
        function onChanged() { panel.open = studio.recall("advanced", false) }
    }
    Rectangle { anchors.fill: parent; color: Theme.panel }
    Flickable {
        id: view
        anchors.fill: parent
        contentHeight: column.height + 2 * Theme.u3
        boundsBehavior: Flickable.StopAtBounds
        clip: true
        T.ScrollBar.vertical: Scroll { }
        Column {
            id: column
            x: Theme.u4
            y: Theme.u3
            width: view.width - 2 * Theme.u4
            PresetOffer { width: column.width }
            Repeater {
                id: everyday
                model: studio.parameters.everyday
                delegate: ParameterRow { width: column.width; onFocused: item => panel.reveal(item) }
            }
            Item { width: 1; height: Theme.u2 }
            FoldHeader {
                width: column.width
                title: "Advanced"
                open: panel.open
                changes: studio.parameters.advancedSet
                onToggled: studio.act("advanced")
                onResetAsked: studio.parameters.resetHidden()
            }
            Repeater {
                model: panel.open ? studio.parameters.advanced : null
                delegate: ParameterGroup { width: column.width; onFocused: item => panel.reveal(item) }
            }
        }
    }
    // Scrolls so that the control with the keyboard focus is seen.
    function reveal(item) {
        var top = item.mapToItem(column, 0, 0).y
        if (top < view.contentY)
            view.contentY = Math.max(0, top - Theme.u4)
        else if (top + item.height + Theme.u6 > view.contentY + view.height)
            view.contentY = Math.min(view.contentHeight - view.height, top + item.height + Theme.u6 - view.height)
    }
}
