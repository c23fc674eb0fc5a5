import QtQuick 2.15
import "../controls"
import ".."

// The search with its completion and help, the order, the size of the thumbnails, and how many were found.
Item {
    id: bar
    property var sorts: [
        { value: "time", label: qsTr("Time"), note: "", enabled: true, reason: "" },
        { value: "rating", label: qsTr("Rating"), note: "", enabled: true, reason: "" },
        { value: "name", label: qsTr("Name"), note: "", enabled: true, reason: "" },
        { value: "size", label: qsTr("File size"), note: "", enabled: true, reason: "" }
    ]
    property bool detailed: true
    readonly property Item searchField: field
    signal leaveAsked()
    signal detailsToggled()
    height: Theme.control + Theme.u4
    function focusSearch() {
        field.forceActiveFocus(Qt.ShortcutFocusReason)
        field.selectAll()
    }
    function take(row) {
        field.text = row.whole
        field.cursorPosition = row.cursor
        studio.history.search(field.text)
        offers.refresh()
    }
    Field {
        id: field
        anchors.left: parent.left
        anchors.leftMargin: Theme.u3
        anchors.right: tools.left
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        leftPadding: 34
        rightPadding: count.implicitWidth + 48
        placeholderText: qsTr("Search: red fox  steps>30")
        Accessible.name: qsTr("Search the history")
        wrong: studio.history.problem !== ""
        onTextEdited: {
            studio.history.search(text)
            offers.refresh()
        }
        onAccepted: studio.history.searchNow(text)
        onActiveFocusChanged: if (!activeFocus) offers.close()
        Keys.onPressed: event => {
            if (offers.opened && (event.key === Qt.Key_Down || event.key === Qt.Key_Up)) {
                offers.move(event.key === Qt.Key_Down ? 1 : -1)
                event.accepted = true
            } else if (offers.opened && offers.place >= 0 && (event.key === Qt.Key_Return || event.key === Qt.Key_Enter || event.key === Qt.Key_Tab)) {
                bar.take(offers.rows[offers.place])
                event.accepted = true
            } else if (event.key === Qt.Key_Escape) {
                if (offers.opened)
                    offers.close()
                else if (text !== "")
                    studio.history.searchNow("")
                else
                    bar.leaveAsked()
                event.accepted = true
            } else if (event.key === Qt.Key_Tab || event.key === Qt.Key_Down) {
                bar.leaveAsked()
                event.accepted = true
            }
        }
        Connections {
            target: studio.history
            function onChanged() { if (field.text !== studio.history.text) field.text = studio.history.text }
        }
        Icon { x: Theme.u2 + 2; anchors.verticalCenter: parent.verticalCenter; glyph: "search" }
        Label {
            id: count
            anchors.right: clear.left
            anchors.rightMargin: Theme.u2
            height: parent.height
            text: studio.history.countWords
            color: Theme.soft
            font.pixelSize: Theme.small
            Accessible.name: qsTr("Found: %1").arg(text)
        }
        Button {
            id: clear
            anchors.right: parent.right
            anchors.rightMargin: 3
            anchors.verticalCenter: parent.verticalCenter
            implicitHeight: 26
            width: 26
            quiet: true
            glyph: field.text !== "" ? "x" : "circle-help"
            hint: field.text !== "" ? qsTr("Clear the search") : qsTr("What can be searched")
            onClicked: field.text !== "" ? studio.history.searchNow("") : help.open()
        }
    }
    SearchOffers { id: offers; field: bar.searchField; onTaken: row => bar.take(row) }
    Row {
        id: tools
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u2
        Choice {
            width: 112
            name: qsTr("Sort by")
            rows: bar.sorts
            current: studio.history.sort
            onChosen: value => studio.history.order(value, studio.history.reverse)
        }
        Button {
            quiet: true
            glyph: studio.history.reverse ? "arrow-up-narrow-wide" : "arrow-down-wide-narrow"
            hint: qsTr("Turn the order round")
            onClicked: studio.history.order(studio.history.sort, !studio.history.reverse)
        }
        Slider {
            width: bar.width < 640 ? 64 : 96
            anchors.verticalCenter: parent.verticalCenter
            name: qsTr("Size of the thumbnails")
            from: 100
            to: 400
            snap: 20
            step: 10
            value: studio.history.size
            onChosen: number => studio.history.resize(number)
        }
        Button {
            quiet: true
            glyph: "panel-right"
            hint: bar.detailed ? qsTr("Hide the details") : qsTr("Show the details")
            onClicked: bar.detailsToggled()
        }
    }
    SearchHelp { id: help }
    Rectangle { anchors.bottom: parent.bottom; width: parent.width; height: 1; color: Theme.line }
}
