import QtQuick 2.15
import "controls"
import "generate"

// The bar over the full view: which picture, how large, and the ways out.
Rectangle {
    id: bar
    property var view
    property bool detailed: false
    readonly property var shown: studio.outputs.shown
    signal detailsAsked()
    signal menuAsked(Item item)
    height: 48
    color: Theme.panel
    Label {
        anchors.left: parent.left
        anchors.leftMargin: Theme.u4
        anchors.right: tools.left
        anchors.rightMargin: Theme.u4
        height: parent.height
        text: bar.view.held ? qsTr("%1 beside %2; the arrows choose, Esc ends").arg(bar.view.held.name).arg(bar.shown.fileName || "") : bar.shown.prompt || ""
        color: Theme.soft
    }
    Row {
        id: tools
        anchors.right: parent.right
        anchors.rightMargin: Theme.u2
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u1
        Button { visible: !studio.outputs.follows; glyph: "radio"; text: qsTr("Follow newest"); hint: studio.hint("view_newest"); onClicked: studio.outputs.follow() }
        Label { height: Theme.control; leftPadding: Theme.u2; rightPadding: Theme.u2; text: qsTr("%1 of %2").arg(studio.outputs.current + 1).arg(studio.outputs.count); color: Theme.soft }
        Button { quiet: true; glyph: "chevron-left"; hint: studio.hint("view_previous"); enabled: studio.outputs.current > 0; onClicked: bar.view.step(-1) }
        Button { quiet: true; glyph: "chevron-right"; hint: studio.hint("view_next"); enabled: studio.outputs.current < studio.outputs.count - 1; onClicked: bar.view.step(1) }
        Button { quiet: true; text: Math.round(bar.view.factor * 100) + " %"; hint: studio.hint("view_fit"); width: Theme.px(72); onClicked: bar.view.toggleZoom() }
        Button { quiet: !bar.detailed; glyph: "info"; hint: studio.hint("view_details"); enabled: bar.shown.painting === false; onClicked: bar.detailsAsked() }
        Button { quiet: bar.view.held === null; glyph: "columns-2"; hint: studio.hint("view_compare"); enabled: studio.outputs.count > 1 && (bar.view.held !== null || bar.shown.painting === false); onClicked: bar.view.compare() }
        Button { quiet: true; glyph: "copy"; hint: studio.hint("view_copy"); enabled: bar.shown.painting === false; onClicked: studio.act("view_copy") }
        Button { quiet: true; glyph: "image"; hint: studio.hint("use_image"); enabled: bar.shown.state === "saved"; onClicked: studio.act("use_image") }
        Button { id: more; quiet: true; glyph: "ellipsis"; hint: studio.hint("view_menu"); onClicked: bar.menuAsked(more) }
        Button { quiet: true; glyph: "x"; hint: studio.hint("view_close"); onClicked: bar.view.close() }
    }
}
