import QtQuick 2.15
import "../controls"
import ".."

// One switch of a tool with its words.
Row {
    id: option
    property var tools
    property string setting
    property string title
    spacing: Theme.u2
    height: Theme.control
    Toggle {
        anchors.verticalCenter: parent.verticalCenter
        name: option.title
        checked: option.tools.switches[option.setting]
        onToggled: {
            option.tools.switch(option.setting, checked)
            checked = Qt.binding(() => option.tools.switches[option.setting])
        }
    }
    Label { height: parent.height; text: option.title; color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
}
