import QtQuick 2.15
import "controls"

// The bar over the full view: which picture, how large, and the ways out.
Rectangle {
    id: bar
    property var view
    readonly property var shown: studio.outputs.shown
    height: 48
    color: Theme.panel
    Label {
        anchors.left: parent.left
        anchors.leftMargin: Theme.u4
        anchors.right: tools.left
        anchors.rightMargin: Theme.u4
        height: parent.height
        text: bar.shown.prompt || ""
        color: Theme.soft
    }
    Row {
        id: tools
        anchors.right: parent.right
        anchors.rightMargin: Theme.u2
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u1
        Label { height: Theme.control; rightPadding: Theme.u2; text: (studio.outputs.current + 1) + " of " + studio.outputs.count; color: Theme.soft }
        Button { quiet: true; glyph: "chevron-left"; hint: studio.hint("view_previous"); enabled: studio.outputs.current > 0; onClicked: bar.view.step(-1) }
        Button { quiet: true; glyph: "chevron-right"; hint: studio.hint("view_next"); enabled: studio.outputs.current < studio.outputs.count - 1; onClicked: bar.view.step(1) }
        Button { quiet: true; text: Math.round(bar.view.factor * 100) + " %"; hint: studio.hint("view_fit"); width: 72; onClicked: bar.view.toggleZoom() }
        Button { quiet: true; glyph: "copy"; hint: studio.hint("view_copy"); enabled: bar.shown.painting === false; onClicked: studio.outputs.copy(studio.outputs.current) }
        Button { quiet: true; glyph: "image"; hint: studio.hint("use_image"); enabled: bar.shown.state === "saved"; onClicked: studio.act("use_image") }
        Button { quiet: true; glyph: "x"; hint: studio.hint("view_close"); onClicked: bar.view.close() }
    }
}
