import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// What the next five pictures would be told, each with its seed.
ToolPanel {
    id: panel
    readonly property var ahead: studio.prompts.ahead
    title: qsTr("Look ahead")
    filtered: false
    onAboutToShow: ahead.roll()
    extra: Button { visible: panel.ahead.isDrawn; glyph: "dices"; text: qsTr("Roll again"); onClicked: panel.ahead.roll() }
    ListView {
        id: rows
        anchors.fill: parent
        clip: true
        spacing: Theme.u2
        boundsBehavior: Flickable.StopAtBounds
        model: panel.opened ? panel.ahead.rows : []
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: panel.title
        header: Column {
            width: rows.width - Theme.u3
            spacing: Theme.u1
            bottomPadding: Theme.u2
            Label {
                width: parent.width
                wrapMode: Text.Wrap
                color: Theme.soft
                text: panel.ahead.isDrawn ? qsTr("The seed is random, so these are examples; a seed can be kept for the next picture.")
                                          : qsTr("What the next five pictures get, wildcards and choices rolled with their seeds.")
            }
            Repeater {
                model: panel.ahead.sentences
                Label { width: parent.width; wrapMode: Text.Wrap; color: Theme.warning; text: modelData }
            }
        }
        delegate: Rectangle {
            width: rows.width - Theme.u3
            height: words.implicitHeight + 2 * Theme.u2
            radius: Theme.radius
            color: Theme.field
            Accessible.role: Accessible.ListItem
            Accessible.name: qsTr("Seed %1: %2").arg(modelData.seed).arg(modelData.prompt)
            Column {
                id: words
                x: Theme.u3
                y: Theme.u2
                width: parent.width - 2 * Theme.u3 - use.width
                spacing: Theme.u1
                Label { text: qsTr("Seed %1").arg(modelData.seed); color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
                Label { width: parent.width; wrapMode: Text.Wrap; text: modelData.prompt || qsTr("(no prompt)"); Accessible.ignored: true }
                Label { width: parent.width; wrapMode: Text.Wrap; visible: modelData.negative !== ""; text: "− " + modelData.negative; color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
            }
            Button {
                id: use
                anchors.right: parent.right
                anchors.rightMargin: Theme.u2
                anchors.verticalCenter: parent.verticalCenter
                quiet: true
                text: qsTr("Use seed")
                Accessible.name: qsTr("Use seed %1").arg(modelData.seed)
                onClicked: { studio.parameters.commit("seed", modelData.seed); panel.close() }
            }
        }
    }
}
