import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The pictures of this and the last session, newest first; the one with the frame is on the stage.
FocusScope {
    id: strip
    signal openAsked()
    implicitHeight: 104
    Rectangle { anchors.fill: parent; color: Theme.window }
    Rectangle { width: parent.width; height: 1; color: Theme.line }
    ListView {
        id: list
        focus: true
        activeFocusOnTab: count > 0
        anchors.fill: parent
        anchors.margins: Theme.u3
        anchors.rightMargin: Theme.u3
        orientation: ListView.Horizontal
        spacing: Theme.u2
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        model: studio.outputs
        currentIndex: studio.outputs.current
        highlightMoveDuration: Theme.calm
        keyNavigationEnabled: false
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Pictures")
        T.ScrollBar.horizontal: Scroll { }
        Keys.forwardTo: [scopeKeys]
        ScopeKeys {
            id: scopeKeys
            place: list
            scope: "outputs strip"
            actions: ({
                view_open: () => strip.openAsked(),
                view_previous: () => studio.outputs.step(-1),
                view_next: () => studio.outputs.step(1),
                view_part_next: () => studio.outputs.cycle(list.currentIndex, 1),
                view_part_previous: () => studio.outputs.cycle(list.currentIndex, -1),
                view_newest: () => studio.outputs.follow(),
                view_menu: () => menu.popup(list.currentItem, 0, 0),
                view_clear: () => studio.act("view_clear"),
                view_trash: () => studio.act("view_trash"),
                view_copy: () => studio.act("view_copy")
            })
        }
        delegate: Thumbnail {
            height: list.height
            width: height
            isCurrent: ListView.isCurrentItem
            hasFocus: list.activeFocus
            onChosen: {
                list.forceActiveFocus(Qt.MouseFocusReason)
                studio.outputs.choose(index)
            }
            onOpened: strip.openAsked()
            onMenuAsked: {
                chosen()
                menu.popup()
            }
        }
        add: Transition { NumberAnimation { property: "opacity"; from: 0; to: 1; duration: Theme.calm } }
        // A picture that comes while another is still appearing must not stay half seen.
        displaced: Transition {
            NumberAnimation { property: "x"; duration: Theme.calm; easing.type: Easing.OutCubic }
            NumberAnimation { property: "opacity"; to: 1; duration: Theme.calm }
        }
    }
    PictureMenu { id: menu; onOpenAsked: strip.openAsked() }
}
