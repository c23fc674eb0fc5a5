import QtQuick 2.15
import "../controls"
import ".."

// What of a picture is looked at; a click shows the next of its parts, a right click the one before.
Rectangle {
    id: label
    // Of the picture on the stage, unless said otherwise.
    property int place: studio.outputs.current
    property int count: studio.outputs.shown.parts || 0
    property int part: studio.outputs.shown.part || 0
    property string title: studio.outputs.shown.partTitle || ""
    visible: count > 0
    width: word.implicitWidth + Theme.u3
    height: Theme.px(20)
    radius: 4
    color: over.hovered ? Theme.hover : Theme.raised
    border.color: Theme.line
    Accessible.role: Accessible.Button
    Accessible.name: qsTr("Part: %1").arg(title)
    Accessible.onPressAction: studio.outputs.cycle(place, 1)
    Label {
        id: word
        anchors.centerIn: parent
        text: label.title + " " + (label.part + 1) + "/" + (label.count + 1)
        font.pixelSize: Theme.small
        Accessible.ignored: true
    }
    HoverHandler { id: over }
    TapHandler { gesturePolicy: TapHandler.WithinBounds; onTapped: studio.outputs.cycle(label.place, 1) }
    TapHandler { acceptedButtons: Qt.RightButton; gesturePolicy: TapHandler.WithinBounds; onTapped: studio.outputs.cycle(label.place, -1) }
    Hint { visible: over.hovered; text: studio.hint("view_part_next") }
}
