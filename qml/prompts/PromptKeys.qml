import QtQuick 2.15
import "../controls"
import ".."

// What keys do in a prompt: the list of suggestions first, then undo with its selection, then the keys of the table.
Item {
    id: keys
    property Item area
    property var box
    property var completion
    property Item other
    readonly property alias scoped: scoped
    signal selectAsked(int from, int to)
    Accessible.ignored: true
    ScopeKeys {
        id: scoped
        scope: "prompt"
        place: keys.area
        actions: ({
            weight_up: () => keys.reweigh(1, false),
            weight_down: () => keys.reweigh(-1, false),
            part_left: () => keys.box.movePart(keys.area.selectionStart, keys.area.selectionEnd, -1),
            part_right: () => keys.box.movePart(keys.area.selectionStart, keys.area.selectionEnd, 1),
            suggest: () => keys.completion.ask(),
            prompt_previous: () => studio.act("prompt_previous"),
            prompt_next: () => studio.act("prompt_next")
        })
    }
    function reweigh(steps, fine) { studio.prompts.reweigh(box, area.selectionStart, area.selectionEnd, steps, fine) }
    function replay(selection, change) {
        change()
        if (selection.length === 2)
            selectAsked(Math.min(selection[0], area.length), Math.min(selection[1], area.length))
    }
    // Ctrl+Y is the system's key on some systems only.
    function isRedo(event) { return event.matches(StandardKey.Redo) || (event.key === Qt.Key_Y && event.modifiers === Qt.ControlModifier) }
    // True for a key that the list of suggestions takes.
    function choose(event) {
        if (event.key === Qt.Key_Tab || event.key === Qt.Key_Return || event.key === Qt.Key_Enter)
            return completion.accept()
        if (event.key === Qt.Key_Down || event.key === Qt.Key_Up)
            completion.move(event.key === Qt.Key_Down ? 1 : -1)
        else if (event.key === Qt.Key_Escape)
            completion.close()
        else
            return false
        return true
    }
    // True for a key that was used here; the text area gets the others.
    function take(event) {
        var plain = !(event.modifiers & (Qt.ControlModifier | Qt.AltModifier | Qt.ShiftModifier))
        if (event.key === Qt.Key_Control)
            completion.narrow(true)
        if (completion.open && plain && choose(event))
            return true
        if (event.matches(StandardKey.Undo))
            replay(box.undoing(), () => area.undo())
        else if (isRedo(event))
            replay(box.redoing(), () => area.redo())
        else if (event.key === Qt.Key_Tab && plain)
            (other && other.visible ? other : area.nextItemInFocusChain(true)).forceActiveFocus(Qt.TabFocusReason)
        else if (event.key === Qt.Key_Backtab)
            area.nextItemInFocusChain(false).forceActiveFocus(Qt.BacktabFocusReason)
        else
            return false
        return true
    }
}
