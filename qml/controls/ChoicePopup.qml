import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// The rows of a drop-down, under a line that narrows them as it is typed into.
T.Popup {
    id: drop
    property var choice
    function begin(letters) { filter.text = letters }
    readonly property var hits: choice.found(filter.text)
    y: choice.height + Theme.u1
    width: Math.max(choice.width, Theme.px(260))
    x: choice.width - width
    implicitHeight: Math.min(list.contentHeight + filter.height + Theme.u1 + 2 * padding, Theme.px(380))
    padding: Theme.u1
    margins: Theme.u2
    focus: true
    onAboutToShow: filter.text = ""
    onOpened: {
        filter.forceActiveFocus(Qt.PopupFocusReason)
        list.currentIndex = Math.max(0, choice.place)
        list.positionViewAtIndex(list.currentIndex, ListView.Contain)
    }
    onClosed: choice.forceActiveFocus(Qt.OtherFocusReason)
    contentItem: Item {
        Field {
            id: filter
            width: parent.width
            placeholderText: qsTr("Type to find")
            Accessible.name: qsTr("Find in %1").arg(choice.name)
            onTextChanged: list.currentIndex = text === "" ? Math.max(0, choice.place) : 0
            Keys.onDownPressed: list.incrementCurrentIndex()
            Keys.onUpPressed: list.decrementCurrentIndex()
            Keys.onReturnPressed: choice.take(drop.hits[list.currentIndex])
            Keys.onEnterPressed: choice.take(drop.hits[list.currentIndex])
            Keys.onTabPressed: choice.take(drop.hits[list.currentIndex])
            Keys.onEscapePressed: drop.close()
        }
        ListView {
            id: list
            anchors.top: filter.bottom
            anchors.topMargin: Theme.u1
            anchors.bottom: parent.bottom
            width: parent.width
            clip: true
            model: drop.visible ? drop.hits : []
            boundsBehavior: Flickable.StopAtBounds
            T.ScrollBar.vertical: Scroll { }
            Accessible.role: Accessible.List
            Accessible.name: choice.name
            delegate: ChoiceRow {
                width: list.width
                row: modelData
                words: filter.text.trim()
                isChosen: modelData.value === choice.current
                highlighted: ListView.isCurrentItem
                onClicked: choice.take(modelData)
            }
            Label {
                visible: drop.visible && list.count === 0
                width: parent.width
                height: Theme.control
                leftPadding: Theme.u2
                text: qsTr("Nothing is called so")
                color: Theme.faint
            }
        }
    }
    background: Rectangle { color: Theme.raised; radius: Theme.radius; border.color: Theme.line }
}
