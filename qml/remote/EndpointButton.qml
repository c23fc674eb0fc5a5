import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// In the status line: the machine in use and how far away it is. It leads to where another is chosen.
T.AbstractButton {
    id: button
    readonly property var line: studio.remote
    readonly property string told: [line.name, line.state === "connected" ? line.latency : line.word].filter(part => part !== "").join("   ·   ")
    visible: line.isRemote || line.rows.length > 0
    implicitWidth: visible ? row.implicitWidth + 2 * Theme.u2 : 0
    focusPolicy: Qt.TabFocus
    Accessible.role: Accessible.Button
    Accessible.name: qsTr("Machine in use: %1").arg(told)
    Accessible.description: studio.hint("remote_settings")
    Accessible.onPressAction: button.clicked()
    Keys.onReturnPressed: button.clicked()
    onClicked: studio.act("remote_settings")
    contentItem: Item {
        Row {
            id: row
            anchors.centerIn: parent
            spacing: Theme.u2
            Icon {
                glyph: !button.line.isRemote ? "monitor" : button.line.isTrouble || button.line.state === "disconnected" ? "wifi-off" : "server"
                size: Theme.px(14)
                anchors.verticalCenter: parent.verticalCenter
                colour: button.line.state === "refused" ? Theme.error : button.line.isTrouble ? Theme.warning : Theme.faint
            }
            Label {
                anchors.verticalCenter: parent.verticalCenter
                text: button.told
                font.pixelSize: Theme.small
                color: button.line.state === "refused" ? Theme.error : button.line.isTrouble ? Theme.warning : Theme.soft
                Accessible.ignored: true
            }
        }
    }
    background: Rectangle { radius: Theme.radius; color: button.hovered ? Theme.hover : "transparent"; FocusRing { control: button } }
    Hint { visible: button.hovered; text: [button.line.sentence, studio.hint("remote_settings")].filter(part => part !== "").join("\n") }
}
