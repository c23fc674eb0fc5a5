import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// What the picture with the frame tells, and what is thought of it.
Rectangle {
    id: pane
    readonly property var shown: studio.history.details.shown
    readonly property bool known: shown.path !== undefined
    signal tagAsked()
    color: Theme.window
    Label {
        anchors.centerIn: parent
        visible: !pane.known
        width: parent.width - 2 * Theme.u6
        horizontalAlignment: Text.AlignHCenter
        wrapMode: Text.Wrap
        color: Theme.faint
        text: qsTr("Choose a picture to see how it was made.")
    }
    Flickable {
        anchors.fill: parent
        anchors.margins: Theme.u4
        anchors.rightMargin: Theme.u3
        visible: pane.known
        contentHeight: column.height
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        T.ScrollBar.vertical: Scroll { }
        Column {
            id: column
            width: parent.width - Theme.u2
            spacing: Theme.u2
            Label { width: parent.width; text: pane.shown.name || ""; font.weight: Font.DemiBold; elide: Text.ElideMiddle }
            Label {
                width: parent.width
                text: pane.known ? (pane.shown.gone ? qsTr("The file is not there any more.") : [pane.shown.size, pane.shown.bytes, pane.shown.when].join("  ·  ")) : ""
                color: pane.shown.gone ? Theme.warning : Theme.soft
                font.pixelSize: Theme.small
                wrapMode: Text.Wrap
            }
            Row {
                spacing: 0
                Repeater {
                    model: 5
                    delegate: Button {
                        readonly property bool lit: index < (pane.shown.rating || 0)
                        quiet: true
                        implicitHeight: 28
                        width: 28
                        hint: studio.hint("history_rate_" + (index + 1))
                        Accessible.checked: lit
                        onClicked: studio.history.deeds.rate(pane.shown.rating === index + 1 ? 0 : index + 1)
                        Icon { anchors.centerIn: parent; glyph: parent.lit ? "star-filled" : "star"; colour: parent.lit ? Theme.warning : Theme.edge }
                    }
                }
                Item { width: Theme.u3; height: 1 }
                Button {
                    quiet: true
                    implicitHeight: 28
                    width: 28
                    hint: studio.hint("history_favourite")
                    Accessible.checked: pane.shown.favourite === true
                    onClicked: studio.history.deeds.favour()
                    Icon { anchors.centerIn: parent; glyph: pane.shown.favourite ? "heart-filled" : "heart"; colour: pane.shown.favourite ? Theme.accent : Theme.edge }
                }
                Button { quiet: true; implicitHeight: 28; width: 28; glyph: "tag"; hint: studio.hint("history_tag"); onClicked: pane.tagAsked() }
                Button { quiet: true; implicitHeight: 28; width: 28; glyph: "copy"; hint: qsTr("Copy everything that is recorded"); enabled: studio.history.details.rows.length > 0; onClicked: studio.history.details.copyAll() }
            }
            Flow {
                width: parent.width
                spacing: Theme.u1
                visible: studio.history.details.tags.length > 0
                Repeater {
                    model: studio.history.details.tags
                    delegate: Button {
                        implicitHeight: 24
                        text: modelData
                        glyph: "x"
                        hint: qsTr("Take the tag %1 away").arg(modelData)
                        Accessible.name: hint
                        onClicked: studio.history.deeds.untag(modelData)
                    }
                }
            }
            Rectangle { width: parent.width; height: 1; color: Theme.line }
            Label { width: parent.width; visible: text !== ""; text: studio.history.details.problem; color: Theme.warning; wrapMode: Text.Wrap }
            Repeater {
                model: studio.history.details.rows
                delegate: Item {
                    id: entry
                    width: column.width
                    height: modelData.long ? title.height + words.implicitHeight + Theme.u1 : Math.max(22, words.implicitHeight)
                    Label { id: title; width: modelData.long ? parent.width - 24 : parent.width * 0.44; height: 22; text: modelData.title; color: Theme.soft; font.pixelSize: Theme.small }
                    TextEdit {
                        id: words
                        x: modelData.long ? 0 : parent.width * 0.46
                        y: modelData.long ? title.height : 3
                        width: parent.width - x
                        text: modelData.text
                        textFormat: TextEdit.PlainText
                        readOnly: true
                        selectByMouse: true
                        wrapMode: TextEdit.Wrap
                        color: Theme.text
                        selectionColor: Theme.accent
                        selectedTextColor: Theme.accentInk
                        font.family: Theme.family
                        font.pixelSize: modelData.long ? Theme.body : Theme.small
                        Accessible.role: Accessible.StaticText
                        Accessible.name: modelData.title + ": " + modelData.text
                    }
                    Button {
                        visible: modelData.long && (over.hovered || activeFocus)
                        anchors.right: parent.right
                        implicitHeight: 22
                        width: 22
                        quiet: true
                        glyph: "copy"
                        hint: qsTr("Copy %1").arg(modelData.title)
                        onClicked: studio.history.details.copy(modelData.text)
                    }
                    HoverHandler { id: over }
                }
            }
            Label {
                visible: pane.known && studio.history.details.rows.length === 0 && studio.history.details.problem === "" && !pane.shown.gone
                width: parent.width
                text: qsTr("The picture does not tell how it was made.")
                color: Theme.faint
                wrapMode: Text.Wrap
            }
        }
    }
}
