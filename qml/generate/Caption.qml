import QtQuick 2.15
import "../controls"
import ".."

// Under the picture: what it is, where it is, and what can be done with it.
Item {
    id: caption
    property var shown: ({})
    readonly property bool finished: shown.painting === false
    signal openAsked()
    signal menuAsked(Item item)
    signal rescueAsked()
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
                return qsTr("Not saved: this picture is only in memory.")
            if (!caption.finished)
                // Before the first preview the place of the picture says it.
                return picture.source ? [studio.jobs.stage, studio.jobs.steps].filter(part => part !== "").join(" ") : ""
            if (picture.part > 0)
                return [picture.partTitle, qsTr("of %1").arg(picture.fileName)].join(" ")
            return [picture.incomplete ? qsTr("Incomplete") : "", picture.pictureWidth > 0 ? picture.pictureWidth + " × " + picture.pictureHeight : "",
                    picture.seed ? qsTr("Seed %1").arg(picture.seed) : "",
                    picture.state === "saving" ? qsTr("Saving") : picture.fileName].filter(part => part !== "").join("   ·   ")
        }
    }
    Row {
        id: tools
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: 2
        visible: caption.finished
        Button { visible: caption.shown.state === "unsaved"; glyph: "save"; text: qsTr("Save elsewhere"); onClicked: caption.rescueAsked() }
        Button { quiet: true; visible: !studio.outputs.follows; glyph: "radio"; hint: studio.hint("view_newest"); onClicked: studio.outputs.follow() }
        Button { quiet: true; glyph: "copy"; hint: studio.hint("view_copy"); onClicked: studio.act("view_copy") }
        Button { quiet: true; visible: caption.shown.state === "saved"; glyph: "image"; hint: studio.hint("use_image"); onClicked: studio.act("use_image") }
        Button { quiet: true; visible: caption.shown.state === "saved"; glyph: "scaling"; hint: studio.hint("upscale"); onClicked: studio.act("upscale") }
        Button { quiet: true; glyph: "maximize-2"; hint: studio.hint("view_open"); onClicked: caption.openAsked() }
        Button { id: more; quiet: true; glyph: "ellipsis"; hint: studio.hint("view_menu"); onClicked: caption.menuAsked(more) }
    }
}
