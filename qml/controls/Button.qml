import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A button with words, an icon, or both. `primary` is the one the eye should find first.
T.Button {
    id: button
    property string glyph
    property string hint
    property bool primary: false
    property bool quiet: false
    property bool tinted: false
    property bool glyphLast: false
    // What does the main thing stays legible while it cannot: it loses its colour, not its words.
    readonly property bool lit: primary && enabled
    readonly property color ink: lit ? Theme.accentInk : primary ? Theme.faint : Theme.text
    // Pressed: what it opened must not lie under its own hint.
    property bool used: false
    onPressed: used = true
    onHoveredChanged: if (!hovered) used = false
    implicitHeight: Theme.control
    implicitWidth: Math.max(Theme.control, row.implicitWidth + (text ? Theme.u6 : Theme.u4))
    opacity: enabled || primary ? 1 : 0.45
    focusPolicy: Qt.StrongFocus
    font.family: Theme.family
    font.pixelSize: Theme.body
    Accessible.role: Accessible.Button
    Accessible.name: text || hint
    Accessible.description: hint
    Accessible.onPressAction: button.clicked()
    Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : button.clicked()
    Keys.onEnterPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : button.clicked()

    contentItem: Item {
        Row {
            id: row
            anchors.centerIn: parent
            spacing: Theme.u2
            layoutDirection: button.glyphLast ? Qt.RightToLeft : Qt.LeftToRight
            Icon {
                visible: button.glyph !== ""
                glyph: button.glyph
                colour: button.primary ? button.ink : button.tinted ? Theme.accent : button.text ? Theme.text : Theme.soft
                anchors.verticalCenter: parent.verticalCenter
            }
            Label {
                visible: button.text !== ""
                width: Math.min(implicitWidth, Math.max(0, button.width - (button.glyph !== "" ? Theme.icon + row.spacing : 0) - Theme.u2))
                text: button.text
                color: button.ink
                font.weight: button.primary ? Font.DemiBold : Font.Normal
                anchors.verticalCenter: parent.verticalCenter
                Accessible.ignored: true
            }
        }
    }
    background: Rectangle {
        radius: Theme.radius
        color: button.lit ? (button.down ? Theme.accentPressed : button.hovered ? Theme.accentHover : Theme.accent)
             : button.down ? Theme.pressed : button.hovered ? Theme.hover : button.quiet ? "transparent" : Theme.raised
        border.width: button.quiet || button.lit ? 0 : 1
        border.color: Theme.line
        FocusRing { control: button }
    }
    Hint { visible: button.hovered && !button.used && button.hint !== ""; text: button.hint }
}
