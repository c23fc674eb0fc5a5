import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The header of a section: a click folds it, a right click pins, hides or resets it. Folded it says its main values; a dot tells that something is set.
Item {
    id: header
    property string title
    property string summary
    property bool open: false
    property bool pinned: false
    property bool movable: true
    property int changes: 0
    signal toggled()
    signal resetAsked()
    signal pinAsked()
    signal hideAsked()
    signal focused(Item item)
    implicitHeight: Theme.control + Theme.u1
    T.Button {
        id: fold
        y: Theme.u1
        x: -Theme.u1
        width: header.width + Theme.u1
        height: Theme.control
        focusPolicy: Qt.StrongFocus
        Accessible.role: Accessible.Button
        Accessible.name: header.title + ", " + (header.open ? qsTr("open") : qsTr("folded")) + (header.changes ? ", " + qsTr("%n value(s) set", "", header.changes) : "")
        Accessible.onPressAction: header.toggled()
        onClicked: header.toggled()
        onActiveFocusChanged: if (activeFocus) header.focused(header)
        Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : header.toggled()
        Keys.onPressed: event => {
            if (event.key === Qt.Key_Menu) {
                menu.popup(fold, Theme.u4, fold.height)
                event.accepted = true
            }
        }
        contentItem: Item {
            Icon { id: arrow; size: Theme.px(14); anchors.verticalCenter: parent.verticalCenter; glyph: header.open ? "chevron-down" : "chevron-right" }
            Label {
                id: word
                x: Theme.px(14) + Theme.u2
                height: parent.height
                text: header.title
                font.weight: Font.DemiBold
                color: fold.hovered || header.open ? Theme.text : Theme.soft
                Accessible.ignored: true
            }
            Rectangle {
                id: dot
                visible: header.changes > 0
                anchors.left: word.right
                anchors.leftMargin: Theme.u2
                anchors.verticalCenter: parent.verticalCenter
                width: 6
                height: 6
                radius: 3
                color: Theme.accent
            }
            Label {
                anchors.left: dot.right
                anchors.leftMargin: Theme.u2
                anchors.right: pin.visible ? pin.left : parent.right
                anchors.rightMargin: Theme.u1
                height: parent.height
                horizontalAlignment: Text.AlignRight
                visible: !header.open
                text: header.summary
                color: Theme.faint
                font.pixelSize: Theme.small
                Accessible.ignored: true
            }
            Icon { id: pin; visible: header.pinned; glyph: "pin"; size: Theme.px(12); anchors.right: parent.right; anchors.verticalCenter: parent.verticalCenter; colour: Theme.faint }
        }
        background: Rectangle { radius: Theme.radius; color: fold.hovered ? Theme.hover : "transparent"; FocusRing { control: fold } }
        TapHandler { acceptedButtons: Qt.RightButton; onTapped: menu.popup() }
    }
    ContextMenu {
        id: menu
        title: header.title
        rows: () => [{ id: "reset", title: qsTr("Reset this section"), icon: "rotate-ccw", enabled: header.changes > 0 }].concat(header.movable ? [
            { id: "pin", title: header.pinned ? qsTr("Back into its place") : qsTr("Pin to the top"), icon: header.pinned ? "pin-off" : "pin" },
            { id: "hide", title: qsTr("Hide this section"), icon: "eye-off" }] : [])
        onPicked: action => action === "reset" ? header.resetAsked() : action === "pin" ? header.pinAsked() : header.hideAsked()
    }
}
