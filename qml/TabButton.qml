import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "controls"

// The tab of one page. What is dragged and rests on it for a moment opens the page.
T.AbstractButton {
    id: button
    property var tab
    readonly property bool shown: studio.tab === tab.id
    implicitWidth: row.implicitWidth + 2 * Theme.u3
    implicitHeight: Theme.bar - Theme.u2
    focusPolicy: Qt.StrongFocus
    checkable: false
    Accessible.role: Accessible.PageTab
    Accessible.name: tab.title
    Accessible.selected: shown
    Accessible.onPressAction: button.clicked()
    Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : button.clicked()
    onClicked: studio.act(tab.action)
    contentItem: Item {
        Row {
            id: row
            anchors.centerIn: parent
            spacing: Theme.u2
            Icon { glyph: button.tab.icon; size: Theme.px(14); anchors.verticalCenter: parent.verticalCenter; colour: button.shown ? Theme.accent : Theme.soft }
            Label { text: button.tab.title; color: button.shown ? Theme.text : Theme.soft; Accessible.ignored: true }
        }
    }
    background: Rectangle {
        radius: Theme.radius
        color: button.shown ? Theme.accentSoft : button.hovered ? Theme.hover : "transparent"
        FocusRing { control: button }
    }
    DropArea {
        anchors.fill: parent
        onEntered: rest.start()
        onExited: rest.stop()
    }
    Timer { id: rest; interval: 400; onTriggered: studio.act(button.tab.action) }
    Hint { visible: button.hovered; text: studio.hint(button.tab.action) }
}
