import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A drop-down of rows {value, label, note, enabled, reason}. What is typed narrows the rows; disabled ones say why.
T.ComboBox {
    id: choice
    property string name
    property string current
    readonly property int place: rows.findIndex(row => row.value === current)
    readonly property var row: place >= 0 ? rows[place] : null
    property var rows: []
    signal chosen(string value)
    model: rows
    textRole: "label"
    valueRole: "value"
    onPlaceChanged: currentIndex = place
    onModelChanged: currentIndex = place
    onCountChanged: currentIndex = place
    Component.onCompleted: currentIndex = place
    implicitHeight: Theme.control
    implicitWidth: 160
    wheelEnabled: false
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.ComboBox
    Accessible.name: name
    onActivated: index => {
        take(rows[index])
        currentIndex = place
    }
    contentItem: Item {
        Label {
            id: chosenWord
            anchors.left: parent.left
            anchors.leftMargin: Theme.u2 + 2
            anchors.right: mark.visible ? mark.left : parent.right
            anchors.rightMargin: mark.visible ? Theme.u2 : Theme.u8 - 2
            height: parent.height
            text: choice.row ? choice.row.label : choice.current || qsTr("Not known yet")
            color: !choice.row ? Theme.faint : choice.row.enabled ? Theme.text : Theme.warning
            Accessible.ignored: true
        }
        Label {
            id: mark
            // The note only where the label keeps its room.
            visible: text !== "" && chosenWord.implicitWidth + implicitWidth + Theme.u8 + Theme.u6 < choice.width
            anchors.right: parent.right
            anchors.rightMargin: Theme.u8
            height: parent.height
            text: choice.row ? choice.row.note : ""
            color: Theme.faint
            font.pixelSize: Theme.small
            Accessible.ignored: true
        }
    }
    indicator: Icon {
        x: choice.width - width - Theme.u2
        y: Math.round((choice.height - height) / 2)
        glyph: "chevron-down"
    }
    background: Rectangle {
        radius: Theme.radius
        color: choice.down || choice.hovered ? Theme.hover : Theme.raised
        border.color: Theme.line
        FocusRing { control: choice }
    }
    // Letters are compared without case and accents.
    function plain(text) { return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase() }
    function found(words) {
        var wanted = plain(words.trim())
        return wanted === "" ? rows : rows.filter(line => plain(line.label + " " + line.note).indexOf(wanted) >= 0)
    }
    function take(line) {
        if (!line || !line.enabled)
            return
        popup.close()
        chosen(line.value)
        currentIndex = place
    }
    // Up and down on the closed control go to the next row that can be chosen.
    function walk(distance) {
        for (var next = place + distance; next >= 0 && next < rows.length; next += distance) {
            if (rows[next].enabled) {
                take(rows[next])
                return
            }
        }
    }
    Keys.onUpPressed: walk(-1)
    Keys.onDownPressed: walk(1)
    // A letter typed on the closed control opens it with that letter.
    Keys.onPressed: event => {
        if (event.text.charCodeAt(0) > 32 && event.key < Qt.Key_Escape && !(event.modifiers & (Qt.ControlModifier | Qt.AltModifier))) {
            popup.open()
            filter.text = event.text
            event.accepted = true
        }
    }
    popup: T.Popup {
        id: drop
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
    Hint { visible: choice.hovered && !choice.popup.visible && choice.row !== null && choice.row.reason !== ""; text: choice.row ? choice.row.reason : "" }
}
