import QtQuick 2.15
import "../controls"
import ".."

// Under the picture: what it is, where it is, and what can be done with it.
Item {
    id: caption
    property var shown: ({})
    readonly property bool finished: shown.painting === false
    signal openAsked()
    implicitHeight: 40
    height: 40
    Label {
        anchors.left: parent.left
        anchors.leftMargin: Theme.u4
        anchors.right: tools.left
        anchors.rightMargin: Theme.u3
        height: parent.height
        font.pixelSize: Theme.small
        color: caption.shown.state === "unsaved" ? Theme.error : Theme.soft
        text: {
            var picture = caption.shown
            if (picture.state === "unsaved")
                return "Not saved: this picture is only in memory."
            if (!caption.finished)
                return [studio.jobs.stage, studio.jobs.steps].filter(part => part !== "").join(" ")
            return [picture.pictureWidth > 0 ? picture.pictureWidth + " × " + picture.pictureHeight : "",
                    picture.seed ? "Seed " + picture.seed : "", picture.state === "saving" ? "Saving" : picture.fileName].filter(part => part !== "").join("   ·   ")
        }
    }
    Row {
        id: tools
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: 2
        visible: caption.finished
        Button { visible: caption.shown.state === "unsaved"; glyph: "save"; text: "Save elsewhere"; onClicked: saver.open() }
        Button { quiet: true; glyph: "copy"; hint: studio.hint("view_copy"); onClicked: studio.outputs.copy(studio.outputs.current) }
        Button { quiet: true; visible: caption.shown.state === "saved"; glyph: "image"; hint: studio.hint("use_image"); onClicked: studio.act("use_image") }
        Button { quiet: true; visible: caption.shown.state === "saved"; glyph: "folder-open"; hint: "Show in folder"; onClicked: studio.outputs.visit(studio.outputs.current) }
        Button { quiet: true; glyph: "maximize-2"; hint: studio.hint("view_open"); onClicked: caption.openAsked() }
    }
    SaveElsewhere { id: saver }
}
