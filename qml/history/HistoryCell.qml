import QtQuick 2.15
import "../controls"
import ".."

// One picture of the grid. A click chooses, Ctrl adds, Shift ranges, a double click opens; dragging takes all chosen files along.
Item {
    id: cell
    required property int index
    required property string path
    required property string fileName
    required property int rating
    required property bool favourite
    required property bool gone
    required property bool chosen
    required property string prompt
    property bool isCurrent: false
    property bool hasFocus: false
    signal pressed(var mouse)
    signal clicked(var mouse)
    signal opened()
    signal dragged()
    Accessible.role: Accessible.ListItem
    Accessible.name: (gone ? qsTr("Missing: %1") : qsTr("Picture: %1")).arg(prompt || fileName || qsTr("loading"))
    Accessible.selected: chosen
    Accessible.selectable: true
    Accessible.onPressAction: studio.history.pictures.press(index, false, false)
    Rectangle {
        anchors.fill: parent
        anchors.margins: 3
        radius: Theme.radius
        color: cell.chosen ? Theme.accentSoft : Theme.stage
        border.width: cell.isCurrent ? 2 : cell.chosen ? 1 : 0
        border.color: cell.isCurrent && !cell.hasFocus ? Theme.soft : Theme.accent
    }
    Shot {
        anchors.fill: parent
        anchors.margins: cell.chosen ? 8 : 5
        path: cell.path
        fill: false
        opacity: cell.gone ? 0.3 : 1
    }
    Loader {
        active: cell.rating > 0 || cell.favourite || cell.gone
        anchors.left: parent.left
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u2
        sourceComponent: Rectangle {
            width: marks.implicitWidth + Theme.u2
            height: 18
            radius: 9
            color: Theme.raised
            opacity: 0.92
            Row {
                id: marks
                anchors.centerIn: parent
                spacing: 2
                Icon { visible: cell.gone; glyph: "triangle-alert"; size: 12; colour: Theme.warning; anchors.verticalCenter: parent.verticalCenter }
                Icon { visible: cell.favourite; glyph: "heart-filled"; size: 12; colour: Theme.accent; anchors.verticalCenter: parent.verticalCenter }
                Icon { visible: cell.rating > 0; glyph: "star-filled"; size: 12; colour: Theme.warning; anchors.verticalCenter: parent.verticalCenter }
                Label { visible: cell.rating > 0; text: cell.rating; font.pixelSize: Theme.small; anchors.verticalCenter: parent.verticalCenter; Accessible.ignored: true }
            }
        }
    }
    MouseArea {
        id: area
        property point began
        property bool moved: false
        anchors.fill: parent
        acceptedButtons: Qt.LeftButton | Qt.RightButton
        preventStealing: true
        Accessible.ignored: true
        onPressed: mouse => { began = Qt.point(mouse.x, mouse.y); moved = false; cell.pressed(mouse) }
        onPositionChanged: mouse => {
            if (!moved && (mouse.buttons & Qt.LeftButton) && Math.abs(mouse.x - began.x) + Math.abs(mouse.y - began.y) > 12) {
                moved = true
                cell.dragged()
            }
        }
        onClicked: mouse => { if (!moved) cell.clicked(mouse) }
        onDoubleClicked: cell.opened()
    }
}
