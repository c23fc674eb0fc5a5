import QtQuick 2.15

// The keys of one place, from the table of actions: put it into the place, say what each action does, and let `Keys.forwardTo: [scopeKeys]` of the place
// lead to it. Keys that do nothing here go on to the window.
Item {
    id: keys
    property string scope
    property var actions: ({})
    property Item place: parent
    readonly property bool entered: place !== null && place.activeFocus
    property bool told: false
    onEnteredChanged: tell(entered)
    Component.onDestruction: tell(false)
    function tell(now) {
        if (now !== told) {
            told = now
            studio.keys.enter(scope, now)
        }
    }
    Keys.onPressed: event => {
        var action = studio.keys.found(scope, event.key, event.modifiers)
        event.accepted = action !== "" && actions[action] !== undefined && actions[action]() !== false
    }
}
