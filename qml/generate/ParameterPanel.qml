import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import "../inputs"
import "../presets"
import "../prompts"
import ".."

// The form: one section per group, each folds, can be pinned to the top or hidden; what is hidden is listed at the end.
FocusScope {
    id: panel
    readonly property var arranged: studio.sections.shown
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Parameters")
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
            y: Theme.u2
            width: view.width - 2 * Theme.u4
            ModeHeader { width: column.width }
            PresetOffer { width: column.width }
            Repeater {
                model: panel.arranged
                delegate: ParameterSection { width: column.width; onFocused: item => panel.reveal(item) }
            }
            NetworksSection { width: column.width; onFocused: item => panel.reveal(item) }
            PanelFoot { width: column.width; onFocused: item => panel.reveal(item) }
        }
    }
    PresetsPanel { id: presets }
    Connections {
        target: studio
        function onViewAsked(action) {
            if (action === "presets")
                presets.openToTake()
            else if (action === "save_preset")
                presets.openToSave()
        }
    }
    Connections {
        target: studio.finder
        function onControlAsked(name) {
            studio.sections.unfold(name)
            Qt.callLater(panel.lead, name)
        }
    }
    // The focus goes to the control of a parameter.
    function lead(name) {
        var row = rowOf(column, name)
        if (row && row.first) {
            row.first.forceActiveFocus(Qt.TabFocusReason)
            reveal(row)
        }
    }
    function rowOf(item, name) {
        for (var index = 0; index < item.children.length; ++index) {
            var child = item.children[index]
            var found = child.name === name && child.first !== undefined ? child : rowOf(child, name)
            if (found)
                return found
        }
        return null
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
