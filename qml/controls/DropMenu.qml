import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A menu of actions {id, title, icon}; those named in `checked` carry a tick.
T.Menu {
    id: menu
    property var actions: []
    property var checked: ({})
    // What can act is asked anew each time the menu opens.
    property int openings: 0
    // Its lines are made at its first opening: the window starts with all of its menus, and most are never opened.
    property bool filled: false
    onAboutToShow: {
        filled = true
        ++openings
    }
    signal picked(string action)
    implicitWidth: Theme.px(256)
    implicitHeight: contentItem.contentHeight + 2 * padding
    height: Math.min(implicitHeight, T.Overlay.overlay ? T.Overlay.overlay.height - Theme.bar - 2 * margins : implicitHeight)
    padding: Theme.u1
    margins: Theme.u1
    overlap: 0
    y: parent ? parent.height + 2 : 0
    background: Rectangle { color: Theme.raised; radius: Theme.radius; border.color: Theme.line }
    contentItem: ListView {
        implicitHeight: contentHeight
        model: menu.contentModel
        clip: interactive
        interactive: contentHeight > height
        boundsBehavior: Flickable.StopAtBounds
        currentIndex: menu.currentIndex
        Accessible.role: Accessible.PopupMenu
        Accessible.name: menu.title.replace("&", "")
    }
    Instantiator {
        model: menu.filled ? menu.actions : []
        delegate: T.MenuItem {
            id: item
            // A menu that goes leaves its rows for a moment.
            readonly property bool ticked: menu !== null && menu.checked && menu.checked[modelData.id] === true || menu !== null && menu.openings >= 0 && studio.commands.ticked(modelData.id)
            text: menu !== null && menu.openings >= 0 ? studio.commands.title(modelData.id, modelData.title) : ""
            enabled: modelData.enabled !== false && menu !== null && menu.openings >= 0 && studio.commands.can(modelData.id)
            opacity: enabled ? 1 : 0.45
            implicitWidth: Theme.px(256) - 2 * Theme.u1
            implicitHeight: Theme.control
            Accessible.role: Accessible.MenuItem
            Accessible.name: text
            Accessible.description: modelData.sentence
            Accessible.checked: ticked
            onTriggered: menu.picked(modelData.id)
            contentItem: Item {
                Icon { x: Theme.u1; anchors.verticalCenter: parent.verticalCenter; glyph: item.ticked ? "check" : modelData.icon; colour: item.ticked ? Theme.accent : Theme.soft }
                Label { x: Theme.u3 + Theme.icon; height: parent.height; text: item.text; Accessible.ignored: true }
                Label {
                    anchors.right: parent.right
                    anchors.rightMargin: Theme.u2
                    height: parent.height
                    text: studio.keys.revision >= 0 ? studio.keys.shown(modelData.id) : ""
                    color: Theme.faint
                    font.pixelSize: Theme.small
                    Accessible.ignored: true
                }
            }
            background: Rectangle {
                radius: Theme.radius - 2
                color: item.highlighted || item.hovered ? Theme.hover : "transparent"
                Rectangle { visible: modelData.line === true; width: parent.width; height: 1; color: Theme.track }
            }
        }
        onObjectAdded: (index, object) => menu.insertItem(index, object)
        onObjectRemoved: (index, object) => menu.removeItem(object)
    }
}
