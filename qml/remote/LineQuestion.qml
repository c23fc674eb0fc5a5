import QtQuick 2.15
import "../controls"
import ".."

// What must be answered before anything secret is sent: a certificate nobody vouches for, or a machine that was set up anew.
Rectangle {
    id: card
    readonly property var questions: studio.remote.questions
    visible: questions.isAsking
    implicitHeight: visible ? column.implicitHeight + 2 * Theme.u4 : 0
    radius: Theme.radiusLarge
    color: Theme.window
    border.color: Theme.warning
    Accessible.role: Accessible.AlertMessage
    Accessible.name: questions.title + " " + questions.sentence
    Column {
        id: column
        x: Theme.u4
        y: Theme.u4
        width: parent.width - 2 * Theme.u4
        spacing: Theme.u3
        Row {
            spacing: Theme.u2
            Icon { glyph: "triangle-alert"; colour: Theme.warning; anchors.verticalCenter: parent.verticalCenter }
            Label { text: card.questions.title; font.weight: Font.DemiBold; anchors.verticalCenter: parent.verticalCenter }
        }
        Label { width: parent.width; text: card.questions.sentence; wrapMode: Text.Wrap; color: Theme.soft }
        Row {
            anchors.right: parent.right
            spacing: Theme.u2
            Button { text: card.questions.agreement; onClicked: card.questions.agree() }
            Button { primary: true; text: qsTr("Do not connect"); onClicked: card.questions.refuse() }
        }
    }
}
