import QtQuick 2.15
import "../controls"
import ".."

// The end of the form: whether seldom needed parameters are shown, a reset of all, and what was hidden.
Column {
    id: foot
    property bool listing: false
    readonly property var hidden: studio.sections.hidden
    signal focused(Item item)
    topPadding: Theme.u2
    bottomPadding: Theme.u4
    spacing: Theme.u1
    Rectangle { width: parent.width; height: 1; color: Theme.line }
    Item { width: 1; height: Theme.u1 }
    Item {
        width: parent.width
        height: Theme.control
        Label { text: qsTr("Advanced parameters"); color: Theme.soft; height: parent.height; anchors.left: parent.left; anchors.right: toggle.left; Accessible.ignored: true }
        Toggle {
            id: toggle
            name: qsTr("Advanced parameters")
            anchors.right: parent.right
            anchors.verticalCenter: parent.verticalCenter
            checked: studio.parameters.advanced
            onToggled: { studio.act("advanced"); checked = Qt.binding(() => studio.parameters.advanced) }
            onActiveFocusChanged: if (activeFocus) foot.focused(toggle)
        }
    }
    Flow {
        width: parent.width
        spacing: Theme.u1
        Button {
            quiet: true
            text: qsTr("Presets")
            glyph: "bookmark"
            hint: studio.hint("presets")
            onClicked: studio.act("presets")
            onActiveFocusChanged: if (activeFocus) foot.focused(this)
        }
        Button {
            quiet: true
            text: qsTr("Reset all")
            glyph: "rotate-ccw"
            hint: qsTr("Give every parameter its default; undo brings them back")
            onClicked: studio.parameters.resetAll()
            onActiveFocusChanged: if (activeFocus) foot.focused(this)
        }
        Button {
            visible: foot.hidden.length > 0
            quiet: true
            glyph: foot.listing ? "chevron-down" : "eye-off"
            text: qsTr("%n hidden", "", foot.hidden.length)
            hint: qsTr("List what was hidden")
            onClicked: foot.listing = !foot.listing
            onActiveFocusChanged: if (activeFocus) foot.focused(this)
        }
    }
    Repeater {
        model: foot.listing ? foot.hidden : null
        delegate: Button {
            width: foot.width
            quiet: true
            glyph: "eye"
            text: modelData.title
            hint: qsTr("Show this again")
            onClicked: studio.sections.bringBack(modelData.name)
        }
    }
}
