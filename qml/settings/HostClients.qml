import QtQuick 2.15
import "../controls"
import ".."

// Who is connected, and the way out for them.
Column {
    id: section
    readonly property var clients: studio.host.clients
    spacing: Theme.u2
    Label { text: section.clients.count > 0 ? qsTr("Connected: %1").arg(section.clients.count) : qsTr("Connected"); font.weight: Font.DemiBold }
    Label {
        visible: section.clients.count === 0
        width: parent.width
        wrapMode: Text.Wrap
        color: Theme.soft
        text: qsTr("Nobody yet. Copy the link and give it to somebody; who comes is listed here.")
    }
    Column {
        width: parent.width
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Connected")
        Repeater {
            model: section.clients
            delegate: Item {
                id: row
                width: section.width
                height: Math.max(words.implicitHeight, dismiss.height) + 2 * Theme.u2
                Accessible.role: Accessible.ListItem
                Accessible.name: [model.title, model.address, model.rights, model.latency, model.jobs].filter(part => part !== "").join(", ")
                Rectangle { width: parent.width; height: 1; color: Theme.line }
                Icon { id: sign; anchors.verticalCenter: parent.verticalCenter; glyph: "users"; colour: Theme.soft }
                Column {
                    id: words
                    anchors.left: sign.right
                    anchors.leftMargin: Theme.u3
                    anchors.right: figures.left
                    anchors.rightMargin: Theme.u3
                    anchors.verticalCenter: parent.verticalCenter
                    Label { width: parent.width; text: model.title; Accessible.ignored: true }
                    Label { width: parent.width; text: [model.address, model.rights].filter(part => part !== "").join(" · "); color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
                }
                Column {
                    id: figures
                    anchors.right: dismiss.left
                    anchors.rightMargin: Theme.u4
                    anchors.verticalCenter: parent.verticalCenter
                    width: Theme.px(140)
                    Label { width: parent.width; horizontalAlignment: Text.AlignRight; text: model.jobs; Accessible.ignored: true }
                    Label { width: parent.width; horizontalAlignment: Text.AlignRight; text: model.latency; color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
                }
                Button {
                    id: dismiss
                    anchors.right: parent.right
                    anchors.verticalCenter: parent.verticalCenter
                    text: qsTr("Disconnect")
                    Accessible.name: qsTr("Disconnect %1").arg(model.title)
                    onClicked: studio.host.dismiss(model.session)
                }
            }
        }
    }
}
