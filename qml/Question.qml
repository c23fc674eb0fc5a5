import QtQuick 2.15
import "controls"

// A choice that only the person can make: words, then up to three answers. Esc is the harmless one.
Panel {
    id: question
    property string words
    property string first
    property string second
    signal firstChosen()
    signal secondChosen()
    Label { width: parent.width; text: question.words; color: Theme.soft; wrapMode: Text.Wrap }
    buttons: [
        Button { text: qsTr("Cancel"); focus: true; onClicked: question.close() },
        Button { visible: text !== ""; text: question.second; onClicked: { question.close(); question.secondChosen() } },
        Button { text: question.first; primary: true; onClicked: { question.close(); question.firstChosen() } }
    ]
}
