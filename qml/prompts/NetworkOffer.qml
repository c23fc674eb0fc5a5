import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// Networks to add, found by what is typed; those for other models come last.
T.Popup {
    id: offer
    readonly property var found: opened ? studio.prompts.networks.offered(field.text) : []
    padding: Theme.u1
    margins: Theme.u2
    implicitHeight: field.height + Theme.u1 + rows.height + 2 * padding
    focus: true
    closePolicy: T.Popup.CloseOnEscape | T.Popup.CloseOnPressOutside
    onAboutToShow: { field.text = ""; rows.currentIndex = 0 }
    onOpened: field.forceActiveFocus(Qt.OtherFocusReason)
    function take(number) {
        var entry = found[number]
        if (entry) {
            studio.prompts.networks.add(entry.type, entry.name)
            close()
        }
    }
    contentItem: Item {
        Field {
            id: field
            width: parent.width
            placeholderText: qsTr("Search networks")
            Accessible.name: placeholderText
            onTextEdited: rows.currentIndex = 0
            onAccepted: offer.take(rows.currentIndex)
            Keys.onDownPressed: rows.currentIndex = Math.min(rows.currentIndex + 1, rows.count - 1)
            Keys.onUpPressed: rows.currentIndex = Math.max(rows.currentIndex - 1, 0)
        }
        ListView {
            id: rows
            y: field.height + Theme.u1
            width: parent.width
            height: Math.max(Theme.px(56), Math.min(contentHeight, Theme.px(280)))
            clip: true
            model: offer.found
            boundsBehavior: Flickable.StopAtBounds
            T.ScrollBar.vertical: Scroll { }
            Accessible.role: Accessible.List
            Accessible.name: qsTr("Networks to add")
            delegate: ListRow {
                width: rows.width
                focusPolicy: Qt.NoFocus
                implicitHeight: Theme.px(28)
                title: modelData.name
                note: (modelData.foreign ? "⚠ " : "") + (modelData.family || modelData.kind)
                chosen: index === rows.currentIndex
                onClicked: offer.take(index)
            }
            Label {
                visible: rows.count === 0
                anchors.centerIn: parent
                width: parent.width - 2 * Theme.u3
                horizontalAlignment: Text.AlignHCenter
                wrapMode: Text.Wrap
                color: Theme.soft
                text: field.text ? qsTr("No network has this name.") : qsTr("There is no network yet: put LoRA files into the folder models/loras.")
            }
        }
    }
    background: Rectangle { color: Theme.raised; radius: Theme.radius; border.color: Theme.line }
}
