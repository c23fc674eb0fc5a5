import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// How many jobs wait; opens the queue.
T.AbstractButton {
    id: button
    visible: studio.jobs.waiting > 0
    implicitWidth: words.implicitWidth + Theme.u2
    implicitHeight: Theme.px(24)
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.Button
    Accessible.name: words.text
    Accessible.description: studio.hint("queue")
    Accessible.onPressAction: button.clicked()
    Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : button.clicked()
    onClicked: studio.act("queue")
    contentItem: Label {
        id: words
        text: qsTr("+%1 waiting").arg(studio.jobs.waiting)
        color: button.hovered ? Theme.text : Theme.soft
        horizontalAlignment: Text.AlignHCenter
        font.pixelSize: Theme.small
        Accessible.ignored: true
    }
    background: Rectangle { radius: Theme.radius; color: button.hovered ? Theme.hover : "transparent"; FocusRing { control: button } }
    Hint { visible: button.hovered; text: studio.hint("queue") }
}
