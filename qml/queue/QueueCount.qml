import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// How many jobs wait; opens the queue.
T.AbstractButton {
    id: button
    // Where there is no room for words.
    property bool brief: false
    readonly property string told: qsTr("+%1 waiting").arg(studio.jobs.waiting)
    visible: studio.jobs.waiting > 0
    implicitWidth: words.implicitWidth + Theme.u2
    implicitHeight: Theme.px(24)
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.Button
    Accessible.name: told
    Accessible.description: studio.hint("queue")
    Accessible.onPressAction: button.clicked()
    Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : button.clicked()
    onClicked: studio.act("queue")
    contentItem: Label {
        id: words
        text: button.brief ? "+" + studio.jobs.waiting : button.told
        color: button.hovered ? Theme.text : Theme.soft
        horizontalAlignment: Text.AlignHCenter
        font.pixelSize: Theme.small
        Accessible.ignored: true
    }
    background: Rectangle { radius: Theme.radius; color: button.hovered ? Theme.hover : "transparent"; FocusRing { control: button } }
    Hint { visible: button.hovered; text: studio.hint("queue") }
}
