import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// A chosen style; a press leaves it out, Ctrl+Left and Ctrl+Right apply it earlier or later.
T.Button {
    id: chip
    property var style: ({})
    implicitWidth: Math.min(Theme.px(180), words.implicitWidth + Theme.px(40))
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.Button
    Accessible.name: style.missing ? qsTr("Style %1, missing").arg(style.name) : qsTr("Style %1").arg(style.name)
    Accessible.description: qsTr("Press to leave it out.")
    Accessible.onPressAction: chip.clicked()
    onClicked: studio.prompts.styles.toggle(style.name)
    Keys.onDeletePressed: studio.prompts.styles.toggle(style.name)
    Keys.onLeftPressed: event => { if (event.modifiers & Qt.ControlModifier) studio.prompts.styles.move(style.name, -1); else event.accepted = false }
    Keys.onRightPressed: event => { if (event.modifiers & Qt.ControlModifier) studio.prompts.styles.move(style.name, 1); else event.accepted = false }
    contentItem: Item {
        Label {
            id: words
            anchors.left: parent.left
            anchors.leftMargin: Theme.u2
            anchors.right: cross.left
            anchors.rightMargin: Theme.u1
            height: parent.height
            text: chip.style.name
            color: chip.style.missing ? Theme.error : Theme.text
            font.pixelSize: Theme.small
            font.strikeout: chip.style.missing
            Accessible.ignored: true
        }
        Icon {
            id: cross
            anchors.right: parent.right
            anchors.rightMargin: 6
            anchors.verticalCenter: parent.verticalCenter
            glyph: "x"
            size: Theme.px(12)
            colour: chip.hovered ? Theme.text : Theme.faint
        }
    }
    background: Item {
        Rectangle {
            anchors.fill: parent
            anchors.topMargin: 3
            anchors.bottomMargin: 3
            radius: height / 2
            color: chip.hovered ? Theme.hover : Theme.accentSoft
            border.width: chip.activeFocus ? 2 : 0
            border.color: Theme.accent
        }
    }
    Hint { visible: chip.hovered; text: chip.style.missing ? qsTr("There is no style of this name: it is left out.") : chip.style.words || chip.style.name }
}
