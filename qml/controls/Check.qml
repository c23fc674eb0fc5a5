import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A box that is checked or clear.
T.CheckBox {
    id: check
    property string name: text
    implicitHeight: 20
    implicitWidth: 20 + (text ? Theme.u2 + word.implicitWidth : 0)
    opacity: enabled ? 1 : 0.45
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.CheckBox
    Accessible.name: name
    Accessible.checkable: true
    Accessible.checked: checked
    // As a press does: `toggle` alone tells nobody.
    function click() { check.toggle(); check.toggled() }
    Accessible.onToggleAction: check.click()
    Accessible.onPressAction: check.click()
    indicator: Rectangle {
        y: Math.round((check.height - height) / 2)
        width: 18
        height: 18
        radius: 4
        color: check.checked ? Theme.accent : Theme.field
        border.color: check.checked ? Theme.accent : check.hovered ? Theme.soft : Theme.edge
        Icon { anchors.centerIn: parent; visible: check.checked; glyph: "check"; colour: Theme.accentInk; size: Theme.px(14) }
        FocusRing { control: check }
    }
    contentItem: Label { id: word; leftPadding: 20 + Theme.u2; text: check.text; Accessible.ignored: true }
}
