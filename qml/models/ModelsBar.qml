import QtQuick 2.15
import "../controls"
import ".."

// Above the cards: search, order, which families, pictures or text.
FocusScope {
    id: bar
    readonly property var models: studio.models
    signal leave()
    height: Theme.px(48)
    function takeFocus() { search.forceActiveFocus(Qt.ShortcutFocusReason) }
    function clear() { search.clear() }
    Field {
        id: search
        anchors.left: parent.left
        anchors.leftMargin: Theme.u3
        anchors.right: tools.left
        anchors.rightMargin: Theme.u2
        anchors.verticalCenter: parent.verticalCenter
        leftPadding: Theme.px(30)
        placeholderText: qsTr("Search; a semicolon between words means both")
        Accessible.name: qsTr("Search models")
        onTextEdited: wait.restart()
        onAccepted: bar.leave()
        Keys.onEscapePressed: { if (text !== "") { clear(); wait.stop(); bar.models.search("") } else bar.leave() }
        Keys.onDownPressed: bar.leave()
        onTextChanged: if (text === "") { wait.stop(); bar.models.search("") }
        Icon { x: Theme.u2; anchors.verticalCenter: parent.verticalCenter; glyph: "search" }
        Timer { id: wait; interval: 60; onTriggered: bar.models.search(search.text) }
    }
    Row {
        id: tools
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u1
        Choice {
            width: Theme.px(128)
            name: qsTr("Order")
            current: bar.models.order
            rows: [
                { value: "name", label: qsTr("Name"), note: "", enabled: true, reason: "" },
                { value: "date", label: qsTr("Newest"), note: "", enabled: true, reason: "" },
                { value: "size", label: qsTr("Largest"), note: "", enabled: true, reason: "" },
                { value: "used", label: qsTr("Last used"), note: "", enabled: true, reason: "" }
            ]
            onChosen: value => bar.models.sort(value)
        }
        Button {
            quiet: !bar.models.compatible
            visible: bar.models.family !== ""
            glyph: "list-filter"
            hint: bar.models.compatible ? qsTr("Show models of every family too") : qsTr("Hide models that are not for %1").arg(bar.models.family)
            Accessible.name: qsTr("Compatible only")
            Accessible.checkable: true
            Accessible.checked: bar.models.compatible
            onClicked: bar.models.hideOthers(!bar.models.compatible)
        }
        Button { quiet: true; glyph: "download"; hint: studio.hint("transfers"); onClicked: studio.transfers.show(true) }
        Button {
            quiet: true
            glyph: bar.models.textOnly ? "layout-grid" : "list"
            hint: bar.models.textOnly ? qsTr("Cards with pictures  (Shift)") : qsTr("Lines of text  (Shift)")
            onClicked: bar.models.toggleText()
        }
    }
}
