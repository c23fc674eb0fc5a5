import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// A prompt: coloured text that scrolls inside its frame, suggestions at the cursor, a sentence over what is doubtful. `footer` is room along the lower edge.
FocusScope {
    id: editor
    property var box
    property var completion
    property string name
    property string placeholder
    property int footer: Theme.px(28)
    property Item other
    property alias area: area
    signal historyAsked(string action)
    Rectangle {
        anchors.fill: parent
        radius: Theme.radius
        color: Theme.field
        border.color: area.activeFocus ? Theme.accent : hover.hovered ? Theme.edge : Theme.line
        border.width: area.activeFocus ? 2 : 1
    }
    HoverHandler { id: hover }
    TapHandler { onTapped: area.forceActiveFocus(Qt.MouseFocusReason) }
    function select(from, to) {
        if (from === to)
            area.cursorPosition = from
        else
            area.select(from, to)
    }
    function replay(selection, change) {
        change()
        if (selection.length === 2)
            select(Math.min(selection[0], area.length), Math.min(selection[1], area.length))
    }
    function reweigh(steps, fine) { studio.prompts.reweigh(box, area.selectionStart, area.selectionEnd, steps, fine) }
    ScopeKeys {
        id: scopeKeys
        scope: "prompt"
        place: area
        actions: ({
            weight_up: () => editor.reweigh(1, false),
            weight_down: () => editor.reweigh(-1, false),
            part_left: () => editor.box.movePart(area.selectionStart, area.selectionEnd, -1),
            part_right: () => editor.box.movePart(area.selectionStart, area.selectionEnd, 1),
            suggest: () => editor.completion.ask(),
            prompt_previous: () => studio.act("prompt_previous"),
            prompt_next: () => studio.act("prompt_next")
        })
    }
    Flickable {
        id: view
        anchors.fill: parent
        anchors.margins: 2
        anchors.bottomMargin: editor.footer
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        T.ScrollBar.vertical: Scroll { }
        T.TextArea.flickable: T.TextArea {
            id: area
            focus: true
            padding: Theme.u2
            leftPadding: Theme.u2 + 2
            rightPadding: Theme.u3 + 2
            bottomPadding: Theme.u1
            color: Theme.text
            selectionColor: Theme.accent
            selectedTextColor: Theme.accentInk
            selectByMouse: true
            persistentSelection: true
            activeFocusOnTab: true
            wrapMode: TextEdit.Wrap
            textFormat: TextEdit.PlainText
            font.family: Theme.family
            font.pixelSize: Theme.body + 1
            Accessible.role: Accessible.EditableText
            Accessible.name: editor.name
            Accessible.multiLine: true
            onCursorPositionChanged: editor.box.setCursor(cursorPosition)
            onActiveFocusChanged: editor.completion.focus(activeFocus)
            Component.onCompleted: {
                text = editor.box.text
                cursorPosition = length
                editor.box.attach(textDocument)
            }
            KeyNavigation.priority: KeyNavigation.BeforeItem
            Keys.priority: Keys.BeforeItem
            Keys.forwardTo: [scopeKeys]
            Keys.onPressed: event => event.accepted = editor.take(event)
            Keys.onShortcutOverride: event => event.accepted = editor.isRedo(event)
            Keys.onReleased: event => { if (event.key === Qt.Key_Control) editor.completion.narrow(false); event.accepted = false }
            Label {
                visible: area.text === "" && area.preeditText === ""
                x: area.leftPadding
                y: area.topPadding
                width: area.width - area.leftPadding - area.rightPadding
                text: editor.placeholder
                color: Theme.faint
                font.pixelSize: area.font.pixelSize
                wrapMode: Text.Wrap
                Accessible.ignored: true
            }
            HoverHandler { id: pointer; onPointChanged: doubt.look(point.position) }
            WheelHandler {
                acceptedModifiers: Qt.ControlModifier
                onWheel: event => editor.reweigh(event.angleDelta.y > 0 ? 1 : -1, false)
            }
            WheelHandler {
                acceptedModifiers: Qt.ControlModifier | Qt.ShiftModifier
                onWheel: event => editor.reweigh((event.angleDelta.y || event.angleDelta.x) > 0 ? 1 : -1, true)
            }
            Hint {
                id: doubt
                property var found: ({})
                function look(point) {
                    found = pointer.hovered ? editor.box.doubtAt(area.positionAt(point.x, point.y)) : ({})
                }
                readonly property rect place: found.sentence ? area.positionToRectangle(found.start) : Qt.rect(0, 0, 0, 0)
                delay: 250
                timeout: -1
                visible: pointer.hovered && text !== "" && !editor.completion.open
                text: found.sentence || ""
                x: place.x
                y: place.y - implicitHeight - Theme.u1
            }
            SuggestionList {
                completion: editor.completion
                anchor: area.positionToRectangle(Math.min(editor.completion.start, area.length))
                line: area.cursorRectangle
            }
        }
    }
    Connections {
        target: editor.box
        function onSelectAsked(from, to) { editor.select(from, to) }
    }
    // Ctrl+Y is the system's key on some systems only.
    function isRedo(event) { return event.matches(StandardKey.Redo) || (event.key === Qt.Key_Y && event.modifiers === Qt.ControlModifier) }
    // True for a key that was used here; the text area gets the others.
    function take(event) {
        var plain = !(event.modifiers & (Qt.ControlModifier | Qt.AltModifier | Qt.ShiftModifier))
        if (event.key === Qt.Key_Control)
            completion.narrow(true)
        if (completion.open && plain) {
            if (event.key === Qt.Key_Tab || event.key === Qt.Key_Return || event.key === Qt.Key_Enter)
                return completion.accept()
            if (event.key === Qt.Key_Down || event.key === Qt.Key_Up) {
                completion.move(event.key === Qt.Key_Down ? 1 : -1)
                return true
            }
            if (event.key === Qt.Key_Escape) {
                completion.close()
                return true
            }
        }
        if (event.matches(StandardKey.Undo)) {
            replay(box.undoing(), () => area.undo())
            return true
        }
        if (isRedo(event)) {
            replay(box.redoing(), () => area.redo())
            return true
        }
        if (event.key === Qt.Key_Tab && plain) {
            (other && other.visible ? other : area.nextItemInFocusChain(true)).forceActiveFocus(Qt.TabFocusReason)
            return true
        }
        if (event.key === Qt.Key_Backtab) {
            area.nextItemInFocusChain(false).forceActiveFocus(Qt.BacktabFocusReason)
            return true
        }
        return false
    }
}
