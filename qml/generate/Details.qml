import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// What the picture was made with, laid over it.
Rectangle {
    id: details
    readonly property var told: studio.pictures.details
    readonly property bool silent: told.rows !== undefined && told.rows.length === 0 && !told.prompt
    readonly property real wanted: body.height + 2 * Theme.u3 + (use.visible ? Theme.control + Theme.u3 : 0)
    color: Theme.panel
    border.color: Theme.line
    radius: Theme.radiusLarge
    opacity: 0.96
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Parameters of the picture")
    onVisibleChanged: if (visible) studio.pictures.readDetails()
    Connections {
        target: studio.outputs
        function onChanged() { if (details.visible) studio.pictures.readDetails() }
    }
    // Wheel and drag are for the text here.
    HoverHandler { }
    TapHandler { }
    Flickable {
        id: view
        anchors.fill: parent
        anchors.margins: Theme.u3
        anchors.bottomMargin: use.visible ? Theme.control + Theme.u4 : Theme.u3
        contentHeight: body.height
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        T.ScrollBar.vertical: Scroll { }
        Column {
            id: body
            width: view.width - Theme.u3
            spacing: Theme.u2
            Label { width: parent.width; visible: text !== ""; text: details.told.prompt || ""; wrapMode: Text.Wrap }
            Label { width: parent.width; visible: text !== ""; text: details.told.negative ? qsTr("Not: %1").arg(details.told.negative) : ""; color: Theme.soft; wrapMode: Text.Wrap }
            Rectangle { visible: !details.silent; width: parent.width; height: 1; color: Theme.line }
            Repeater {
                model: details.told.rows || []
                delegate: Item {
                    width: body.width
                    height: Math.max(key.implicitHeight, value.implicitHeight)
                    Label { id: key; width: parent.width * 0.42; text: modelData.key; color: Theme.soft; font.pixelSize: Theme.small }
                    Label { id: value; x: parent.width * 0.44; width: parent.width * 0.56; text: modelData.value; font.pixelSize: Theme.small; wrapMode: Text.Wrap; maximumLineCount: 6 }
                }
            }
            Label { visible: details.told.rows !== undefined && details.told.rows.length === 0; width: parent.width; text: qsTr("The picture does not tell how it was made."); color: Theme.soft; wrapMode: Text.Wrap }
        }
    }
    Button {
        id: use
        visible: !details.silent
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        anchors.margins: Theme.u2
        quiet: true
        glyph: "clipboard-list"
        text: qsTr("Use parameters")
        hint: studio.hint("use_parameters")
        enabled: details.told.path !== undefined && details.told.path !== ""
        onClicked: studio.act("use_parameters")
    }
}
