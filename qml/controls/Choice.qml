import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A drop-down of rows {value, label, note, enabled, reason}. What is typed while it is open finds a row; disabled rows say why.
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
        if (rows[index].enabled)
            chosen(rows[index].value)
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
            text: choice.row ? choice.row.label : choice.current || "Not known yet"
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
    delegate: ChoiceRow {
        width: ListView.view ? ListView.view.width : 0
        row: modelData
        isChosen: index === choice.currentIndex
        highlighted: choice.highlightedIndex === index
    }
    popup: T.Popup {
        y: choice.height + Theme.u1
        width: Math.max(choice.width, 240)
        x: choice.width - width
        implicitHeight: Math.min(contentItem.implicitHeight + 2 * padding, 360)
        padding: Theme.u1
        margins: Theme.u2
        contentItem: ListView {
            clip: true
            implicitHeight: contentHeight
            model: choice.popup.visible ? choice.delegateModel : null
            currentIndex: choice.highlightedIndex
            boundsBehavior: Flickable.StopAtBounds
            T.ScrollBar.vertical: Scroll { }
            Accessible.role: Accessible.List
            Accessible.name: choice.name
        }
        background: Rectangle { color: Theme.raised; radius: Theme.radius; border.color: Theme.line }
    }
    Hint { visible: choice.hovered && !choice.popup.visible && choice.row !== null && choice.row.reason !== ""; text: choice.row ? choice.row.reason : "" }
}
