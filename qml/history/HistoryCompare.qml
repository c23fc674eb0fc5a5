import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The chosen pictures beside each other, with the parameters in which they differ.
FocusScope {
    id: view
    signal closed()
    visible: false
    readonly property var sources: studio.history.details.sources
    function open() {
        if (!studio.history.details.compare())
            return false
        compare.slides = false
        visible = true
        compare.forceActiveFocus(Qt.OtherFocusReason)
    }
    function close() {
        visible = false
        closed()
    }
    Keys.forwardTo: [scopeKeys]
    ScopeKeys { id: scopeKeys; place: view; scope: "history compare"; actions: ({ history_close: view.close, history_fit: compare.toggleZoom }) }
    Rectangle { anchors.fill: parent; color: Theme.stage }
    MouseArea { anchors.fill: parent; Accessible.ignored: true }
    Compare {
        id: compare
        anchors.top: bar.bottom
        anchors.bottom: table.top
        anchors.topMargin: Theme.u3
        anchors.bottomMargin: Theme.u3
        width: parent.width
        focus: true
        sources: view.visible ? view.sources : []
    }
    Rectangle {
        id: bar
        width: parent.width
        height: 48
        z: 1
        color: Theme.panel
        Label { x: Theme.u4; height: parent.height; text: qsTr("Comparing %1 pictures").arg(view.sources.length); color: Theme.soft }
        Row {
            anchors.right: parent.right
            anchors.rightMargin: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            spacing: Theme.u1
            Button { visible: view.sources.length === 2; text: compare.slides ? qsTr("Side by side") : qsTr("Slider"); hint: compare.slides ? qsTr("Show both whole") : qsTr("Show both in one place, with a line between"); onClicked: compare.slides = !compare.slides }
            Button { quiet: true; text: Math.round(compare.factor * 100) + " %"; hint: studio.hint("history_fit"); width: 72; onClicked: compare.toggleZoom() }
            Button { quiet: true; glyph: "x"; hint: studio.hint("history_close"); onClicked: view.close() }
        }
    }
    Rectangle {
        id: table
        readonly property var rows: studio.history.details.differences
        anchors.bottom: parent.bottom
        width: parent.width
        height: Math.min(view.height / 3, list.contentHeight + 2 * Theme.u2 + heading.height)
        color: Theme.panel
        Label { id: heading; x: Theme.u4; height: 30; text: table.rows.length ? qsTr("Where they differ") : qsTr("Nothing recorded differs."); color: Theme.soft; font.pixelSize: Theme.small }
        ListView {
            id: list
            anchors.fill: parent
            anchors.topMargin: heading.height
            anchors.leftMargin: Theme.u4
            anchors.rightMargin: Theme.u2
            clip: true
            model: table.rows
            boundsBehavior: Flickable.StopAtBounds
            Accessible.role: Accessible.List
            Accessible.name: heading.text
            T.ScrollBar.vertical: Scroll { }
            delegate: Row {
                id: line
                property var values: modelData.values
                width: list.width
                height: 26
                Accessible.role: Accessible.ListItem
                Accessible.name: modelData.title + ": " + values.join(", ")
                Label { width: 160; height: parent.height; text: modelData.title; color: Theme.soft; font.pixelSize: Theme.small }
                Repeater {
                    model: line.values
                    delegate: Label {
                        width: (line.width - 168) / Math.max(1, line.values.length)
                        height: line.height
                        rightPadding: Theme.u2
                        text: modelData || "–"
                        maximumLineCount: 1
                        Accessible.ignored: true
                    }
                }
            }
        }
    }
}
