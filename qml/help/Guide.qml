import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The guide that lies beside the program: its sections at the left, words and pictures at the right.
Panel {
    id: panel
    title: qsTr("Guide")
    width: Math.min(Theme.px(1080), parent ? parent.width - 2 * Theme.u6 : 1080)
    onOpened: page.forceActiveFocus(Qt.OtherFocusReason)
    Item {
        width: parent.width
        height: Math.max(Theme.px(200), (panel.parent ? panel.parent.height : 700) - Theme.px(208))
        ListView {
            id: sections
            width: Theme.px(200)
            height: parent.height
            clip: true
            activeFocusOnTab: true
            boundsBehavior: Flickable.StopAtBounds
            model: panel.visible ? studio.guide.headings : []
            currentIndex: 0
            Accessible.role: Accessible.List
            Accessible.name: qsTr("Sections of the guide")
            Keys.onReturnPressed: go(currentIndex)
            function go(index) {
                currentIndex = index
                page.positionViewAtIndex(model[index].place, ListView.Beginning)
            }
            delegate: T.ItemDelegate {
                id: line
                width: sections.width
                height: Theme.control
                focusPolicy: Qt.NoFocus
                Accessible.role: Accessible.ListItem
                Accessible.name: modelData.text
                Accessible.onPressAction: sections.go(index)
                onClicked: sections.go(index)
                contentItem: Label { leftPadding: Theme.u3; text: modelData.text; color: line.ListView.isCurrentItem ? Theme.text : Theme.soft; Accessible.ignored: true }
                background: Rectangle {
                    radius: Theme.radius
                    color: line.ListView.isCurrentItem ? Theme.accentSoft : line.hovered ? Theme.hover : "transparent"
                    border.width: line.ListView.isCurrentItem && sections.activeFocus ? 2 : 0
                    border.color: Theme.accent
                }
            }
        }
        Rectangle { x: sections.width + Theme.u3; width: 1; height: parent.height; color: Theme.line }
        ListView {
            id: page
            anchors.left: sections.right
            anchors.leftMargin: Theme.u6
            anchors.right: parent.right
            height: parent.height
            clip: true
            activeFocusOnTab: true
            boundsBehavior: Flickable.StopAtBounds
            spacing: Theme.u3
            cacheBuffer: 2000
            // No row is the current one: the keys scroll.
            currentIndex: -1
            model: panel.visible ? studio.guide.rows : []
            Accessible.role: Accessible.List
            Accessible.name: qsTr("Text of the guide")
            T.ScrollBar.vertical: Scroll { }
            Keys.onDownPressed: move(Theme.u8)
            Keys.onUpPressed: move(-Theme.u8)
            Keys.onSpacePressed: move(height - Theme.u8)
            Keys.onPressed: event => {
                if (event.key === Qt.Key_PageDown || event.key === Qt.Key_PageUp) {
                    move((event.key === Qt.Key_PageDown ? 1 : -1) * (height - Theme.u8))
                    event.accepted = true
                }
            }
            function move(distance) {
                contentY = Math.max(originY, Math.min(originY + contentHeight - height, contentY + distance))
            }
            onContentYChanged: {
                var shown = indexAt(0, contentY + Theme.u6)
                for (var index = 0; index < sections.count; ++index)
                    if (shown >= sections.model[index].place)
                        sections.currentIndex = index
            }
            delegate: Loader {
                width: page.width - Theme.u4
                readonly property var row: modelData
                // The list hands the focus to its first row; a row that cannot have it leaves it with the page.
                enabled: false
                sourceComponent: row.kind === "heading" ? heading : row.kind === "picture" ? picture : words
            }
        }
    }
    Component {
        id: heading
        Label {
            text: row.text
            topPadding: row.level > 1 ? Theme.u3 : 0
            font.pixelSize: row.level > 1 ? Theme.large : Theme.title
            font.weight: Font.DemiBold
            Accessible.role: Accessible.Heading
        }
    }
    Component {
        id: words
        Label { text: row.text; textFormat: Text.MarkdownText; wrapMode: Text.Wrap; elide: Text.ElideNone; lineHeight: 1.15; color: Theme.soft; linkColor: Theme.accent }
    }
    Component {
        id: picture
        Image {
            source: row.source
            visible: row.source !== ""
            asynchronous: true
            fillMode: Image.PreserveAspectFit
            sourceSize.width: Theme.px(800)
            height: visible && implicitWidth > 0 ? Math.min(width, implicitWidth) * implicitHeight / implicitWidth : 0
            horizontalAlignment: Image.AlignLeft
            Accessible.role: Accessible.Graphic
            Accessible.name: row.text
        }
    }
    buttons: [Button { text: qsTr("Close"); onClicked: panel.close() }]
}
