import QtQuick 2.15
import "controls"

// Version, folders, licences.
Panel {
    id: about
    title: "Sfumato " + studio.about.version
    Label { width: parent.width; wrapMode: Text.Wrap; color: Theme.soft; text: qsTr("A desktop studio for Stable Diffusion. Sfumato is the painter's technique of letting a picture emerge from smoke.") }
    Label { width: parent.width; wrapMode: Text.WrapAnywhere; text: qsTr("Pictures: %1").arg(studio.about.outputs) }
    Label { width: parent.width; wrapMode: Text.WrapAnywhere; text: qsTr("Settings, session and logs: %1").arg(studio.about.data) }
    Label {
        width: parent.width
        wrapMode: Text.Wrap
        color: Theme.soft
        text: qsTr("Free software under the GNU General Public License, version 3 or later. Qt %1 and PyQt %2 (GPL 3). "
            + "Fonts Inter and JetBrains Mono (SIL Open Font License 1.1). Icons Lucide (ISC).").arg(studio.about.qt).arg(studio.about.pyqt)
    }
    buttons: [ Button { text: qsTr("Close"); focus: true; onClicked: about.close() } ]
}
