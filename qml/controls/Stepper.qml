import QtQuick 2.15
import ".."

// A typed number between two buttons; up and down do the same as they.
FocusScope {
    id: stepper
    property string name
    property string text
    property bool wrong: false
    property real minimum: -1e9
    property real maximum: 1e9
    property real step: 1
    readonly property Item first: field
    signal chosen(string typed)
    implicitHeight: Theme.control
    implicitWidth: Theme.px(140)
    function move(direction) {
        var number = Number(text)
        if (!isNaN(number))
            chosen(String(Number(Math.max(minimum, Math.min(maximum, number + direction * step)).toFixed(6))))
    }
    Button { id: less; quiet: true; glyph: "minus"; hint: qsTr("Less"); Accessible.name: qsTr("%1: less").arg(stepper.name); enabled: Number(stepper.text) > stepper.minimum; onClicked: stepper.move(-1) }
    Field {
        id: field
        focus: true
        anchors.left: less.right
        anchors.right: more.left
        anchors.margins: Theme.u1
        height: parent.height
        horizontalAlignment: TextInput.AlignHCenter
        text: stepper.text
        wrong: stepper.wrong
        inputMethodHints: Qt.ImhFormattedNumbersOnly
        Accessible.name: stepper.name
        onEditingFinished: if (text !== stepper.text) stepper.chosen(text)
        Keys.onUpPressed: stepper.move(1)
        Keys.onDownPressed: stepper.move(-1)
        Connections {
            target: stepper
            function onTextChanged() { field.text = stepper.text }
        }
    }
    Button { id: more; anchors.right: parent.right; quiet: true; glyph: "plus"; hint: qsTr("More"); Accessible.name: qsTr("%1: more").arg(stepper.name); enabled: Number(stepper.text) < stepper.maximum; onClicked: stepper.move(1) }
}
