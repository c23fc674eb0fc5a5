import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "controls"

// Stands where a page could not be made: what happened, and what can be done. The other pages work.
FocusScope {
    id: failure
    property string title
    property string detail
    signal retryAsked()
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("%1 could not be shown").arg(title)
    Column {
        anchors.centerIn: parent
        width: Math.min(parent.width - 2 * Theme.u6, Theme.px(640))
        spacing: Theme.u4
        Icon { anchors.horizontalCenter: parent.horizontalCenter; glyph: "triangle-alert"; size: Theme.px(40); colour: Theme.warning }
        Label { width: parent.width; horizontalAlignment: Text.AlignHCenter; wrapMode: Text.Wrap; text: qsTr("%1 could not be shown").arg(failure.title); font.pixelSize: Theme.large; font.weight: Font.DemiBold }
        Label { width: parent.width; horizontalAlignment: Text.AlignHCenter; wrapMode: Text.Wrap; color: Theme.soft; text: qsTr("A file of the program is damaged or missing. The other pages work; the details help whoever mends it.") }
        Flickable {
            width: parent.width
            height: Math.min(words.implicitHeight, Theme.px(160))
            contentHeight: words.implicitHeight
            clip: true
            boundsBehavior: Flickable.StopAtBounds
            T.ScrollBar.vertical: Scroll { }
            Label { id: words; width: parent.width - Theme.u4; wrapMode: Text.WrapAnywhere; text: failure.detail; color: Theme.soft; font.family: Theme.mono; font.pixelSize: Theme.small }
        }
        Row {
            anchors.horizontalCenter: parent.horizontalCenter
            spacing: Theme.u2
            Button { glyph: "copy"; text: qsTr("Copy details"); onClicked: studio.copyText(failure.detail) }
            Button { primary: true; focus: true; glyph: "rotate-ccw"; text: qsTr("Retry"); onClicked: failure.retryAsked() }
        }
    }
}
