import QtQuick 2.15
import "../controls"
import ".."

// A distilled model wants other settings than an ordinary one: they are offered, and taken with one press.
Item {
    id: offer
    readonly property var preset: studio.parameters.preset
    visible: preset.title !== undefined
    implicitHeight: visible ? box.height + Theme.u3 : 0
    Rectangle {
        id: box
        width: parent.width
        height: words.implicitHeight + use.height + 3 * Theme.u2
        radius: Theme.radius
        color: Theme.hover
        Label {
            id: words
            x: Theme.u3
            y: Theme.u2
            width: parent.width - 2 * Theme.u3
            text: offer.preset.title !== undefined ? qsTr("%1 model: works best with %2.").arg(offer.preset.title).arg(offer.preset.words) : ""
            wrapMode: Text.Wrap
            color: Theme.text
        }
        Button {
            id: use
            objectName: "usePreset"
            x: Theme.u3
            anchors.top: words.bottom
            anchors.topMargin: Theme.u2
            text: qsTr("Use these settings")
            hint: qsTr("Fills only what you have not set yourself.")
            onClicked: studio.parameters.takePreset()
        }
    }
}
