import QtQuick 2.15
import "controls"

// The newest notice, over the stage and in nobody's way: sentence, count, details, dismiss.
Rectangle {
    id: notice
    readonly property var notices: studio.notices
    readonly property bool isError: notices.kind === "error"
    property rect clear: Qt.rect(0, 0, parent ? parent.width : 640, 0)
    signal detailsAsked()
    visible: notices.present
    x: Math.round(clear.x + (clear.width - width) / 2)
    width: Math.min(Theme.px(640), clear.width - 2 * Theme.u4)
    height: Math.max(48, words.implicitHeight + 2 * Theme.u3)
    radius: Theme.radiusLarge
    color: Theme.raised
    border.color: isError ? Theme.error : Theme.line
    Accessible.role: Accessible.AlertMessage
    Accessible.name: notices.sentence
    Icon {
        id: sign
        x: Theme.u3
        y: Theme.u3 + 4
        glyph: notice.isError ? "circle-alert" : "info"
        colour: notice.isError ? Theme.error : Theme.soft
    }
    Label {
        id: words
        anchors.left: sign.right
        anchors.leftMargin: Theme.u3
        anchors.right: tools.left
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        text: notice.notices.count > 1 ? qsTr("%1  (%2 times)").arg(notice.notices.sentence).arg(notice.notices.count) : notice.notices.sentence
        wrapMode: Text.Wrap
        maximumLineCount: 6
    }
    Row {
        id: tools
        anchors.right: parent.right
        anchors.rightMargin: Theme.u2
        y: Theme.u2
        spacing: Theme.u1
        Button { visible: notice.notices.detail !== ""; text: qsTr("Details"); onClicked: notice.detailsAsked() }
        Button { quiet: true; glyph: "x"; hint: qsTr("Dismiss"); onClicked: notice.notices.dismiss() }
    }
}
