import QtQuick 2.15
import QtQuick.Window 2.15
import QtQuick.Templates 2.15 as T
import ".."

// The menu bar, drawn from the table of actions; it holds nothing that does not act. Alt and a menu's first letter open it.
T.MenuBar {
    id: bar
    property var actions: []
    property var checked: ({})
    property Item before
    signal picked(string action)
    property var menuNames: []
    // When the last menu has closed and nothing else took it, the focus goes back to where it was.
    function giveBack() {
        for (var index = 0; index < count; ++index) {
            if (menuAt(index).visible)
                return
        }
        if (before && Window.window.activeFocusItem === Window.window.contentItem)
            before.forceActiveFocus(Qt.OtherFocusReason)
        before = null
    }
    implicitHeight: Theme.bar
    implicitWidth: contentWidth + leftPadding
    leftPadding: Theme.u2
    spacing: 2
    Accessible.role: Accessible.MenuBar
    Accessible.name: qsTr("Menu bar")
    contentItem: Row {
        spacing: bar.spacing
        Repeater { model: bar.contentModel }
    }
    delegate: T.MenuBarItem {
        id: title
        implicitHeight: Theme.bar - Theme.u2
        y: 4
        implicitWidth: word.implicitWidth + 2 * Theme.u3
        Accessible.role: Accessible.MenuItem
        Accessible.name: title.text.replace("&", "")
        contentItem: Label {
            id: word
            text: title.text.replace("&", "")
            color: title.highlighted || title.hovered ? Theme.text : Theme.soft
            horizontalAlignment: Text.AlignHCenter
            Accessible.ignored: true
        }
        background: Rectangle { radius: Theme.radius; color: title.highlighted || title.hovered ? Theme.hover : "transparent"; FocusRing { control: title } }
    }
    Instantiator {
        model: bar.menuNames
        delegate: DropMenu {
            id: menu
            title: "&" + modelData
            actions: bar.actions.filter(row => row.menu === modelData)
            checked: bar.checked
            onPicked: action => bar.picked(action)
            onAboutToShow: if (!bar.before) bar.before = bar.Window.window.activeFocusItem
            onClosed: Qt.callLater(bar.giveBack)
        }
        onObjectAdded: (index, object) => bar.insertMenu(index, object)
        onObjectRemoved: (index, object) => bar.removeMenu(object)
    }
}
