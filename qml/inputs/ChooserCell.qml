import QtQuick 2.15
import "../controls"
import ".."

// A folder or a picture to choose.
Item {
    id: cell
    required property int index
    required property string name
    required property string path
    required property bool isFolder
    property bool picked: false
    property bool marked: false
    signal tapped(bool adding)
    signal opened()
    Accessible.role: Accessible.ListItem
    Accessible.name: isFolder ? qsTr("Folder %1").arg(name) : name
    Accessible.selected: picked
    Accessible.onPressAction: tapped(false)
    Rectangle {
        anchors.fill: parent
        anchors.margins: 3
        radius: Theme.radius
        color: cell.picked ? Theme.accentSoft : over.hovered ? Theme.hover : "transparent"
        border.width: cell.marked ? 2 : cell.picked ? 1 : 0
        border.color: Theme.accent
        Item {
            x: Theme.u2
            y: Theme.u2
            width: parent.width - 2 * Theme.u2
            height: parent.height - 36
            Shot { anchors.fill: parent; visible: !cell.isFolder; path: cell.isFolder ? "" : cell.path; fill: false }
            Icon { anchors.centerIn: parent; visible: cell.isFolder; glyph: "folder"; size: 40; colour: Theme.soft }
        }
        Label {
            x: Theme.u1
            anchors.bottom: parent.bottom
            anchors.bottomMargin: Theme.u1
            width: parent.width - 2 * Theme.u1
            horizontalAlignment: Text.AlignHCenter
            font.pixelSize: Theme.small
            elide: Text.ElideMiddle
            text: cell.name
            Accessible.ignored: true
        }
    }
    HoverHandler { id: over }
    TapHandler { acceptedModifiers: Qt.NoModifier; onTapped: cell.tapped(false); onDoubleTapped: cell.opened() }
    TapHandler { acceptedModifiers: Qt.ControlModifier; onTapped: cell.tapped(true) }
}
