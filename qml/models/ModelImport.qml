import QtQuick 2.15
import "../controls"
import ".."

// The file to bring in, by its path; dropping it on the page does the same.
Panel {
    id: dialog
    title: qsTr("Import a model")
    onAboutToShow: { path.text = ""; path.forceActiveFocus() }
    function take() {
        if (path.text.trim() === "")
            return
        close()
        studio.models.take([path.text.trim()])
    }
    Label { width: parent.width; text: qsTr("Drop the file here or on the page, or paste its path. Its header decides in which folder it belongs."); color: Theme.soft; wrapMode: Text.Wrap }
    Field {
        id: path
        width: parent.width
        focus: true
        placeholderText: qsTr("Path of a .safetensors file")
        Accessible.name: qsTr("Model file")
        onAccepted: dialog.take()
        DropArea {
            anchors.fill: parent
            keys: ["text/uri-list"]
            onDropped: event => { if (event.hasUrls) { path.text = String(event.urls[0]); event.accept() } }
        }
    }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: dialog.close() },
        Button { text: qsTr("Continue"); primary: true; enabled: path.text.trim() !== ""; onClicked: dialog.take() }
    ]
}
