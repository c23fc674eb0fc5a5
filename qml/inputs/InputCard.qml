import QtQuick 2.15
import QtQuick.Window 2.15
import "../controls"
import ".."

// One card: what it is for, the part of its picture that is taken, and what is wrong with it. The line to its left says that it belongs to the image there.
Item {
    id: card
    readonly property Item self: card
    required property int index
    required property string cardId
    required property string role
    required property string title
    required property string glyph
    required property string face
    required property string fileName
    required property string address
    required property real aspect
    required property real boxX
    required property real boxY
    required property real boxWidth
    required property real boxHeight
    required property real zoom
    required property bool on
    required property bool acts
    required property bool tied
    required property string trouble
    required property bool stops
    required property string notice
    required property string place
    required property real strength
    required property bool hasSettings
    required property bool hasMap
    required property bool isPaintedMap
    required property bool isStale
    required property bool busy
    required property bool borrowed
    required property var extent
    required property string extentWords
    required property bool canPan
    property bool isCurrent: false
    property bool hasFocus: false
    property int gap: Theme.u4
    readonly property string words: trouble || extentWords || notice
    signal chosen()
    signal opened()
    signal menuAsked()
    signal settingsAsked()
    Accessible.role: Accessible.ListItem
    Accessible.name: [title, place, fileName, acts ? "" : qsTr("off"), words].filter(part => part !== "").join(", ")
    Accessible.selected: isCurrent
    Accessible.onPressAction: chosen()
    width: Math.round(Math.max(76, Math.min(2, Math.max(0.5, aspect)) * (height - head.height)))
    Rectangle { visible: card.tied; x: -card.gap; y: head.height + (card.height - head.height) / 2 - 1; width: card.gap; height: 2; color: card.acts ? Theme.accent : Theme.edge }

    Item {
        id: head
        width: parent.width
        height: 20
        Icon { id: sign; glyph: card.glyph; size: Theme.px(12); y: 2; colour: card.acts ? Theme.soft : Theme.faint }
        Label {
            x: 18
            width: parent.width - x - (more.visible ? 20 : 0)
            height: 16
            text: card.title
            font.pixelSize: Theme.small
            color: card.isCurrent ? Theme.text : Theme.soft
            Accessible.ignored: true
        }
        Button {
            id: more
            visible: over.hovered || card.isCurrent
            anchors.right: parent.right
            y: -2
            width: 20
            height: 20
            focusPolicy: Qt.NoFocus
            quiet: true
            glyph: "ellipsis"
            hint: studio.hint("input_menu")
            onClicked: card.menuAsked()
        }
    }
    CardFrame {
        id: frame
        anchors.top: head.bottom
        anchors.bottom: parent.bottom
        width: parent.width
        card: self
    }
    Rectangle {
        anchors.fill: frame
        anchors.margins: card.isCurrent ? -1 : 0
        radius: Theme.radius
        color: "transparent"
        border.width: card.isCurrent ? 2 : 1
        border.color: card.isCurrent ? (card.hasFocus ? Theme.accent : Theme.soft) : over.hovered ? Theme.edge : Theme.line
    }
    MouseArea {
        id: area
        property point last
        anchors.fill: frame
        acceptedButtons: Qt.LeftButton | Qt.RightButton | Qt.MiddleButton
        drag.target: pressedButtons & Qt.LeftButton ? ghost : null
        drag.threshold: 8
        Accessible.ignored: true
        onPressed: mouse => {
            card.chosen()
            last = Qt.point(mouse.x, mouse.y)
            if (mouse.button === Qt.RightButton)
                card.menuAsked()
        }
        onDoubleClicked: mouse => { if (mouse.button === Qt.LeftButton) card.opened() }
        onPositionChanged: mouse => {
            if (pressedButtons & Qt.MiddleButton && card.canPan) {
                studio.inputs.pan(card.cardId, (mouse.x - last.x) / width, (mouse.y - last.y) / height)
                last = Qt.point(mouse.x, mouse.y)
            }
        }
        onReleased: { ghost.x = 0; ghost.y = 0 }
        onWheel: wheel => {
            if (wheel.modifiers !== Qt.NoModifier || !card.canPan)
                wheel.accepted = false
            else
                studio.inputs.zoom(card.cardId, Math.pow(1.1, wheel.angleDelta.y / 120), wheel.x / width, wheel.y / height)
        }
    }
    Item {
        id: ghost
        width: 1
        height: 1
        Drag.active: area.drag.active
        Drag.dragType: Drag.Automatic
        Drag.supportedActions: Qt.CopyAction | Qt.MoveAction
        Drag.source: card
        Drag.imageSource: card.face
        Drag.mimeData: card.address ? ({ "application/x-sfumato-card": card.cardId, "text/uri-list": card.address }) : ({ "application/x-sfumato-card": card.cardId })
        Drag.onDragFinished: { x = 0; y = 0 }
    }
    CardMarks { anchors.fill: frame; card: self; hovered: over.hovered }
    HoverHandler { id: over }
    Hint { visible: card.Window.window !== null && over.hovered && !area.pressed && text !== ""; text: card.words || card.fileName }
}
