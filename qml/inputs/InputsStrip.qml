import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// What the next job starts from: cards in reading order. Without any it is one quiet button.
FocusScope {
    id: strip
    readonly property bool empty: studio.inputs.count === 0
    implicitHeight: empty ? Theme.px(40) : Theme.px(136)
    // A control that shows people is posed, everything else is painted on.
    function open(card) {
        if (card)
            studio.pose.suits(card) ? studio.pose.open(card) : studio.canvas.open(card)
    }
    function choose(distance) { studio.inputs.choose(Math.max(0, Math.min(studio.inputs.count - 1, studio.inputs.current + distance))) }
    Rectangle { anchors.fill: parent; color: strip.empty ? Theme.stage : Theme.window }
    Rectangle { visible: !strip.empty; anchors.bottom: parent.bottom; width: parent.width; height: 1; color: Theme.line }
    Connections {
        target: studio
        function onViewAsked(action) { if (action === "input_add") addPanel.show(add) }
    }
    ListView {
        id: list
        focus: true
        activeFocusOnTab: count > 0
        visible: !strip.empty
        anchors.left: parent.left
        anchors.right: add.left
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u2
        anchors.leftMargin: Theme.u3
        orientation: ListView.Horizontal
        spacing: Theme.u4
        clip: true
        interactive: false
        model: studio.inputs
        currentIndex: studio.inputs.current
        highlightMoveDuration: Theme.calm
        keyNavigationEnabled: false
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Inputs")
        // In the margin below the cards: were their height to depend on it, their widths would, and whether there is one at all, without end.
        T.ScrollBar.horizontal: Scroll {
            parent: strip
            x: list.x
            y: list.y + list.height
            width: list.width
            height: Theme.u2
        }
        Keys.forwardTo: [scopeKeys]
        ScopeKeys {
            id: scopeKeys
            readonly property string chosen: studio.inputs.chosen
            place: list
            scope: "inputs strip"
            actions: ({
                input_open: () => strip.open(chosen),
                input_previous: () => strip.choose(-1),
                input_next: () => strip.choose(1),
                input_left: () => studio.inputs.shift(chosen, -1),
                input_right: () => studio.inputs.shift(chosen, 1),
                input_copy: () => studio.inputs.copy(chosen),
                input_paste: () => { if (!studio.inputs.paste()) studio.act("paste") },
                input_remove: () => studio.inputs.remove(chosen),
                input_toggle: () => list.currentItem ? studio.inputs.enable(chosen, !list.currentItem.on) : false,
                input_refresh: () => studio.inputs.refresh(chosen),
                input_settings: () => settings.show(list.currentItem),
                input_menu: () => cardMenu.show(list.currentItem),
                input_nearer: () => studio.inputs.zoom(chosen, 1.1, 0.5, 0.5),
                input_farther: () => studio.inputs.zoom(chosen, 1 / 1.1, 0.5, 0.5),
                input_pan_left: () => studio.inputs.pan(chosen, 0.05, 0),
                input_pan_right: () => studio.inputs.pan(chosen, -0.05, 0),
                input_pan_up: () => studio.inputs.pan(chosen, 0, 0.05),
                input_pan_down: () => studio.inputs.pan(chosen, 0, -0.05),
                input_file_previous: () => studio.inputs.step(chosen, -1),
                input_file_next: () => studio.inputs.step(chosen, 1)
            })
        }
        delegate: InputCard {
            height: list.height
            gap: list.spacing
            isCurrent: ListView.isCurrentItem
            hasFocus: list.activeFocus
            onChosen: {
                list.forceActiveFocus(Qt.MouseFocusReason)
                studio.inputs.choose(index)
            }
            onOpened: strip.open(cardId)
            onMenuAsked: { studio.inputs.choose(index); cardMenu.show(this) }
            onSettingsAsked: { studio.inputs.choose(index); settings.show(this) }
        }
        add: Transition { NumberAnimation { property: "opacity"; from: 0; to: 1; duration: Theme.calm } }
        // A card that comes while another is still appearing must not stay half seen.
        displaced: Transition {
            NumberAnimation { property: "x"; duration: Theme.calm; easing.type: Easing.OutCubic }
            NumberAnimation { property: "opacity"; to: 1; duration: Theme.calm }
        }
        WheelHandler {
            acceptedModifiers: Qt.ShiftModifier
            onWheel: event => list.contentX = Math.max(0, Math.min(list.contentWidth - list.width, list.contentX - (event.angleDelta.y || event.angleDelta.x)))
        }
    }
    Button {
        id: add
        x: strip.empty ? Theme.u1 : parent.width - width - Theme.u3
        y: strip.empty ? Theme.u1 : Theme.u2 + 20
        quiet: strip.empty
        glyph: "plus"
        text: strip.empty ? qsTr("Add image") : ""
        hint: studio.hint("input_add")
        onClicked: addPanel.show(add)
    }
    DropPlace { id: drop; anchors.fill: parent; list: list }
    AddPanel { id: addPanel }
    CardMenu { id: cardMenu; onOpenAsked: card => studio.canvas.open(card); onSettingsAsked: settings.show(list.currentItem) }
    CardSettings { id: settings }
}
