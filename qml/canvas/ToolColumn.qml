import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The tools, one of which is chosen, each with its key.
Rectangle {
    id: column
    property var room
    width: Theme.control + 2 * Theme.u2
    color: Theme.panel
    Column {
        x: Theme.u2
        y: Theme.u2
        spacing: Theme.u1
        Repeater {
            model: [
                { tool: "brush", glyph: "brush" }, { tool: "eraser", glyph: "eraser" }, { tool: "fill", glyph: "paint-bucket" },
                { tool: "rectangle", glyph: "square" }, { tool: "ellipse", glyph: "circle" }, { tool: "lasso", glyph: "lasso" },
                { tool: "move", glyph: "move" }, { tool: "pick", glyph: "pipette" }
            ]
            delegate: T.AbstractButton {
                id: button
                readonly property bool chosen: column.room.tools.tool === modelData.tool
                readonly property string key: studio.keys.revision >= 0 ? studio.keys.shown("canvas_" + modelData.tool) : ""
                // Only paint has colours to pick.
                visible: modelData.tool !== "pick" || column.room.state.hasColour === true
                width: Theme.control
                height: Theme.control
                focusPolicy: Qt.TabFocus
                Accessible.role: Accessible.RadioButton
                Accessible.name: studio.keys.revision >= 0 ? studio.keys.hint("canvas_" + modelData.tool) : ""
                Accessible.checkable: true
                Accessible.checked: chosen
                Accessible.onPressAction: button.clicked()
                onClicked: column.room.tools.choose(modelData.tool)
                background: Rectangle {
                    radius: Theme.radius
                    color: button.chosen ? Theme.accentSoft : button.hovered ? Theme.hover : "transparent"
                    FocusRing { control: button }
                }
                contentItem: Item {
                    Icon { anchors.centerIn: parent; anchors.horizontalCenterOffset: -2; size: Theme.px(18); glyph: modelData.glyph; colour: button.chosen ? Theme.accent : Theme.soft }
                    Label {
                        anchors.right: parent.right
                        anchors.rightMargin: 3
                        anchors.bottom: parent.bottom
                        text: button.key.length === 1 ? button.key : ""
                        font.pixelSize: Theme.px(9)
                        color: Theme.faint
                        Accessible.ignored: true
                    }
                }
                Hint { visible: button.hovered; x: button.width + Theme.u2; y: 0; text: button.Accessible.name }
            }
        }
    }
    Rectangle { anchors.right: parent.right; width: 1; height: parent.height; color: Theme.line }
}
