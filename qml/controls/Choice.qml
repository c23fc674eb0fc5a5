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
            anchors.leftMargin: Theme.u3
            anchors.right: mark.visible ? mark.left : parent.right
            anchors.rightMargin: mark.visible ? Theme.u2 : Theme.u4 + Theme.icon
            height: parent.height
            text: choice.row ? choice.row.label : choice.current || (studio.engine.state === "ready" ? qsTr("None yet") : qsTr("Not known yet"))
            color: !choice.row ? Theme.faint : choice.row.enabled ? Theme.text : Theme.warning
            Accessible.ignored: true
        }
        Label {
            id: mark
            // The note only where the label keeps its room.
            visible: text !== "" && chosenWord.implicitWidth + implicitWidth + Theme.u4 + Theme.icon + Theme.u6 < choice.width
            anchors.right: parent.right
            anchors.rightMargin: Theme.u4 + Theme.icon
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
            popup.begin(event.text)
            event.accepted = true
        }
    }
    readonly property Item self: choice
    popup: ChoicePopup { choice: self }
    Hint { visible: choice.hovered && !choice.popup.visible && choice.row !== null && choice.row.reason !== ""; text: choice.row ? choice.row.reason : "" }
}
