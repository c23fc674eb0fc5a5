import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// One layer: shown or hidden, its number and colour where it is a region, its name; a click paints on it, arrows at the right move it.
T.ItemDelegate {
    id: row
    property var room
    height: Theme.control + Theme.u1
    focusPolicy: Qt.TabFocus
    Accessible.role: Accessible.ListItem
    Accessible.name: model.title
    Accessible.selected: model.isActive
    Accessible.onPressAction: row.clicked()
    onClicked: room.chooseLayer(model.layerId)
    background: Rectangle {
        color: model.isActive ? Theme.accentSoft : row.hovered ? Theme.hover : "transparent"
        FocusRing { control: row }
    }
    contentItem: Item {
        Button {
            id: eye
            x: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            quiet: true
            focusPolicy: Qt.TabFocus
            glyph: model.shown ? "eye" : "eye-off"
            hint: model.shown ? qsTr("Hide %1").arg(model.title) : qsTr("Show %1").arg(model.title)
            onClicked: row.room.showLayer(model.layerId, !model.shown)
        }
        Rectangle {
            id: badge
            visible: row.room.kind === "region"
            anchors.left: eye.right
            anchors.leftMargin: Theme.u1
            anchors.verticalCenter: parent.verticalCenter
            width: visible ? Theme.px(22) : 0
            height: Theme.px(22)
            radius: 4
            color: model.colour
            Label { anchors.centerIn: parent; text: model.number; color: "#101010"; font.weight: Font.DemiBold; font.pixelSize: Theme.small; Accessible.ignored: true }
        }
        Label {
            anchors.left: badge.visible ? badge.right : eye.right
            anchors.leftMargin: Theme.u2
            anchors.right: up.visible ? up.left : parent.right
            height: parent.height
            text: model.erases ? qsTr("%1, erases").arg(model.title) : model.title
            color: model.shown ? Theme.text : Theme.faint
            Accessible.ignored: true
        }
        Button {
            id: up
            visible: model.isActive
            anchors.right: down.left
            anchors.verticalCenter: parent.verticalCenter
            quiet: true
            width: Theme.px(24)
            glyph: "arrow-up"
            hint: qsTr("Move up")
            onClicked: row.room.moveLayer(model.layerId, 1)
        }
        Button {
            id: down
            visible: model.isActive
            anchors.right: parent.right
            anchors.rightMargin: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            quiet: true
            width: Theme.px(24)
            glyph: "arrow-down"
            hint: qsTr("Move down")
            onClicked: row.room.moveLayer(model.layerId, -1)
        }
    }
}
