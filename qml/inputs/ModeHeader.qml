import QtQuick 2.15
import "../controls"
import ".."

// What Generate would make now, before anything is sent.
Item {
    id: header
    readonly property int jobs: studio.inputs.jobs
    implicitHeight: Theme.control
    Accessible.role: Accessible.StaticText
    Accessible.name: qsTr("Mode: %1").arg(studio.inputs.mode)
    Label { height: parent.height; text: studio.inputs.mode; font.weight: Font.DemiBold; color: Theme.accent; Accessible.ignored: true }
    Label {
        anchors.right: parent.right
        height: parent.height
        visible: header.jobs > 1
        text: qsTr("%1 jobs").arg(header.jobs)
        color: Theme.soft
        font.pixelSize: Theme.small
    }
}
