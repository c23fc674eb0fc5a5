import QtQuick 2.15
import "../controls"
import ".."

// Above the canvas: what it is, what the chosen tool can be set to, and what ends it.
Rectangle {
    id: bar
    property var room
    property var view
    readonly property var tools: room.tools
    readonly property var held: room.state
    readonly property bool brushes: tools.tool === "brush" || tools.tool === "eraser"
    readonly property bool shapes: ["rectangle", "ellipse", "lasso"].indexOf(tools.tool) >= 0
    readonly property bool roomy: width >= 1240
    height: Theme.control + 2 * Theme.u2
    color: Theme.panel
    Row {
        x: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u4
        Label { height: Theme.control; text: bar.room.title; font.weight: Font.DemiBold }
        OptionSlider { visible: bar.brushes; tools: bar.tools; setting: "size"; title: qsTr("Size"); unit: "px"; curved: true }
        OptionSlider { visible: bar.brushes; tools: bar.tools; setting: "hardness"; title: qsTr("Hardness"); unit: "%" }
        OptionSlider { visible: bar.brushes && bar.roomy; tools: bar.tools; setting: "spacing"; title: qsTr("Spacing"); unit: "%" }
        OptionSlider { visible: bar.brushes || bar.shapes || bar.tools.tool === "fill"; tools: bar.tools; setting: "opacity"; title: qsTr("Opacity"); unit: "%" }
        OptionSlider { visible: bar.tools.tool === "fill"; tools: bar.tools; setting: "tolerance"; title: qsTr("Tolerance") }
        OptionSwitch { visible: bar.tools.tool === "fill"; tools: bar.tools; setting: "fillsByPicture"; title: qsTr("Look at the whole picture") }
        OptionSwitch { visible: bar.shapes; tools: bar.tools; setting: "shapesSelect"; title: qsTr("Select instead of painting") }
        OptionSwitch { visible: bar.brushes && bar.width >= 1500; tools: bar.tools; setting: "pressureSizes"; title: qsTr("Pressure") }
        Label {
            height: Theme.control
            visible: bar.tools.tool === "move" || bar.tools.tool === "pick"
            color: Theme.soft
            text: bar.tools.tool === "move" ? qsTr("Drag what is painted, or what is selected of it.") : qsTr("Click to take a colour.")
        }
    }
    Row {
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u1
        Button { quiet: true; glyph: "undo-2"; enabled: !!bar.held.undo; hint: bar.held.undo ? qsTr("Undo: %1").arg(bar.held.undo) : studio.keys.hint("canvas_undo"); onClicked: bar.room.undo() }
        Button { quiet: true; glyph: "redo-2"; enabled: !!bar.held.redo; hint: bar.held.redo ? qsTr("Redo: %1").arg(bar.held.redo) : studio.keys.hint("canvas_redo"); onClicked: bar.room.redo() }
        Button { quiet: true; glyph: "save"; enabled: bar.room.isReady; hint: studio.keys.hint("canvas_save"); onClicked: bar.room.saveCopy() }
        Button { primary: true; text: qsTr("Done"); hint: studio.keys.hint("canvas_close"); onClicked: bar.room.close() }
    }
    Rectangle { anchors.bottom: parent.bottom; width: parent.width; height: 1; color: Theme.line }
}
