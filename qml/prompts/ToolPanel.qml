import QtQuick 2.15
import "../controls"
import ".."

// A tool of the prompts: a wide panel with room for a list and what belongs to the chosen row. Its buttons end with Close.
Panel {
    id: tool
    property string empty
    property bool isEmpty: false
    property string filter
    property string filterName: qsTr("Search")
    property bool filtered: true
    property alias search: field
    readonly property real bodyHeight: Math.max(160, Math.min(Theme.px(420), parent ? parent.height - Theme.px(220) : 420))
    default property alias inner: place.data
    property alias extra: more.data
    signal filterTyped(string words)
    width: Math.min(Theme.px(760), parent ? parent.width - 2 * Theme.u6 : 760)
    onOpened: if (filtered) field.forceActiveFocus(Qt.OtherFocusReason)
    Field {
        id: field
        visible: tool.filtered
        width: parent.width
        placeholderText: tool.filterName
        Accessible.name: tool.filterName
        onTextEdited: tool.filterTyped(text)
    }
    Item {
        id: place
        width: parent.width
        height: tool.bodyHeight
        Label {
            visible: tool.isEmpty
            anchors.centerIn: parent
            width: Math.min(parent.width - 2 * Theme.u6, Theme.px(420))
            horizontalAlignment: Text.AlignHCenter
            wrapMode: Text.Wrap
            text: tool.empty
            color: Theme.soft
        }
    }
    buttons: [
        Row { id: more },
        Button { text: qsTr("Close"); onClicked: tool.close() }
    ]
}
