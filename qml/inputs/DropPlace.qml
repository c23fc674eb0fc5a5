import QtQuick 2.15
import "../controls"
import ".."

// Where something dropped will go: on the edge of a card or between two a new one, on the middle of one in its place.
DropArea {
    id: area
    property ListView list
    property int to: -1
    property Item onto: null
    readonly property string cardFormat: "application/x-sfumato-card"
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Drop pictures here to start from them")

    function isCard(event) { return event.formats.indexOf(cardFormat) >= 0 }
    // Finds the place of a point; a card that is moved can only go between others.
    function aim(event) {
        var point = mapToItem(list.contentItem, event.x, event.y)
        onto = null
        to = studio.inputs.count
        for (var index = 0; index < list.count; ++index) {
            var card = list.itemAtIndex(index)
            if (!card || point.x > card.x + card.width + list.spacing / 2)
                continue
            var share = (point.x - card.x) / card.width
            to = share > 0.5 ? index + 1 : index
            if (!isCard(event) && share > 0.25 && share < 0.75)
                onto = card
            return
        }
    }
    onEntered: event => { event.accepted = event.hasUrls || event.hasText || isCard(event); aim(event) }
    onPositionChanged: event => aim(event)
    onDropped: event => {
        var identity = isCard(event) ? event.getDataAsString(cardFormat) : ""
        if (identity) {
            var from = studio.inputs.indexOf(identity)
            studio.inputs.move(identity, from >= 0 && from < to ? to - 1 : to)
            event.accept(Qt.MoveAction)
            return
        }
        var files = event.urls.map(url => String(url)).filter(url => url.startsWith("file:"))
        if (files.length > 0)
            studio.inputs.takeFiles(files, "image", list.count > 0 ? to : -1, onto ? onto.cardId : "")
        else if (studio.importer)
            studio.importer.drop(event.urls, event.text)
        event.accept(Qt.CopyAction)
    }
    Rectangle {
        visible: area.containsDrag && area.onto === null
        color: Theme.accent
        width: 2
        height: list.count > 0 ? list.height : parent.height - 8
        y: list.count > 0 ? list.y : 4
        x: {
            if (!visible || list.count === 0)
                return 4
            var last = area.to >= list.count
            var card = list.itemAtIndex(last ? list.count - 1 : area.to)
            return card ? list.x + card.x - list.contentX + (last ? card.width + list.spacing / 2 : -list.spacing / 2) - 1 : 4
        }
    }
    Rectangle {
        visible: area.containsDrag && area.onto !== null
        x: visible ? list.x + area.onto.x - list.contentX - 2 : 0
        y: list.y + 18
        width: visible ? area.onto.width + 4 : 0
        height: visible ? area.onto.height - 16 : 0
        radius: Theme.radius + 2
        color: "transparent"
        border.width: 2
        border.color: Theme.accent
        Chip { anchors.centerIn: parent; text: qsTr("Replace") }
    }
}
