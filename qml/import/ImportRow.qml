import QtQuick 2.15
import "../controls"
import ".."

// One value that can be taken over: its box, its name, what the picture says, what is set now.
Item {
    id: row
    required property int index
    required property string title
    required property string words
    required property string now
    required property bool chosen
    required property string note
    required property bool blocked
    property bool marked: false
    property real nameWidth: 168
    implicitHeight: Math.max(Theme.control, value.height + Theme.u2)
    height: implicitHeight
    Accessible.role: Accessible.CheckBox
    Accessible.name: title + ": " + words + (note ? ", " + note : "")
    Accessible.checkable: true
    Accessible.checked: chosen
    Accessible.onToggleAction: studio.importer.rows.toggle(index)
    Accessible.onPressAction: studio.importer.rows.toggle(index)
    Rectangle {
        anchors.fill: parent
        radius: Theme.radius
        color: over.hovered ? Theme.hover : "transparent"
        border.width: row.marked ? 2 : 0
        border.color: Theme.accent
    }
    HoverHandler { id: over }
    Rectangle {
        id: box
        x: Theme.u2
        y: 7
        width: 18
        height: 18
        radius: 4
        opacity: row.blocked ? 0.45 : 1
        color: row.chosen ? Theme.accent : Theme.field
        border.color: row.chosen ? Theme.accent : Theme.edge
        Icon { anchors.centerIn: parent; visible: row.chosen; glyph: "check"; colour: Theme.accentInk; size: 14 }
    }
    Label {
        id: name
        x: 36
        width: row.nameWidth
        height: Theme.control
        text: row.title
        color: row.chosen ? Theme.text : Theme.soft
        Accessible.ignored: true
    }
    Column {
        id: value
        y: Theme.u1
        x: name.x + name.width + Theme.u3
        width: (row.width - x - Theme.u6) * 0.6
        Label {
            width: parent.width
            topPadding: Theme.u1
            text: row.words || qsTr("empty")
            color: row.words === "" ? Theme.faint : row.chosen ? Theme.text : Theme.soft
            wrapMode: Text.Wrap
            maximumLineCount: 4
            Accessible.ignored: true
        }
        Label {
            visible: row.note !== ""
            width: parent.width
            text: row.note
            color: row.blocked ? Theme.warning : Theme.soft
            font.pixelSize: Theme.small
            wrapMode: Text.Wrap
            Accessible.ignored: true
        }
    }
    Label {
        x: value.x + value.width + Theme.u3
        y: Theme.u1
        topPadding: Theme.u1
        width: row.width - x - Theme.u3
        text: row.now || qsTr("empty")
        color: Theme.faint
        wrapMode: Text.Wrap
        maximumLineCount: 2
        Accessible.ignored: true
    }
}
