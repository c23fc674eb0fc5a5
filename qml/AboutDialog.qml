import QtQuick 2.15
import "controls"

// Version, folders, licences.
Panel {
    id: about
    title: "Sfumato " + studio.about.version
    Label { width: parent.width; wrapMode: Text.Wrap; color: Theme.soft; text: "A desktop studio for Stable Diffusion. Sfumato is the painter's technique of letting a picture emerge from smoke." }
    Label { width: parent.width; wrapMode: Text.WrapAnywhere; text: "Pictures: " + studio.about.outputs }
    Label { width: parent.width; wrapMode: Text.WrapAnywhere; text: "Settings, session and logs: " + studio.about.data }
    Label {
        width: parent.width
        wrapMode: Text.Wrap
        color: Theme.soft
        text: "Free software under the GNU General Public License, version 3 or later. Qt " + studio.about.qt + " and PyQt " + studio.about.pyqt
            + " (GPL 3). Fonts Inter and JetBrains Mono (SIL Open Font License 1.1). Icons Lucide (ISC)."
    }
    buttons: [ Button { text: "Close"; primary: true; focus: true; onClicked: about.close() } ]
}
