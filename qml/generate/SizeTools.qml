import QtQuick 2.15
import "../controls"
import ".."

// The aspect that width and height keep, and a button that swaps them.
Item {
    id: tools
    implicitHeight: Theme.control + 4
    Label { id: word; width: 120; height: Theme.control; text: qsTr("Aspect"); color: studio.aspect.locked ? Theme.text : Theme.soft; Accessible.ignored: true }
    Choice {
        id: choice
        anchors.left: word.right
        anchors.leftMargin: Theme.u2
        anchors.right: swap.left
        anchors.rightMargin: Theme.u2
        height: Theme.control
        name: qsTr("Aspect")
        rows: studio.aspect.choices
        current: studio.aspect.ratio
        onChosen: value => studio.aspect.ratio = value
    }
    Button {
        id: swap
        anchors.right: parent.right
        glyph: "arrow-left-right"
        hint: qsTr("Swap width and height")
        onClicked: studio.aspect.swap()
    }
}
