import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// In the bar while something is on its way or went wrong: how many, how far. It opens the list.
T.AbstractButton {
    id: button
    readonly property var transfers: studio.transfers
    readonly property bool bad: transfers.open === 0 && transfers.failed > 0
    visible: transfers.open > 0 || transfers.failed > 0
    implicitWidth: visible ? row.implicitWidth + 2 * Theme.u3 : 0
    implicitHeight: Theme.bar - Theme.u2
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.Button
    Accessible.name: qsTr("Transfers") + ": " + transfers.summary
    Accessible.description: studio.hint("transfers")
    Accessible.onPressAction: button.clicked()
    Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : button.clicked()
    onClicked: transfers.show(true)
    contentItem: Item {
        Row {
            id: row
            anchors.centerIn: parent
            spacing: Theme.u2
            Icon { glyph: button.bad ? "circle-alert" : "arrow-down-up"; size: Theme.px(14); anchors.verticalCenter: parent.verticalCenter; colour: button.bad ? Theme.error : Theme.accent }
            Label {
                text: button.bad ? button.transfers.failed : button.transfers.open > 1 ? qsTr("%1 files").arg(button.transfers.open) : ""
                visible: text !== ""
                anchors.verticalCenter: parent.verticalCenter
                color: button.bad ? Theme.error : Theme.text
                Accessible.ignored: true
            }
            Rectangle {
                visible: button.transfers.open > 0
                anchors.verticalCenter: parent.verticalCenter
                width: Theme.px(48)
                height: 4
                radius: 2
                color: Theme.track
                Rectangle { width: Math.round(parent.width * button.transfers.fraction); height: parent.height; radius: 2; color: Theme.accent }
            }
        }
    }
    background: Rectangle {
        radius: Theme.radius
        color: button.down ? Theme.pressed : button.hovered ? Theme.hover : "transparent"
        FocusRing { control: button }
    }
    Hint { visible: button.hovered; text: [button.transfers.summary, studio.hint("transfers")].filter(part => part !== "").join("\n") }
}
