import QtQuick 2.15
import "../controls"
import ".."

// Pressing, opening and dragging a card. What is chosen is dragged; folders of the sidebar take it.
MouseArea {
    id: area
    property var card
    readonly property bool isDragged: drag.active
    enabled: !card.renaming
    acceptedButtons: Qt.LeftButton | Qt.RightButton
    drag.target: ghost
    drag.threshold: 8
    // Else the list takes the drag for scrolling.
    preventStealing: true
    Accessible.role: Accessible.ListItem
    Accessible.name: card.name
    Accessible.ignored: true
    onPressed: mouse => {
        if (!(mouse.button === Qt.RightButton && card.chosen) && !(mouse.modifiers === 0 && card.chosen && studio.models.chosenCount > 1))
            card.pressed(mouse.modifiers)
    }
    onClicked: mouse => {
        if (mouse.button === Qt.RightButton)
            card.menuAsked(mouse.x, mouse.y)
        else if (mouse.modifiers === 0 && studio.models.chosenCount > 1)
            card.pressed(0)
    }
    onDoubleClicked: mouse => { if (mouse.button === Qt.LeftButton && mouse.modifiers === 0) card.opened() }
    // The card may have moved since it was pressed, because the pane came; the pointer counts.
    onPositionChanged: mouse => { ghost.x = mouse.x; ghost.y = mouse.y }
    onReleased: if (ghost.Drag.active) ghost.Drag.drop()
    Item {
        id: ghost
        width: 1
        height: 1
        Drag.active: area.drag.active
        Drag.dragType: Drag.Internal
        Drag.keys: ["sfumato/models"]
        Drag.source: ghost
    }
    Rectangle {
        visible: area.drag.active
        z: 10
        x: ghost.x + Theme.u3
        y: ghost.y + Theme.u3
        width: moved.implicitWidth + 2 * Theme.u3
        height: Theme.px(28)
        radius: Theme.radius
        color: Theme.raised
        border.color: Theme.accent
        Label { id: moved; anchors.centerIn: parent; text: studio.models.chosenCount > 1 ? qsTr("%1 models").arg(studio.models.chosenCount) : area.card.name; Accessible.ignored: true }
    }
}
