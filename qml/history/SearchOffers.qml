import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// How the word under the cursor can go on: fields, and what is known for them.
T.Popup {
    id: offers
    property Item field
    signal taken(var row)
    property var rows: []
    property int place: -1
    x: field.x
    y: field.y + field.height + Theme.u1
    width: Math.min(field.width, 420)
    height: list.contentHeight + 2 * padding
    padding: Theme.u1
    focus: false
    closePolicy: T.Popup.CloseOnPressOutsideParent
    function refresh() {
        rows = field.activeFocus ? studio.history.complete(field.text, field.cursorPosition) : []
        place = -1
        if (rows.length > 0)
            open()
        else
            close()
    }
    function move(distance) { place = Math.max(-1, Math.min(rows.length - 1, place + distance)) }
    background: Rectangle { color: Theme.raised; radius: Theme.radius; border.color: Theme.line }
    contentItem: ListView {
        id: list
        model: offers.rows
        interactive: false
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Suggestions")
        delegate: Rectangle {
            width: list.width
            height: 28
            radius: Theme.radius - 2
            color: index === offers.place || over.hovered ? Theme.hover : "transparent"
            Accessible.role: Accessible.ListItem
            Accessible.name: modelData.text
            Accessible.onPressAction: offers.taken(modelData)
            Label { x: Theme.u2; width: parent.width / 2; height: parent.height; text: modelData.text; font.family: Theme.mono; Accessible.ignored: true }
            Label { anchors.right: parent.right; anchors.rightMargin: Theme.u2; height: parent.height; text: modelData.note; color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
            HoverHandler { id: over }
            TapHandler { onTapped: offers.taken(modelData) }
        }
    }
}
