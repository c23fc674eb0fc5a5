import QtQuick 2.15
import "../controls"
import ".."

// The title of a section at the side, with the one thing that can be added to it.
Item {
    id: head
    property string title
    property string glyph
    property string hint
    property bool canAsk: true
    signal asked()
    width: parent ? parent.width : 0
    height: 34
    Label {
        anchors.left: parent.left
        anchors.leftMargin: Theme.u2
        anchors.bottom: parent.bottom
        anchors.bottomMargin: Theme.u1
        text: head.title
        color: Theme.soft
        font.pixelSize: Theme.small
        font.weight: Font.DemiBold
    }
    Button {
        visible: head.glyph !== ""
        enabled: head.canAsk
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        implicitHeight: 26
        width: 26
        quiet: true
        glyph: head.glyph
        hint: head.hint
        onClicked: head.asked()
    }
}
