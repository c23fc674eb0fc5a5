import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// On or off.
T.Switch {
    id: toggle
    property string name: text
    implicitHeight: 24
    implicitWidth: 36
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.CheckBox
    Accessible.name: name
    Accessible.checkable: true
    Accessible.checked: checked
    // As a press does: `toggle` alone tells nobody.
    function click() { toggle.toggle(); toggle.toggled() }
    Accessible.onToggleAction: toggle.click()
    Accessible.onPressAction: toggle.click()
    indicator: Rectangle {
        y: Math.round((toggle.height - height) / 2)
        width: 36
        height: 20
        radius: 10
        color: toggle.checked ? Theme.accent : Theme.track
        border.color: toggle.checked ? Theme.accent : Theme.edge
        Rectangle {
            x: toggle.checked ? parent.width - width - 3 : 3
            anchors.verticalCenter: parent.verticalCenter
            width: 14
            height: 14
            radius: 7
            color: toggle.checked ? Theme.accentInk : Theme.knob
            border.color: toggle.checked || !Theme.light ? "transparent" : Theme.edge
            Behavior on x { NumberAnimation { duration: Theme.quick } }
        }
        FocusRing { control: toggle; radius: 12 }
    }
}
