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
    PromptKeys { id: keys; area: area; box: editor.box; completion: editor.completion; other: editor.other; onSelectAsked: (from, to) => editor.select(from, to) }
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
            Keys.forwardTo: [keys.scoped]
            Keys.onPressed: event => event.accepted = keys.take(event)
            Keys.onShortcutOverride: event => event.accepted = keys.isRedo(event)
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
            WheelHandler {
                acceptedModifiers: Qt.ControlModifier
                onWheel: event => keys.reweigh(event.angleDelta.y > 0 ? 1 : -1, false)
            }
            WheelHandler {
                acceptedModifiers: Qt.ControlModifier | Qt.ShiftModifier
                onWheel: event => keys.reweigh((event.angleDelta.y || event.angleDelta.x) > 0 ? 1 : -1, true)
            }
            DoubtHint { area: area; box: editor.box; enabled: !editor.completion.open }
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
}
