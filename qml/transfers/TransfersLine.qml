import QtQuick 2.15
import "../controls"
import ".."

// Where machines are chosen: what is on its way, and the way to the list.
Rectangle {
    id: card
    implicitHeight: Math.max(words.implicitHeight, show.height) + 2 * Theme.u4
    radius: Theme.radiusLarge
    color: Theme.window
    border.color: Theme.line
    Icon { id: sign; x: Theme.u4; y: Theme.u4; glyph: "arrow-down-up"; colour: studio.transfers.open > 0 ? Theme.accent : Theme.faint }
    Column {
        id: words
        anchors.left: sign.right
        anchors.leftMargin: Theme.u3
        anchors.right: show.left
        anchors.rightMargin: Theme.u4
        y: Theme.u4
        spacing: Theme.u1
        Label { width: parent.width; text: qsTr("Transfers"); font.weight: Font.DemiBold }
        Label { width: parent.width; text: studio.transfers.summary || qsTr("Models that are downloaded, sent or fetched."); color: Theme.soft; font.pixelSize: Theme.small; wrapMode: Text.Wrap }
    }
    Button { id: show; anchors.right: parent.right; anchors.rightMargin: Theme.u4; y: Theme.u4; text: qsTr("Show"); hint: studio.hint("transfers"); onClicked: studio.transfers.show(true) }
}
