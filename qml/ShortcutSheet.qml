import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "controls"

// Every key of the window, from the table of actions.
Panel {
    id: sheet
    title: "Shortcuts"
    width: Math.min(760, parent ? parent.width - 2 * Theme.u6 : 760)
    ListView {
        id: list
        width: parent.width
        height: Math.min(contentHeight, 416, sheet.parent ? sheet.parent.height - 220 : 416)
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        model: studio.actions.filter(row => row.keys.length > 0)
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: "Shortcuts"
        delegate: Item {
            width: list.width
            height: 32
            Accessible.role: Accessible.ListItem
            Accessible.name: modelData.shown + ": " + modelData.sentence
            Label { width: 120; height: parent.height; text: modelData.shown; font.family: Theme.mono; font.pixelSize: Theme.small; Accessible.ignored: true }
            Label { x: 128; width: parent.width - 128 - 156; height: parent.height; text: modelData.sentence; color: Theme.soft; Accessible.ignored: true }
            Label {
                anchors.right: parent.right
                anchors.rightMargin: Theme.u4
                height: parent.height
                text: modelData.scope === "window" ? "everywhere" : modelData.scope
                color: Theme.faint
                font.pixelSize: Theme.small
                Accessible.ignored: true
            }
        }
    }
    buttons: [ Button { text: "Close"; primary: true; focus: true; onClicked: sheet.close() } ]
}
