import QtQuick 2.15
import "../controls"
import ".."

// The machines that were connected to, by name.
Column {
    id: list
    visible: studio.remote.rows.length > 0
    Label { width: parent.width; height: Theme.control; verticalAlignment: Text.AlignVCenter; text: qsTr("Saved connections"); font.weight: Font.DemiBold }
    Repeater {
        model: studio.remote.rows
        delegate: Item {
            id: row
            readonly property bool inUse: modelData.current && studio.remote.connected
            width: list.width
            height: words.implicitHeight + 2 * Theme.u2
            Rectangle { width: parent.width; height: 1; color: Theme.line }
            Column {
                id: words
                y: Theme.u2
                width: parent.width - buttons.width - Theme.u3
                Label { width: parent.width; text: modelData.name; color: row.inUse ? Theme.accent : Theme.text }
                Label {
                    width: parent.width
                    text: [modelData.endpoint, modelData.remembers ? qsTr("password remembered") : "",
                           modelData.jobs === 1 ? qsTr("one job waits for it") : modelData.jobs > 1 ? qsTr("%1 jobs wait for it").arg(modelData.jobs) : ""].filter(part => part !== "").join("   ·   ")
                    color: Theme.soft
                    font.pixelSize: Theme.small
                }
            }
            Row {
                id: buttons
                anchors.right: parent.right
                anchors.verticalCenter: parent.verticalCenter
                spacing: Theme.u1
                Button { visible: !row.inUse; text: qsTr("Connect"); hint: qsTr("Connect to %1").arg(modelData.name); onClicked: studio.remote.connectTo(modelData.name) }
                Button { quiet: true; glyph: "trash-2"; hint: qsTr("Forget %1 and its password").arg(modelData.name); onClicked: studio.remote.forget(modelData.name) }
            }
        }
    }
}
