import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import "../generate"
import ".."

// The networks that the prompts name: the same tags as in the texts, as switches and sliders.
Column {
    id: section
    property bool open: studio.recall("networksOpen", true)
    readonly property var networks: studio.prompts.networks
    signal focused(Item item)
    spacing: Theme.u1
    Connections {
        target: studio
        function onChanged() { section.open = studio.recall("networksOpen", true) }
    }
    FoldHeader {
        width: section.width
        title: qsTr("Networks")
        summary: section.networks.summary
        open: section.open
        movable: false
        changes: section.networks.count
        onToggled: studio.remember("networksOpen", !section.open)
        onResetAsked: section.networks.removeAll()
        onFocused: item => section.focused(item)
    }
    Repeater {
        model: section.open ? section.networks : null
        delegate: NetworkRow { width: section.width; onFocused: item => section.focused(item) }
    }
    Button {
        id: add
        visible: section.open
        quiet: true
        glyph: "plus"
        text: qsTr("Add network")
        onClicked: offer.open()
        onActiveFocusChanged: if (activeFocus) section.focused(add)
        NetworkOffer { id: offer; width: section.width; y: add.height + Theme.u1 }
    }
    Item { width: 1; height: section.open ? Theme.u1 : 0 }
}
