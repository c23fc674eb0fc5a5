import QtQuick 2.15
import "../controls"
import ".."

// One section of the form under a header that folds it.
Column {
    id: section
    required property var modelData
    readonly property string key: modelData.name
    readonly property bool open: studio.sections.open.indexOf(key) >= 0
    readonly property bool pinned: studio.sections.pinned.indexOf(key) >= 0
    signal focused(Item item)
    visible: modelData.count > 0
    FoldHeader {
        width: section.width
        title: section.modelData.title
        summary: section.modelData.summary
        open: section.open
        changes: section.modelData.changes
        pinned: section.pinned
        movable: section.key !== "pinned"
        onToggled: studio.sections.fold(section.key)
        onResetAsked: section.modelData.reset()
        onPinAsked: studio.sections.pin(section.key)
        onHideAsked: studio.sections.hide(section.key)
        onFocused: item => section.focused(item)
    }
    Repeater {
        model: section.open ? section.modelData : null
        delegate: ParameterRow { width: section.width; onFocused: item => section.focused(item) }
    }
    Loader { visible: active; active: section.open && section.key === "size"; width: section.width; source: "SizeTools.qml" }
    Item { width: 1; height: section.open ? Theme.u2 : 0 }
}
