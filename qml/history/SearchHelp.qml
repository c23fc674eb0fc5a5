import QtQuick 2.15
import "../controls"
import ".."

// What can be written into the search field.
Panel {
    id: help
    title: qsTr("What can be searched")
    Repeater {
        model: [
            ["red fox", qsTr("both words in the prompt, also inside other words")],
            ["\"red fox\"", qsTr("the words just like that")],
            ["-blurry", qsTr("without a word; works before fields too")],
            ["fox OR wolf; snow", qsTr("one of the first two, and the last")],
            ["steps>30  scale:5..7", qsTr("numbers: seed, steps, scale, size, width, height, strength, rating with : = != < > <= >= and ..")],
            ["model:dream  lora=ink", qsTr("names: model, lora, sampler, mode, folder, tag, name; : finds a part, = the whole")],
            ["negative:blurry", qsTr("the negative prompt")],
            ["date:2026-03..2026-05", qsTr("a day, month or year, today, yesterday")],
            ["is:favourite", qsTr("also rated, tagged, missing, portrait, landscape, square")],
            ["has:control", qsTr("also input, mask, highres, refiner, lora, negative, rating, tag")]
        ]
        delegate: Row {
            width: parent.width
            spacing: Theme.u3
            Label { width: 180; text: modelData[0]; font.family: Theme.mono; font.pixelSize: Theme.small; wrapMode: Text.Wrap }
            Label { width: parent.width - 192; text: modelData[1]; color: Theme.soft; wrapMode: Text.Wrap }
        }
    }
    buttons: [Button { text: qsTr("Close"); focus: true; onClicked: help.close() }]
}
