import QtQuick 2.15
import "../controls"
import ".."

// The small form of an upscaling, drawn from its parameters: the picture on the stage becomes a job of the queue.
Panel {
    id: dialog
    title: qsTr("Upscale the picture")
    width: Math.min(Theme.px(440), parent ? parent.width - 2 * Theme.u6 : 440)
    function send() {
        studio.pictures.enlarge()
        close()
    }
    Repeater {
        model: dialog.visible ? studio.pictures.upscaling.sections.filter(section => section.name === "upscale" || section.name === "faces") : []
        delegate: Column {
            id: section
            required property var modelData
            width: parent.width
            spacing: Theme.u1
            Repeater {
                model: section.modelData
                delegate: ParameterRow { width: section.width; form: studio.pictures.upscaling }
            }
        }
    }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: dialog.close() },
        Button { text: qsTr("Upscale"); glyph: "scaling"; primary: true; focus: true; onClicked: dialog.send() }
    ]
}
