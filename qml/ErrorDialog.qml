import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "controls"

// A notice at length: the sentence first, numbers and traces below it, to be copied.
Panel {
    id: dialog
    title: studio.notices.kind === "error" ? qsTr("What went wrong") : qsTr("Details")
    width: Math.min(680, parent ? parent.width - 2 * Theme.u6 : 680)
    Label { width: parent.width; text: studio.notices.sentence; wrapMode: Text.Wrap }
    Rectangle {
        width: parent.width
        height: Math.min(280, trace.implicitHeight + 2 * Theme.u2)
        color: Theme.field
        radius: Theme.radius
        border.color: Theme.line
        Flickable {
            id: view
            anchors.fill: parent
            anchors.margins: 1
            clip: true
            boundsBehavior: Flickable.StopAtBounds
            T.ScrollBar.vertical: Scroll { }
            T.TextArea.flickable: T.TextArea {
                id: trace
                padding: Theme.u2
                rightPadding: Theme.u4
                readOnly: true
                selectByMouse: true
                wrapMode: TextEdit.WrapAtWordBoundaryOrAnywhere
                textFormat: TextEdit.PlainText
                text: studio.notices.detail
                color: Theme.soft
                selectionColor: Theme.accent
                selectedTextColor: Theme.accentInk
                font.family: Theme.mono
                font.pixelSize: Theme.small
                Accessible.role: Accessible.EditableText
                Accessible.name: qsTr("Details")
                Accessible.readOnly: true
            }
        }
    }
    buttons: [
        Button { text: qsTr("Copy details"); glyph: "copy"; onClicked: studio.notices.copyDetails() },
        Button { text: qsTr("Close"); primary: true; focus: true; onClicked: dialog.close() }
    ]
}
