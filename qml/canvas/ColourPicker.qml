import QtQuick 2.15
import "../controls"
import ".."

// Saturation and lightness in a square, hue and alpha on bars, numbers and hex below; two colours that change places.
Column {
    id: picker
    property var ink
    readonly property var numbers: ink.fields
    spacing: Theme.u2
    Rectangle {
        id: square
        width: parent.width
        height: Theme.px(132)
        radius: 2
        activeFocusOnTab: true
        Accessible.role: Accessible.Slider
        Accessible.name: qsTr("Saturation and lightness")
        function take(x, y) { picker.ink.setHsv(picker.ink.hue, x / width, 1 - y / height) }
        function nudge(across, up) { picker.ink.setHsv(picker.ink.hue, picker.ink.saturation + across, picker.numbers.V / 100 + up) }
        Keys.onLeftPressed: nudge(-0.02, 0)
        Keys.onRightPressed: nudge(0.02, 0)
        Keys.onUpPressed: nudge(0, 0.02)
        Keys.onDownPressed: nudge(0, -0.02)
        gradient: Gradient {
            orientation: Gradient.Horizontal
            GradientStop { position: 0; color: "#ffffff" }
            GradientStop { position: 1; color: Qt.hsva(picker.ink.hue, 1, 1, 1) }
        }
        Rectangle {
            anchors.fill: parent
            gradient: Gradient {
                GradientStop { position: 0; color: "#00000000" }
                GradientStop { position: 1; color: "#ff000000" }
            }
        }
        MouseArea {
            anchors.fill: parent
            preventStealing: true
            onPressed: mouse => square.take(mouse.x, mouse.y)
            onPositionChanged: mouse => square.take(mouse.x, mouse.y)
        }
        Rectangle {
            x: picker.ink.saturation * square.width - 6
            y: (1 - picker.numbers.V / 100) * square.height - 6
            width: 12
            height: 12
            radius: 6
            color: "transparent"
            border.width: 2
            border.color: picker.numbers.V > 55 ? "#000000" : "#ffffff"
        }
        Rectangle { anchors.fill: parent; anchors.margins: -3; visible: square.activeFocus; color: "transparent"; border.width: 2; border.color: Theme.accent; radius: 4 }
    }
    ColourBar {
        width: parent.width
        name: qsTr("Hue")
        share: picker.ink.hue
        onChosen: share => picker.ink.setHsv(share, picker.ink.saturation, picker.numbers.V / 100)
        stops: [0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1].map(at => Qt.hsva(at % 1, 1, 1, 1))
    }
    ColourBar {
        width: parent.width
        name: qsTr("Alpha")
        share: picker.numbers.A / 100
        onChosen: share => picker.ink.setAlpha(share)
        stops: [0, 1, 2, 3, 4, 5, 6].map(at => Qt.hsva(picker.ink.hue, picker.ink.saturation, picker.numbers.V / 100, at / 6))
    }
    Row {
        spacing: Theme.u2
        Rectangle { width: Theme.control; height: Theme.control; radius: Theme.radius; color: picker.ink.colour; border.color: Theme.edge; Accessible.role: Accessible.Graphic; Accessible.name: qsTr("Colour %1").arg(picker.numbers.hex) }
        Rectangle { width: Theme.control; height: Theme.control; radius: Theme.radius; color: picker.ink.other; border.color: Theme.edge; Accessible.role: Accessible.Graphic; Accessible.name: qsTr("Other colour") }
        Button { quiet: true; glyph: "arrow-left-right"; hint: studio.keys.hint("canvas_swap"); onClicked: picker.ink.swap() }
        ColourField { anchors.verticalCenter: parent.verticalCenter; width: Theme.px(88); ink: picker.ink; part: "hex"; title: qsTr("Hex") }
    }
    Grid {
        columns: 4
        columnSpacing: Theme.u1
        rowSpacing: Theme.u1
        Repeater {
            model: ["R", "G", "B", "A", "H", "S", "V"]
            delegate: Row {
                spacing: 2
                Label { width: 12; height: Theme.px(26); text: modelData; color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
                ColourField { width: (picker.width - 3 * Theme.u1) / 4 - 14; ink: picker.ink; part: modelData; title: modelData }
            }
        }
    }
}
