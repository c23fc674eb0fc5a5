import QtQuick 2.15
import "../controls"
import ".."

// What the program keeps, how large it is, and what of it can go.
Flickable {
    id: section
    property string asked
    contentHeight: column.height + Theme.u6
    boundsBehavior: Flickable.StopAtBounds
    clip: true
    Component.onCompleted: studio.dataFolder.measure()
    Column {
        id: column
        width: parent.width
        spacing: Theme.u3
        Label { width: parent.width; height: Theme.px(48); verticalAlignment: Text.AlignBottom; text: qsTr("Data folder"); font.pixelSize: Theme.large; font.weight: Font.DemiBold }
        Label { width: parent.width; text: studio.about.data; wrapMode: Text.WrapAnywhere; color: Theme.soft }
        Repeater {
            model: studio.dataFolder.rows
            delegate: Item {
                width: column.width
                height: Math.max(Theme.control, words.implicitHeight) + 2 * Theme.u2
                Rectangle { width: parent.width; height: 1; color: Theme.line }
                Column {
                    id: words
                    y: Theme.u2
                    width: parent.width - size.width - clean.width - 2 * Theme.u4
                    Label { width: parent.width; text: modelData.title; wrapMode: Text.Wrap }
                    Label { width: parent.width; text: modelData.words; color: Theme.soft; font.pixelSize: Theme.small; wrapMode: Text.Wrap }
                }
                Label {
                    id: size
                    anchors.right: clean.left
                    anchors.rightMargin: Theme.u4
                    anchors.verticalCenter: parent.verticalCenter
                    text: modelData.size || qsTr("measuring")
                    color: Theme.soft
                }
                Button {
                    id: clean
                    anchors.right: parent.right
                    anchors.verticalCenter: parent.verticalCenter
                    text: qsTr("Clean")
                    enabled: !modelData.empty
                    Accessible.name: qsTr("Clean %1").arg(modelData.title)
                    onClicked: {
                        section.asked = modelData.id
                        modelData.id === "trash" ? question.open() : studio.dataFolder.clean(modelData.id)
                    }
                }
            }
        }
    }
    Question {
        id: question
        title: qsTr("Empty the trash for good?")
        words: qsTr("What was deleted in the program and lies in its own trash cannot be brought back then. The trash of the system is not touched.")
        first: qsTr("Empty the trash")
        onFirstChosen: studio.dataFolder.clean(section.asked)
    }
}
