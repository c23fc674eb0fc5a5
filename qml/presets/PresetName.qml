import QtQuick 2.15
import "../controls"
import ".."

// Another name for a preset.
Panel {
    id: panel
    property string which
    title: qsTr("Rename '%1'").arg(which)
    function start(name) {
        which = name
        field.text = name
        open()
        field.selectAll()
        field.forceActiveFocus(Qt.OtherFocusReason)
    }
    function take() { if (studio.presets.rename(which, field.text)) close() }
    Field { id: field; width: parent.width; Accessible.name: qsTr("New name"); wrong: studio.presets.problem !== ""; onAccepted: panel.take() }
    Label { width: parent.width; visible: text !== ""; text: studio.presets.problem; color: Theme.error; font.pixelSize: Theme.small; wrapMode: Text.Wrap }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: panel.close() },
        Button { text: qsTr("Rename"); primary: true; onClicked: panel.take() }
    ]
}
