import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// Everything about the current model.
FocusScope {
    id: pane
    readonly property var model: studio.models.details
    signal editAsked()
    signal menuAsked(Item item)
    clip: true
    Rectangle { anchors.fill: parent; color: Theme.window }
    Rectangle { width: 1; height: parent.height; color: Theme.line }
    Flickable {
        id: view
        anchors.fill: parent
        anchors.leftMargin: 1
        contentHeight: body.height + 2 * Theme.u4
        boundsBehavior: Flickable.StopAtBounds
        T.ScrollBar.vertical: Scroll { }
        Column {
            id: body
            x: Theme.u4
            y: Theme.u4
            width: view.width - 2 * Theme.u4
            spacing: Theme.u3
            Item {
                width: parent.width
                height: pane.model.preview ? Math.min(width, Theme.px(300)) : 0
                visible: height > 0
                Rectangle { anchors.fill: parent; radius: Theme.radius; color: Theme.stage }
                Shot { anchors.fill: parent; anchors.margins: 2; fill: false; path: pane.model.preview || ""; description: qsTr("Picture of %1").arg(pane.model.name || "") }
            }
            Column {
                width: parent.width
                spacing: 2
                Label { width: parent.width; text: pane.model.name || ""; font.pixelSize: Theme.large; font.weight: Font.DemiBold; wrapMode: Text.WrapAnywhere; elide: Text.ElideNone }
                Label { width: parent.width; visible: text !== ""; text: pane.model.title || ""; color: Theme.soft; wrapMode: Text.Wrap }
                Label { width: parent.width; text: [pane.model.category, pane.model.fileName].filter(part => part).join("  ·  "); color: Theme.faint; font.pixelSize: Theme.small; elide: Text.ElideMiddle }
            }
            Row {
                spacing: Theme.u1
                Button {
                    readonly property bool convertible: pane.model.kind === "pickle"
                    primary: !pane.model.active
                    visible: !pane.model.problem || convertible
                    text: convertible ? qsTr("Convert") : pane.model.insertable ? (pane.model.active ? qsTr("Take out") : qsTr("Insert")) : pane.model.active ? qsTr("In use") : qsTr("Use")
                    hint: convertible ? qsTr("Write it anew as .safetensors") : pane.model.negative ? qsTr("Insert into the negative prompt, or take out") : studio.hint("model_activate")
                    onClicked: convertible ? studio.models.convert() : studio.models.activate(studio.models.currentIndex)
                }
                Button { quiet: !pane.model.favourite; glyph: "star"; hint: studio.hint("model_favourite"); onClicked: studio.models.toggleFavourite() }
                Button { quiet: true; glyph: "pencil"; hint: qsTr("Edit description, trigger words, weight and tags"); onClicked: pane.editAsked() }
                Button { quiet: true; visible: pane.model.kind === "safetensors"; glyph: "file-search"; hint: qsTr("Inspect the header"); onClicked: studio.models.inspect() }
                Button { id: more; quiet: true; glyph: "ellipsis"; hint: qsTr("More"); onClicked: pane.menuAsked(more) }
            }
            Rectangle {
                width: parent.width
                visible: problem.text !== ""
                height: problem.implicitHeight + 2 * Theme.u3
                radius: Theme.radius
                color: Theme.panel
                border.color: Theme.warning
                Label { id: problem; x: Theme.u3; y: Theme.u3; width: parent.width - 2 * Theme.u3; text: pane.model.problem || ""; wrapMode: Text.Wrap; color: Theme.text }
            }
            Column {
                width: parent.width
                spacing: Theme.u1
                visible: words.count > 0
                Label { text: qsTr("Trigger words"); color: Theme.soft; font.pixelSize: Theme.small }
                Flow {
                    width: parent.width
                    spacing: Theme.u1
                    Repeater {
                        id: words
                        model: pane.model.words || []
                        delegate: ModelChip { text: modelData; limit: body.width; hint: qsTr("Insert into the prompt, or take out"); onClicked: studio.models.insert(modelData) }
                    }
                }
            }
            Column {
                width: parent.width
                spacing: Theme.u1
                Repeater {
                    model: pane.model.facts || []
                    delegate: Item {
                        width: body.width
                        height: Theme.px(20)
                        Label { width: Theme.px(92); height: parent.height; text: modelData.name; color: Theme.faint; font.pixelSize: Theme.small }
                        Label { x: Theme.px(96); width: parent.width - x; height: parent.height; text: modelData.value; font.pixelSize: Theme.small }
                    }
                }
                Item {
                    width: body.width
                    height: Theme.px(20)
                    visible: (pane.model.weight || "") !== ""
                    Label { width: Theme.px(92); height: parent.height; text: qsTr("Weight"); color: Theme.faint; font.pixelSize: Theme.small }
                    Label { x: Theme.px(96); height: parent.height; text: pane.model.weight || ""; font.pixelSize: Theme.small }
                }
            }
            Flow {
                width: parent.width
                spacing: Theme.u1
                visible: tags.count > 0
                Repeater {
                    id: tags
                    model: pane.model.tags || []
                    delegate: ModelChip { text: modelData; limit: body.width; hint: qsTr("Search for it"); quiet: true; onClicked: studio.models.search(modelData) }
                }
            }
            Text {
                id: description
                width: parent.width
                visible: text !== ""
                text: pane.model.description || ""
                textFormat: Text.RichText
                wrapMode: Text.Wrap
                color: Theme.text
                linkColor: Theme.accent
                font.family: Theme.family
                font.pixelSize: Theme.body
                Accessible.role: Accessible.StaticText
                Accessible.name: pane.model.plainDescription || ""
                onLinkActivated: link => studio.models.askLink(link)
            }
            Label {
                width: parent.width
                visible: !description.visible && words.count === 0 && !pane.model.problem
                text: pane.model.preview ? qsTr("No description yet. Edit writes one beside the file.") : qsTr("Drop a picture on the card to give it one; Edit writes a description beside the file.")
                color: Theme.faint
                font.pixelSize: Theme.small
                wrapMode: Text.Wrap
            }
        }
    }
}
