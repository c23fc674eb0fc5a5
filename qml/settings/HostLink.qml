import QtQuick 2.15
import "../controls"
import ".."

// What others open to come here. Its secret is dots until it is shown; Copy takes the whole.
Column {
    id: section
    readonly property var host: studio.host
    property bool showsCode: false
    signal codeAsked()
    spacing: Theme.u2
    Label { text: qsTr("Connection link"); font.weight: Font.DemiBold }
    Rectangle {
        width: parent.width
        height: Math.max(link.implicitHeight, tools.height) + 2 * Theme.u3
        radius: Theme.radius
        color: Theme.field
        border.color: Theme.line
        Label {
            id: link
            anchors.left: parent.left
            anchors.leftMargin: Theme.u3
            anchors.right: tools.left
            anchors.rightMargin: Theme.u3
            anchors.verticalCenter: parent.verticalCenter
            text: section.host.link
            font.family: Theme.mono
            wrapMode: Text.WrapAnywhere
            Accessible.name: qsTr("Connection link")
        }
        Row {
            id: tools
            anchors.right: parent.right
            anchors.rightMargin: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            spacing: Theme.u1
            Button { glyph: "qr-code"; quiet: true; tinted: section.showsCode; hint: section.showsCode ? qsTr("Hide the QR code") : qsTr("Show the link as a QR code"); onClicked: section.codeAsked() }
            Button { glyph: "copy"; text: qsTr("Copy link"); primary: true; hint: qsTr("Copy the link with its password"); onClicked: section.host.copyLink() }
        }
    }
    QrCode {
        visible: section.showsCode
        side: Math.min(Theme.px(280), section.width)
        rows: visible && section.host.link !== "" ? section.host.code() : []
        description: qsTr("The connection link as a QR code")
    }
    Label {
        width: parent.width
        wrapMode: Text.Wrap
        color: Theme.soft
        font.pixelSize: Theme.small
        text: qsTr("Opened in Sfumato on another machine it asks there, then connects. Give it only to people you trust: whoever has it can come.")
    }
    component Place: Item {
        property string name
        property string value
        width: section.width
        height: Theme.control
        visible: value !== ""
        Label { width: Theme.px(136); height: parent.height; text: parent.name; color: Theme.soft }
        Label { x: Theme.px(136); width: parent.width - x - copy.width - Theme.u2; height: parent.height; text: parent.value; font.family: Theme.mono }
        Button { id: copy; anchors.right: parent.right; quiet: true; glyph: "copy"; hint: qsTr("Copy %1").arg(parent.value); onClicked: studio.copyText(parent.value) }
    }
    Place { name: qsTr("Endpoint"); value: section.host.endpoint }
    Place { name: qsTr("Public address"); value: section.host.publicEndpoint }
    Label {
        visible: section.host.hasTunnel && section.host.publicEndpoint === ""
        height: Theme.control
        color: Theme.soft
        text: qsTr("The tunnel has not printed its public address yet.")
    }
}
