import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The header of a file as a tree, and the tags it was trained on.
Panel {
    id: dialog
    readonly property var tree: studio.models.inspector
    property bool showsTags: false
    title: tree.name
    width: parent ? Math.min(parent.width - 2 * Theme.u6, Theme.px(960)) : 960
    onAboutToShow: { showsTags = false; search.text = ""; search.forceActiveFocus() }
    onClosed: tree.close()
    Row {
        width: parent.width
        spacing: Theme.u2
        Field {
            id: search
            width: parent.width - side.width - Theme.u2
            focus: true
            placeholderText: dialog.showsTags ? qsTr("Show tags with") : qsTr("Find in names and values")
            Accessible.name: qsTr("Search the header")
            onTextEdited: if (!dialog.showsTags) wait.restart()
            onAccepted: dialog.tree.step(1)
            Timer { id: wait; interval: 200; onTriggered: dialog.tree.search(search.text) }
        }
        Row {
            id: side
            spacing: Theme.u1
            Label { visible: !dialog.showsTags && dialog.tree.foundCount > 0; height: Theme.control; text: qsTr("%1 of %2").arg(dialog.tree.foundAt).arg(dialog.tree.foundCount); color: Theme.soft }
            Button { visible: !dialog.showsTags; enabled: dialog.tree.foundCount > 0; quiet: true; glyph: "arrow-up"; hint: qsTr("Last place"); onClicked: dialog.tree.step(-1) }
            Button { visible: !dialog.showsTags; enabled: dialog.tree.foundCount > 0; quiet: true; glyph: "arrow-down"; hint: qsTr("Next place"); onClicked: dialog.tree.step(1) }
            Button { quiet: !dialog.showsTags; visible: dialog.tree.tags.length > 0; glyph: "tag"; text: qsTr("Tags"); hint: qsTr("Tags it was trained on, with their counts"); onClicked: { dialog.showsTags = !dialog.showsTags; search.text = "" } }
        }
    }
    Item {
        width: parent.width
        height: Math.max(Theme.px(200), (dialog.parent ? dialog.parent.height : 700) - Theme.px(280))
        Rectangle { anchors.fill: parent; radius: Theme.radius; color: Theme.field; border.color: Theme.line }
        Spinner { anchors.centerIn: parent; visible: dialog.tree.busy; running: visible }
        Label { anchors.centerIn: parent; width: parent.width - 2 * Theme.u6; visible: text !== ""; text: dialog.tree.problem; wrapMode: Text.Wrap; horizontalAlignment: Text.AlignHCenter; color: Theme.soft }
        ListView {
            id: view
            visible: !dialog.showsTags
            anchors.fill: parent
            anchors.margins: Theme.u1
            clip: true
            boundsBehavior: Flickable.StopAtBounds
            activeFocusOnTab: true
            model: dialog.tree
            Accessible.role: Accessible.Tree
            Accessible.name: qsTr("Header")
            T.ScrollBar.vertical: Scroll { }
            Keys.onReturnPressed: dialog.tree.toggle(currentIndex)
            Keys.onRightPressed: if (currentItem && !currentItem.isOpen) dialog.tree.toggle(currentIndex)
            Keys.onLeftPressed: if (currentItem && currentItem.isOpen) dialog.tree.toggle(currentIndex)
            Keys.onPressed: event => { if (event.matches(StandardKey.Copy)) { dialog.tree.copy(currentIndex); event.accepted = true } }
            Connections {
                target: dialog.tree
                function onJumped(index) { view.currentIndex = index; view.positionViewAtIndex(index, ListView.Center) }
            }
            delegate: Item {
                id: line
                required property int index
                required property string key
                required property string value
                required property int depth
                required property int count
                required property bool isOpen
                required property bool isMore
                required property bool isFound
                width: view.width
                height: Theme.px(26)
                Accessible.role: Accessible.TreeItem
                Accessible.name: key + (value ? ": " + value : "")
                Rectangle { anchors.fill: parent; radius: 4; color: line.isFound ? Theme.accentSoft : line.ListView.isCurrentItem && view.activeFocus ? Theme.hover : over.hovered ? Theme.hover : "transparent" }
                Icon { x: Theme.u2 + line.depth * Theme.u4; anchors.verticalCenter: parent.verticalCenter; visible: line.count > 0 && !line.isMore; glyph: line.isOpen ? "chevron-down" : "chevron-right"; size: Theme.px(12) }
                Label { id: word; x: Theme.u6 + line.depth * Theme.u4; width: Math.min(implicitWidth, parent.width * 0.55); height: parent.height; text: line.key; color: line.isMore ? Theme.accent : Theme.text; font.family: Theme.mono; font.pixelSize: Theme.small; elide: Text.ElideMiddle; Accessible.ignored: true }
                Label {
                    anchors.left: word.right
                    anchors.leftMargin: Theme.u3
                    anchors.right: copier.left
                    height: parent.height
                    text: line.count === 1 ? qsTr("1 entry") : line.count > 0 ? qsTr("%1 entries").arg(line.count) : line.value.replace(/\n/g, " ")
                    color: line.count > 0 ? Theme.faint : Theme.soft
                    font.family: Theme.mono
                    font.pixelSize: Theme.small
                    Accessible.ignored: true
                }
                HoverHandler { id: over }
                TapHandler { onTapped: { view.currentIndex = line.index; view.forceActiveFocus(); dialog.tree.toggle(line.index) } }
                Button { id: copier; visible: over.hovered && !line.isMore; anchors.right: parent.right; anchors.rightMargin: Theme.u3; height: parent.height; width: visible ? Theme.px(26) : 0; quiet: true; glyph: "copy"; hint: qsTr("Copy as JSON"); onClicked: dialog.tree.copy(line.index) }
            }
        }
        ListView {
            id: tags
            visible: dialog.showsTags
            anchors.fill: parent
            anchors.margins: Theme.u1
            clip: true
            boundsBehavior: Flickable.StopAtBounds
            activeFocusOnTab: true
            model: dialog.showsTags ? dialog.tree.tags.filter(row => row.tag.toLowerCase().indexOf(search.text.toLowerCase()) >= 0) : []
            Accessible.role: Accessible.List
            Accessible.name: qsTr("Training tags")
            T.ScrollBar.vertical: Scroll { }
            delegate: Item {
                width: tags.width
                height: Theme.px(30)
                Accessible.role: Accessible.ListItem
                Accessible.name: modelData.tag
                Label { x: Theme.u3; width: parent.width - Theme.px(190); height: parent.height; text: modelData.tag; Accessible.ignored: true }
                Label { anchors.right: putter.left; anchors.rightMargin: Theme.u3; height: parent.height; text: modelData.count; color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
                Button { id: putter; anchors.right: parent.right; anchors.rightMargin: Theme.u4; anchors.verticalCenter: parent.verticalCenter; height: Theme.px(26); quiet: true; text: qsTr("Insert"); Accessible.name: qsTr("Insert %1").arg(modelData.tag); onClicked: studio.models.insert(modelData.tag) }
            }
        }
    }
    buttons: [
        Button { text: qsTr("Copy all"); glyph: "copy"; hint: qsTr("Copy the whole header as JSON"); onClicked: dialog.tree.copy(-1) },
        Button { text: qsTr("Close"); onClicked: dialog.close() }
    ]
}
