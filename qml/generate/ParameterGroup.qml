import QtQuick 2.15
import ".."

// The advanced parameters of one group, under a header that folds them.
Column {
    id: group
    required property var modelData
    readonly property string key: "group:" + modelData.name
    property bool open: studio.recall(key, false)
    signal focused(Item item)
    visible: modelData.count > 0
    Connections {
        target: studio
        function onChanged() { group.open = studio.recall(group.key, false) }
    }
    FoldHeader {
        width: group.width
        title: group.modelData.title
        inner: true
        open: group.open
        changes: group.modelData.changes
        onToggled: studio.remember(group.key, !group.open)
        onResetAsked: group.modelData.reset()
    }
    Repeater {
        model: group.open ? group.modelData : null
        delegate: ParameterRow { width: group.width; onFocused: item => group.focused(item) }
    }
}
