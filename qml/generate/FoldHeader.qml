import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The header of a section that folds. It says how many values in it differ from their defaults, and resets them.
Item {
    id: header
    property string title
    property bool open: false
    property int changes: 0
    property bool inner: false
    signal toggled()
    signal resetAsked()
    implicitHeight: Theme.control + Theme.u1
    Rectangle { visible: !header.inner; width: parent.width; height: 1; color: Theme.line }
    T.Button {
        id: fold
        y: Theme.u1
        width: header.width - (reset.visible ? reset.width + Theme.u2 : 0)
        height: Theme.control
        focusPolicy: Qt.StrongFocus
        Accessible.role: Accessible.Button
        Accessible.name: header.title + (header.open ? ", open" : ", folded") + (header.changes ? ", " + header.changes + " changed" : "")
        onClicked: header.toggled()
        Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : header.toggled()
        contentItem: Item {
            Icon { id: arrow; x: header.inner ? Theme.u3 : 0; anchors.verticalCenter: parent.verticalCenter; glyph: header.open ? "chevron-down" : "chevron-right" }
            Label { x: 24 + arrow.x; height: parent.height; text: header.title; color: fold.hovered ? Theme.text : Theme.soft; Accessible.ignored: true }
            Label {
                anchors.right: parent.right
                height: parent.height
                visible: header.changes > 0
                text: header.changes === 1 ? "1 value set" : header.changes + " values set"
                color: Theme.accent
                font.pixelSize: Theme.small
                Accessible.ignored: true
            }
        }
        background: Item { FocusRing { control: fold } }
    }
    Button {
        id: reset
        visible: header.changes > 0
        anchors.right: parent.right
        y: Theme.u1
        quiet: true
        glyph: "rotate-ccw"
        hint: header.inner ? "Reset " + header.title.toLowerCase() : "Reset the advanced parameters"
        onClicked: header.resetAsked()
    }
}
