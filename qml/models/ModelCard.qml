import QtQuick 2.15
import "../controls"
import ".."

// One model: its picture and name, or a line of text. Dragging it onto a folder moves it; a picture dropped on it becomes its picture.
Item {
    id: card
    required property int index
    required property string path
    required property string name
    required property string family
    required property string network
    required property string precision
    required property string size
    required property string preview
    required property string problem
    required property string badge
    required property bool favourite
    required property bool active
    required property bool dim
    required property bool chosen
    property bool isCurrent: false
    property bool hasFocus: false
    property bool renaming: false
    readonly property bool flat: studio.models.textOnly
    signal pressed(int modifiers)
    signal opened()
    signal menuAsked(real x, real y)
    signal renamed()
    function rename() { renaming = true; editor.forceActiveFocus(); editor.selectAll() }
    function endRename(takes) {
        if (!renaming)
            return
        var text = editor.text
        renaming = false
        if (takes)
            studio.models.rename(text)
        renamed()
    }
    Accessible.role: Accessible.ListItem
    Accessible.name: name
    Accessible.description: [badge, size, problem, active ? qsTr("in use") : "", favourite ? qsTr("favourite") : ""].filter(part => part !== "").join(", ")
    Accessible.selected: chosen
    Accessible.onPressAction: card.pressed(0)

    Rectangle {
        id: plate
        anchors.fill: parent
        anchors.rightMargin: Theme.u2
        anchors.bottomMargin: card.flat ? Theme.u1 : Theme.u2
        radius: Theme.radius
        color: card.chosen ? Theme.accentSoft : over.hovered ? Theme.hover : Theme.panel
        opacity: card.dim ? 0.5 : 1
        border.width: card.isCurrent && card.hasFocus ? 2 : 1
        border.color: card.active || (card.isCurrent && card.hasFocus) ? Theme.accent : card.isCurrent || card.chosen ? Theme.edge : Theme.line
        CardPicture {
            visible: !card.flat
            x: 2
            y: 2
            width: parent.width - 4
            height: parent.height - words.height - 4
            card: card
        }
        Item {
            id: words
            anchors.bottom: parent.bottom
            width: parent.width
            height: card.flat ? parent.height : Theme.px(34)
            Icon {
                id: state
                visible: card.flat
                x: Theme.u3
                anchors.verticalCenter: parent.verticalCenter
                glyph: card.problem !== "" ? "triangle-alert" : card.active ? "check" : "circle"
                colour: card.problem !== "" ? Theme.warning : card.active ? Theme.accent : Theme.edge
                size: Theme.px(14)
            }
            Icon { id: starred; visible: card.favourite; anchors.right: parent.right; anchors.rightMargin: Theme.u2; anchors.verticalCenter: parent.verticalCenter; glyph: "star"; colour: Theme.warning; size: Theme.px(14) }
            Label {
                id: facts
                visible: card.flat
                anchors.right: starred.visible ? starred.left : parent.right
                anchors.rightMargin: Theme.u3
                height: parent.height
                text: [card.badge, card.precision, card.size].filter(part => part !== "").join("  ·  ")
                color: Theme.faint
                font.pixelSize: Theme.small
                Accessible.ignored: true
            }
            Label {
                visible: !card.renaming
                anchors.left: parent.left
                anchors.leftMargin: card.flat ? Theme.px(36) : Theme.u2
                anchors.right: card.flat ? facts.left : starred.visible ? starred.left : parent.right
                anchors.rightMargin: Theme.u2
                height: parent.height
                text: card.name
                elide: Text.ElideMiddle
                color: card.problem !== "" ? Theme.soft : Theme.text
                Accessible.ignored: true
            }
            Field {
                id: editor
                visible: card.renaming
                enabled: visible
                anchors.fill: parent
                anchors.margins: 2
                text: card.renaming ? studio.models.details.fullName || "" : ""
                Accessible.name: qsTr("New name")
                onAccepted: card.endRename(true)
                onActiveFocusChanged: if (!activeFocus) card.endRename(false)
                Keys.onEscapePressed: card.endRename(false)
            }
        }
    }
    HoverHandler { id: over }
    CardDrag { id: area; anchors.fill: plate; card: card }
    DropArea {
        anchors.fill: plate
        keys: ["text/uri-list"]
        onDropped: event => {
            if (!event.hasUrls)
                return
            studio.models.choose(card.index)
            studio.models.take(event.urls.map(url => String(url)))
            event.accept()
        }
        Rectangle { anchors.fill: parent; visible: parent.containsDrag; radius: Theme.radius; color: "transparent"; border.color: Theme.accent; border.width: 2 }
    }
    Hint { visible: card.parent !== null && over.hovered && !area.pressed && !card.renaming && !area.drag.active; delay: 900; text: card.problem !== "" ? card.name + "\n" + card.problem : [card.name, card.family, card.network, card.precision, card.size].filter(part => part !== "").join("  ·  ") }
}
