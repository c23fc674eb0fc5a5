import QtQuick 2.15
import QtQuick.Window 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A modal dialog: title, whatever is put into it, buttons below. Esc closes it and the focus goes back to where it was.
T.Popup {
    id: panel
    property string title
    property Item before
    default property alias content: body.data
    property alias buttons: footer.data
    parent: T.Overlay.overlay
    x: parent ? Math.round((parent.width - width) / 2) : 0
    y: parent ? Math.round((parent.height - height) / 2) : 0
    width: Math.min(520, parent ? parent.width - 2 * Theme.u6 : 520)
    height: Math.min(implicitHeight, parent ? parent.height - 2 * Theme.u6 : implicitHeight)
    implicitHeight: heading.height + body.implicitHeight + footer.height + 2 * padding + 2 * Theme.u4
    padding: Theme.u6
    modal: true
    focus: true
    closePolicy: T.Popup.CloseOnEscape
    onAboutToShow: before = panel.parent.Window.window.activeFocusItem
    onClosed: if (before) before.forceActiveFocus()
    T.Overlay.modal: Rectangle { color: Theme.shade }
    background: Rectangle { color: Theme.panel; radius: Theme.radiusLarge; border.color: Theme.line }
    contentItem: FocusScope {
        focus: true
        Accessible.role: Accessible.Dialog
        Accessible.name: panel.title
        Label { id: heading; width: parent.width; text: panel.title; font.pixelSize: Theme.large; font.weight: Font.DemiBold; wrapMode: Text.Wrap }
        Column {
            id: body
            anchors.top: heading.bottom
            anchors.topMargin: Theme.u4
            width: parent.width
            spacing: Theme.u3
        }
        Row {
            id: footer
            anchors.right: parent.right
            anchors.bottom: parent.bottom
            spacing: Theme.u2
        }
    }
}
