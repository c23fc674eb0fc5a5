import QtQuick 2.15
import "../controls"
import ".."

// A question of the page, in the page: Enter gives the answer that is meant, Esc none.
FocusScope {
    id: bar
    readonly property var asking: studio.models.asking
    readonly property bool asked: asking.words !== ""
    signal done()
    height: asked ? Math.max(Theme.px(52), words.implicitHeight + 2 * Theme.u3) : 0
    visible: asked
    Accessible.role: Accessible.Dialog
    Accessible.name: asking.words
    onAskedChanged: {
        if (asked)
            answers.itemAt(0).forceActiveFocus(Qt.OtherFocusReason)
        else
            done()
    }
    Keys.onEscapePressed: asking.give(-1)
    Rectangle { anchors.fill: parent; color: Theme.raised }
    Rectangle { width: parent.width; height: 1; color: Theme.accent }
    Label {
        id: words
        anchors.left: parent.left
        anchors.leftMargin: Theme.u4
        anchors.right: row.left
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        text: bar.asking.words
        wrapMode: Text.Wrap
    }
    Row {
        id: row
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u2
        Repeater {
            id: answers
            model: bar.asking.answers
            delegate: Button { text: modelData.words; primary: modelData.isFirst; onClicked: bar.asking.give(index) }
        }
        Button { text: qsTr("Cancel"); onClicked: bar.asking.give(-1) }
    }
}
