import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The values of a picture under their sections; dragging along the boxes sets many, Space the one that is marked.
ListView {
    id: list
    readonly property real nameWidth: Math.min(Theme.px(200), width * 0.24)
    clip: true
    activeFocusOnTab: true
    boundsBehavior: Flickable.StopAtBounds
    model: studio.importer.rows
    currentIndex: 0
    highlightMoveDuration: 0
    Accessible.role: Accessible.List
    Accessible.name: qsTr("Values")
    T.ScrollBar.vertical: Scroll { }
    section.property: "section"
    section.delegate: Label {
        required property string section
        height: Theme.px(30)
        verticalAlignment: Text.AlignBottom
        bottomPadding: Theme.u1
        leftPadding: Theme.u2
        text: section
        color: Theme.soft
        font.pixelSize: Theme.small
        font.weight: Font.DemiBold
    }
    delegate: ImportRow {
        width: list.width - Theme.u3
        nameWidth: list.nameWidth
        marked: ListView.isCurrentItem && list.activeFocus
    }
    footer: ImportRest { width: list.width - Theme.u3 }
    MouseArea {
        // Over the boxes and names only: the rest of the list scrolls.
        property bool set: false
        property int last: -1
        parent: list.contentItem
        width: list.nameWidth + 36
        height: list.contentHeight
        preventStealing: true
        Accessible.ignored: true
        function at(mouse) { return list.indexAt(mouse.x, mouse.y) }
        onPressed: mouse => {
            last = at(mouse)
            if (last < 0) {
                mouse.accepted = false
                return
            }
            list.currentIndex = last
            list.forceActiveFocus(Qt.MouseFocusReason)
            set = !list.itemAtIndex(last).chosen
            studio.importer.rows.choose(last, set)
        }
        onPositionChanged: mouse => {
            var place = at(mouse)
            if (place >= 0 && place !== last) {
                for (var index = Math.min(place, last); index <= Math.max(place, last); ++index)
                    studio.importer.rows.choose(index, set)
                last = place
            }
        }
    }
}
