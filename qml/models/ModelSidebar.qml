import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// Categories with their counts, and below the one that is shown the tree of its folders. Cards may be dropped on folders.
FocusScope {
    id: sidebar
    readonly property var models: studio.models
    Rectangle { anchors.fill: parent; color: Theme.window }
    Rectangle { anchors.right: parent.right; width: 1; height: parent.height; color: Theme.line }

    component Line: T.AbstractButton {
        id: line
        property string glyph
        property string words
        property int count: -1
        property bool current: false
        property int depth: 0
        property bool takes: false
        signal dropped()
        width: ListView.view ? ListView.view.width : implicitWidth
        implicitHeight: Theme.px(depth > 0 ? 28 : 32)
        focusPolicy: Qt.StrongFocus
        Accessible.role: Accessible.ListItem
        Accessible.name: words
        Accessible.selected: current
        Accessible.onPressAction: line.clicked()
        Keys.onReturnPressed: event => event.modifiers & Qt.ControlModifier ? event.accepted = false : line.clicked()
        contentItem: Item {
            Icon { x: Theme.u3 + line.depth * Theme.u3; anchors.verticalCenter: parent.verticalCenter; glyph: line.glyph; size: line.depth > 0 ? 13 : 15; colour: line.current ? Theme.accent : Theme.soft }
            Label {
                x: Theme.px(36) + line.depth * Theme.u3
                width: parent.width - x - (number.visible ? number.width + Theme.u3 : Theme.u2)
                height: parent.height
                text: line.words
                color: line.current ? Theme.text : Theme.soft
                Accessible.ignored: true
            }
            Label { id: number; visible: line.count > 0; anchors.right: parent.right; anchors.rightMargin: Theme.u3; height: parent.height; text: line.count; color: Theme.faint; font.pixelSize: Theme.small; Accessible.ignored: true }
        }
        background: Rectangle {
            anchors.fill: parent
            anchors.leftMargin: Theme.u1
            anchors.rightMargin: Theme.u1
            radius: Theme.radius
            color: drop.containsDrag || line.current ? Theme.accentSoft : line.hovered ? Theme.hover : "transparent"
            border.width: drop.containsDrag ? 2 : 0
            border.color: Theme.accent
            FocusRing { control: line; anchors.margins: 0 }
        }
        DropArea {
            id: drop
            anchors.fill: parent
            enabled: line.takes
            keys: ["sfumato/models"]
            onDropped: event => { line.dropped(); event.accept() }
        }
    }

    Flickable {
        anchors.fill: parent
        anchors.topMargin: Theme.u2
        anchors.rightMargin: 1
        contentHeight: lines.height + Theme.u2
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        T.ScrollBar.vertical: Scroll { }
        Column {
            id: lines
            width: parent.width
            Repeater {
                model: sidebar.models.categories
                delegate: Column {
                    required property var modelData
                    width: lines.width
                    Line {
                        width: parent.width
                        glyph: modelData.icon
                        words: modelData.title
                        count: modelData.count
                        current: sidebar.models.category === modelData.id && sidebar.models.folder === ""
                        takes: sidebar.models.category === modelData.id && modelData.id !== "favourites"
                        onClicked: { sidebar.models.showCategory(modelData.id); sidebar.models.showFolder("") }
                        onDropped: sidebar.models.askMove("")
                    }
                    Repeater {
                        model: sidebar.models.category === modelData.id ? sidebar.models.folders : []
                        delegate: Line {
                            required property var modelData
                            width: lines.width
                            depth: modelData.depth + 1
                            glyph: sidebar.models.folder === modelData.path ? "folder-open" : "folder"
                            words: modelData.name
                            current: sidebar.models.folder === modelData.path
                            takes: true
                            onClicked: sidebar.models.showFolder(modelData.path)
                            onDropped: sidebar.models.askMove(modelData.path)
                        }
                    }
                }
            }
        }
    }
}
