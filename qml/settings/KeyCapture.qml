import QtQuick 2.15
import "../controls"
import ".."

// Takes the next keys that are pressed, whatever they mean elsewhere. Esc or leaving it ends that.
Button {
    id: capture
    property string name
    property bool listening: false
    // Qt asks the item with the focus alone whether a shortcut may have a key.
    property string held
    signal pressed(string key)
    glyph: listening ? "keyboard" : "plus"
    text: listening ? held || qsTr("Press keys") : ""
    hint: listening ? "" : name
    Accessible.name: listening ? qsTr("Press the new keys") : name
    onClicked: {
        held = ""
        listening = true
        forceActiveFocus(Qt.OtherFocusReason)
    }
    onActiveFocusChanged: if (!activeFocus) listening = false
    Keys.priority: Keys.BeforeItem
    Keys.onShortcutOverride: event => event.accepted = listening
    Keys.onPressed: event => {
        if (!listening)
            return
        event.accepted = true
        if (event.key === Qt.Key_Escape && event.modifiers === Qt.NoModifier) {
            listening = false
            return
        }
        var key = studio.keys.spelled(event.key, event.modifiers)
        if (key === "")
            return
        listening = false
        pressed(key)
    }
}
