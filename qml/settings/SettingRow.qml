import QtQuick 2.15
import "../controls"
import ".."

// One setting: its words, its control, what is wrong with what was typed, and when it acts.
FocusScope {
    id: setting
    required property int index
    required property string name
    required property string title
    required property string description
    required property string kind
    required property string text
    required property var choices
    required property bool isSet
    required property string problem
    required property string effect
    required property bool pending
    required property real minimum
    required property real maximum
    required property real step
    readonly property Item first: loader.item ? loader.item.first : null
    // A long text stands under its words, the rest beside them.
    readonly property bool wide: kind === "folder" || kind === "command" || kind === "line"
    readonly property real controlWidth: kind === "toggle" ? Theme.px(40) : Math.min(Theme.px(200), width * 0.4)
    signal focused()
    onActiveFocusChanged: if (activeFocus) focused()
    function commit(typed) { return studio.settings.commit(name, typed) }
    implicitHeight: Math.max(words.implicitHeight, wide ? 0 : loader.height) + (wide ? loader.height + Theme.u2 : 0) + 2 * Theme.u3
    Rectangle { width: parent.width; height: 1; color: Theme.line; visible: setting.index > 0 }
    Rectangle { visible: setting.isSet; x: -10; y: Theme.u3 + Math.round(Theme.body / 2); width: 4; height: 4; radius: 2; color: Theme.accent }
    Column {
        id: words
        y: Theme.u3
        width: setting.width - (setting.wide ? 0 : setting.controlWidth + Theme.u4) - reset.width - Theme.u2
        spacing: Theme.u1
        Label { width: parent.width; text: setting.title; wrapMode: Text.Wrap }
        Label { width: parent.width; text: setting.description; color: Theme.soft; font.pixelSize: Theme.small; wrapMode: Text.Wrap }
        Label {
            width: parent.width
            visible: setting.effect !== ""
            text: setting.effect === "restart" ? qsTr("Acts after a restart of the program.") : qsTr("Acts after the engine was reloaded.")
            color: setting.pending ? Theme.warning : Theme.faint
            font.pixelSize: Theme.small
            wrapMode: Text.Wrap
        }
        Label {
            width: parent.width
            visible: setting.problem !== ""
            text: setting.problem
            color: Theme.error
            font.pixelSize: Theme.small
            wrapMode: Text.Wrap
            Accessible.role: Accessible.AlertMessage
        }
    }
    Loader {
        id: loader
        focus: true
        anchors.right: reset.left
        anchors.rightMargin: Theme.u2
        y: setting.wide ? words.y + words.implicitHeight + Theme.u2 : Theme.u3
        width: setting.wide ? setting.width - reset.width - Theme.u2 : setting.controlWidth
        height: Theme.control
        sourceComponent: ({ toggle: toggle, choice: choice, number: number, folder: folder })[setting.kind] || line
    }
    Button {
        id: reset
        anchors.right: parent.right
        y: loader.y
        quiet: true
        glyph: "rotate-ccw"
        enabled: setting.isSet
        opacity: setting.isSet ? 1 : 0
        hint: qsTr("Reset %1").arg(setting.title)
        onClicked: studio.settings.reset(setting.name)
    }
    Component {
        id: toggle
        Item {
            readonly property Item first: theSwitch
            Toggle { id: theSwitch; name: setting.title; anchors.right: parent.right; anchors.verticalCenter: parent.verticalCenter; checked: setting.text === "true"; onToggled: setting.commit(checked ? "true" : "false") }
        }
    }
    Component {
        id: choice
        Choice { readonly property Item first: this; name: setting.title; rows: setting.choices; current: setting.text; onChosen: value => setting.commit(value) }
    }
    Component {
        id: number
        Stepper {
            name: setting.title
            text: setting.text
            wrong: setting.problem !== ""
            minimum: setting.minimum
            maximum: setting.maximum
            step: setting.step
            onChosen: typed => setting.commit(typed)
        }
    }
    Component { id: folder; FolderControl { name: setting.title; path: setting.text; wrong: setting.problem !== ""; onChosen: path => setting.commit(path) } }
    Component {
        id: line
        Field {
            readonly property Item first: this
            Accessible.name: setting.title
            Accessible.description: setting.description
            text: setting.text
            wrong: setting.problem !== ""
            font.family: setting.kind === "command" ? Theme.mono : Theme.family
            onEditingFinished: if (text !== setting.text) setting.commit(text)
        }
    }
}
