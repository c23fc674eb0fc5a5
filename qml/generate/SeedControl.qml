import QtQuick 2.15
import "../controls"
import ".."

// A seed: random for each job, or a number; the last one used is a click away.
Item {
    id: control
    property var row
    readonly property Item first: number
    readonly property bool isRandom: row.text === "-1"
    NumberField {
        id: number
        anchors.left: parent.left
        anchors.right: dice.left
        anchors.rightMargin: Theme.u1
        row: control.isRandom && !activeFocus ? randomRow : control.row
        horizontalAlignment: TextInput.AlignLeft
        onActiveFocusChanged: if (activeFocus && control.isRandom) text = ""
    }
    QtObject {
        id: randomRow
        readonly property string text: qsTr("Random")
        readonly property string title: control.row.title
        readonly property string description: control.row.description
        readonly property string problem: ""
        readonly property string placeholder: ""
        readonly property string unit: ""
        readonly property bool isSet: false
    }
    Button {
        id: dice
        anchors.right: last.left
        anchors.rightMargin: Theme.u1
        glyph: "dices"
        quiet: true
        enabled: !control.isRandom
        hint: qsTr("Draw a new seed for each job")
        onClicked: control.row.reset()
    }
    Button {
        id: last
        anchors.right: parent.right
        glyph: "history"
        quiet: true
        enabled: studio.lastSeed !== "" && studio.lastSeed !== control.row.text
        hint: studio.lastSeed === "" ? qsTr("Use the last seed again") : qsTr("Use the last seed again: %1").arg(studio.lastSeed)
        onClicked: control.row.commit(studio.lastSeed)
    }
}
