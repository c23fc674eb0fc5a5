import QtQuick 2.15
import "../controls"
import ".."

// What is done to the selection, or without one to the mask: all, none, inverse, softer, wider, narrower; and clearing.
Column {
    id: block
    property var room
    readonly property var held: room.state
    spacing: Theme.u2
    Label { text: block.held.selecting ? qsTr("Selection") : block.held.hasColour ? qsTr("Nothing is selected") : block.held.hasLayers ? qsTr("Region") : qsTr("Mask"); font.weight: Font.DemiBold }
    Row {
        spacing: Theme.u1
        Button { glyph: "square-dashed"; hint: studio.keys.hint("canvas_select_all"); onClicked: block.room.selectAll() }
        Button { glyph: "square-x"; enabled: block.held.selecting === true; hint: studio.keys.hint("canvas_select_none"); onClicked: block.room.selectNone() }
        Button { glyph: "contrast"; enabled: block.held.alterable === true; hint: studio.keys.hint("canvas_invert"); onClicked: block.room.invert() }
        Button { glyph: "trash-2"; hint: studio.keys.hint("canvas_clear"); onClicked: block.room.clear() }
    }
    OptionSlider { tools: block.room.tools; setting: "reach"; title: qsTr("By"); unit: "px"; curved: true }
    Row {
        spacing: Theme.u1
        Button { text: qsTr("Feather"); enabled: block.held.alterable === true; hint: qsTr("Soften the edges by so many pixels"); onClicked: block.room.feather() }
        Button { text: qsTr("Grow"); enabled: block.held.alterable === true; hint: qsTr("Widen by so many pixels"); onClicked: block.room.grow(1) }
        Button { text: qsTr("Shrink"); enabled: block.held.alterable === true; hint: qsTr("Narrow by so many pixels"); onClicked: block.room.grow(-1) }
    }
    Label {
        visible: block.held.hasColour === true && !block.held.selecting
        width: parent.width
        wrapMode: Text.Wrap
        color: Theme.faint
        font.pixelSize: Theme.small
        text: qsTr("Select something with a shape to soften, widen or narrow it.")
    }
}
