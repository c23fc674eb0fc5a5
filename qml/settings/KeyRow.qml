import QtQuick 2.15
import "../controls"
import ".."

// One action and its keys.
Item {
    id: row
    readonly property int header: modelData.opensGroup ? Theme.px(40) : 0
    signal pressed(string key)
    implicitHeight: header + Math.max(Theme.control, words.implicitHeight, tools.height) + Theme.u2
    Accessible.role: Accessible.ListItem
    Accessible.name: modelData.title + ": " + (modelData.keys.join(", ") || qsTr("no key"))
    Label {
        visible: modelData.opensGroup
        width: parent.width
        height: row.header
        text: modelData.group
        color: Theme.accent
        font.pixelSize: Theme.small
        font.weight: Font.DemiBold
        Accessible.ignored: true
    }
    Column {
        id: words
        y: row.header + (row.height - row.header - implicitHeight) / 2
        width: parent.width - tools.width - 2 * Theme.u4
        Label { width: parent.width; text: modelData.title; wrapMode: Text.Wrap; Accessible.ignored: true }
        Label { width: parent.width; text: modelData.sentence; color: Theme.soft; font.pixelSize: Theme.small; wrapMode: Text.Wrap; Accessible.ignored: true }
        Label { id: problem; width: parent.width; visible: text !== ""; color: Theme.error; font.pixelSize: Theme.small; wrapMode: Text.Wrap }
    }
    Flow {
        id: tools
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        y: row.header + (row.height - row.header - height) / 2
        width: Math.round(row.width * 0.5)
        layoutDirection: Qt.RightToLeft
        spacing: Theme.u1
        Button {
            quiet: true
            glyph: "rotate-ccw"
            enabled: !modelData.isDefault
            opacity: enabled ? 1 : 0
            hint: qsTr("Reset the keys of %1").arg(modelData.title)
            onClicked: studio.keys.reset(modelData.id)
        }
        KeyCapture {
            name: qsTr("Another key for %1").arg(modelData.title)
            onPressed: key => {
                problem.text = studio.keys.refusal(modelData.id, key)
                if (problem.text === "")
                    row.pressed(key)
            }
        }
        Repeater {
            // The row runs from right to left, and the key that menus show stands first.
            model: row.keys.slice().reverse()
            delegate: Button {
                text: modelData
                glyph: "x"
                glyphLast: true
                font.family: Theme.mono
                hint: qsTr("Take %1 away").arg(modelData)
                onClicked: studio.keys.remove(row.identity, row.keys.length - 1 - index)
            }
        }
    }
    readonly property string identity: modelData.id
    readonly property var keys: modelData.keys
}
