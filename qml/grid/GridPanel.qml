import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// Pictures that differ in up to three ways, on one labelled sheet.
Panel {
    id: panel
    readonly property var grid: studio.grid
    readonly property bool asks: grid.asks
    title: qsTr("XYZ grid")
    width: Math.min(Theme.px(800), parent ? parent.width - 2 * Theme.u6 : 800)
    onOpened: rows.itemAt(0).first.forceActiveFocus(Qt.OtherFocusReason)
    onClosed: grid.closed()
    Connections {
        target: studio.grid
        function onStarted() { panel.close() }
    }
    ScopeKeys {
        id: keys
        scope: "grid"
        place: panel.contentItem
        actions: ({ grid_start: () => panel.grid.start() })
    }
    Label {
        width: parent.width
        wrapMode: Text.Wrap
        color: Theme.soft
        text: qsTr("Choose what changes along each axis and write its values, with commas between them. Everything else is as in the window.")
    }
    T.ScrollView {
        id: scroll
        width: parent.width
        height: Math.min(contentHeight, panel.parent ? panel.parent.height - Theme.px(290) : contentHeight)
        clip: true
        contentHeight: body.implicitHeight + 2 * Theme.u1
        contentWidth: width
        Keys.forwardTo: [keys]
        Column {
            id: body
            // Room for the frames of what has the focus.
            x: Theme.u1
            y: Theme.u1
            width: scroll.width - 2 * Theme.u1
            spacing: Theme.u4
            Repeater {
                id: rows
                model: 3
                delegate: GridAxis { width: body.width }
            }
        }
    }
    Item {
        width: parent.width
        height: Theme.px(24)
        Toggle {
            id: cells
            anchors.verticalCenter: parent.verticalCenter
            name: qsTr("Save the cells too")
            checked: panel.grid.saveCells
            onToggled: panel.grid.setSaveCells(checked)
        }
        Label {
            anchors.left: cells.right
            anchors.leftMargin: Theme.u2
            height: parent.height
            text: cells.name
            color: Theme.soft
            Accessible.ignored: true
            TapHandler { onTapped: cells.click() }
        }
    }
    Label {
        width: parent.width
        wrapMode: Text.Wrap
        color: panel.asks ? Theme.warning : panel.grid.problem ? Theme.soft : Theme.text
        text: panel.asks ? qsTr("That is a lot: %1. Start once more to make it.").arg(panel.grid.summary) : panel.grid.problem || panel.grid.summary
        Accessible.role: panel.asks ? Accessible.AlertMessage : Accessible.StaticText
    }
    buttons: [
        Button { text: qsTr("Close"); onClicked: panel.close() },
        Button {
            text: panel.asks ? qsTr("Make it all") : qsTr("Make the grid")
            glyph: "layout-grid"
            primary: true
            enabled: panel.grid.problem === ""
            hint: studio.keys.revision >= 0 ? studio.hint("grid_start") : ""
            onClicked: panel.grid.start()
        }
    ]
}
