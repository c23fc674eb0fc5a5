import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "controls"

// Every key of the window, from the table of actions, grouped by the place where it works; what is typed finds one.
Panel {
    id: sheet
    title: qsTr("Shortcuts")
    property int changes: 0
    width: Math.min(Theme.px(760), parent ? parent.width - 2 * Theme.u6 : 760)
    onOpened: {
        finder.text = ""
        finder.forceActiveFocus(Qt.OtherFocusReason)
    }
    Connections {
        target: studio.keys
        function onChanged() { ++sheet.changes }
    }
    Field {
        id: finder
        width: parent.width
        focus: true
        placeholderText: qsTr("Find a shortcut")
        Accessible.name: qsTr("Find a shortcut")
        Keys.onDownPressed: list.forceActiveFocus(Qt.OtherFocusReason)
    }
    ListView {
        id: list
        width: parent.width
        height: Math.max(Theme.control, Math.min(Theme.px(416), sheet.parent ? sheet.parent.height - finder.height - Theme.px(196) : 416))
        clip: true
        activeFocusOnTab: true
        boundsBehavior: Flickable.StopAtBounds
        model: sheet.changes, studio.keys.search(finder.text, true)
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Shortcuts")
        delegate: Item {
            id: line
            readonly property int header: modelData.opensGroup ? Theme.control : 0
            width: list.width
            height: header + Math.max(Theme.control, sentence.implicitHeight + Theme.u2, keyWords.implicitHeight + Theme.u2)
            Accessible.role: Accessible.ListItem
            Accessible.name: modelData.keys.join(", ") + ": " + modelData.sentence
            Label {
                visible: modelData.opensGroup
                height: Theme.control
                width: parent.width
                text: modelData.group
                color: Theme.accent
                font.pixelSize: Theme.small
                font.weight: Font.DemiBold
                Accessible.ignored: true
            }
            Label {
                id: sentence
                y: line.header
                width: parent.width - keyWords.width - 2 * Theme.u4
                height: parent.height - line.header
                text: modelData.sentence
                color: Theme.soft
                wrapMode: Text.Wrap
                Accessible.ignored: true
            }
            Label {
                id: keyWords
                anchors.right: parent.right
                anchors.rightMargin: Theme.u4
                y: line.header
                width: Math.min(implicitWidth, parent.width / 2)
                height: parent.height - line.header
                text: modelData.keys.join(qsTr("  or  "))
                font.family: Theme.mono
                font.pixelSize: Theme.small
                horizontalAlignment: Text.AlignRight
                wrapMode: Text.Wrap
                Accessible.ignored: true
            }
        }
        Label {
            anchors.centerIn: parent
            visible: list.count === 0
            text: qsTr("No key does that.")
            color: Theme.faint
        }
    }
    buttons: [
        Button { text: qsTr("Change keys"); visible: studio.keys.knows("settings_keyboard"); onClicked: { sheet.close(); studio.act("settings_keyboard") } },
        Button { text: qsTr("Close"); onClicked: sheet.close() }
    ]
}
