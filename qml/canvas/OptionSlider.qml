import QtQuick 2.15
import "../controls"
import ".."

// One number of a tool: its name, a slider, a field.
Row {
    id: option
    property var tools
    property string setting
    property string title
    property string unit
    property bool curved: false
    readonly property var limit: tools.limits[setting]
    readonly property int number: tools.numbers[setting]
    // Small brushes need finer steps than large ones.
    function along(number) { return curved ? Math.sqrt((number - limit[0]) / (limit[1] - limit[0])) : (number - limit[0]) / (limit[1] - limit[0]) }
    function numberAt(share) { return Math.round(limit[0] + (curved ? share * share : share) * (limit[1] - limit[0])) }
    spacing: Theme.u2
    height: Theme.control
    Label { height: parent.height; text: option.title; color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
    Slider {
        anchors.verticalCenter: parent.verticalCenter
        width: 72
        name: option.title
        from: 0
        to: 1
        snap: 0
        step: 0.01
        value: option.along(option.number)
        onChosen: share => option.tools.set(option.setting, option.numberAt(share))
    }
    Field {
        id: field
        anchors.verticalCenter: parent.verticalCenter
        width: Theme.px(52)
        height: Theme.px(26)
        horizontalAlignment: TextInput.AlignRight
        text: option.number
        validator: IntValidator { }
        Accessible.name: option.unit ? qsTr("%1 in %2").arg(option.title).arg(option.unit) : option.title
        onEditingFinished: {
            option.tools.set(option.setting, parseInt(text))
            text = Qt.binding(() => option.number)
        }
    }
    Label { visible: text !== ""; height: parent.height; text: option.unit; color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
}
