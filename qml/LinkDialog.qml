import QtQuick 2.15
import "controls"

// A link was opened somewhere. Whoever made it is unknown, so nothing happens before Connect, and Enter is the harmless answer.
Panel {
    id: dialog
    readonly property var link: studio.links
    title: qsTr("Connect to another machine?")
    onClosed: link.cancel()
    component Fact: Item {
        property string name
        property string value
        property bool strong: false
        width: parent.width
        height: Math.max(Theme.px(24), words.implicitHeight)
        Accessible.role: Accessible.StaticText
        Accessible.name: name + ": " + value
        Label { width: Theme.px(104); height: Theme.px(24); text: parent.name; color: Theme.soft; Accessible.ignored: true }
        Label {
            id: words
            x: Theme.px(104)
            width: parent.width - x
            text: parent.value
            wrapMode: Text.WrapAnywhere
            topPadding: (Theme.px(24) - Theme.body * 1.25) / 2
            font.family: parent.strong ? Theme.mono : Theme.family
            font.weight: parent.strong ? Font.DemiBold : Font.Normal
            Accessible.ignored: true
        }
    }
    Label {
        width: parent.width
        wrapMode: Text.Wrap
        color: Theme.soft
        text: dialog.link.isHere ? qsTr("A link was opened that leads to a program on this computer. Connect only if you know who made it.")
            : qsTr("A link was opened that leads to another machine. Whoever runs that machine sees your prompts and pictures: connect only if you know who made the link.")
    }
    Rectangle { width: parent.width; height: 1; color: Theme.line }
    Column {
        width: parent.width
        spacing: Theme.u1
        Fact { name: qsTr("Machine"); value: dialog.link.host; strong: true }
        Fact { name: qsTr("Port"); value: dialog.link.port; strong: true }
        Fact { name: qsTr("Password"); value: dialog.link.hasPassword ? qsTr("In the link") : qsTr("Not in the link; it is asked for") }
        Fact { name: qsTr("Now in use"); value: dialog.link.now }
    }
    Rectangle { width: parent.width; height: 1; color: Theme.line }
    Label { width: parent.width; wrapMode: Text.Wrap; color: Theme.soft; font.pixelSize: Theme.small; text: qsTr("Until you choose Connect nothing is changed, saved or contacted.") }
    buttons: [
        Button { text: qsTr("Connect"); onClicked: { dialog.link.accept(); dialog.close() } },
        Button { text: qsTr("Cancel"); primary: true; focus: true; onClicked: dialog.close() }
    ]
}
