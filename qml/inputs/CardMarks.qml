import QtQuick 2.15
import "../controls"
import ".."

// What is written on a card: which file, how near, what is wrong; and the two buttons of a control.
Item {
    id: marks
    property Item card
    property bool hovered: false
    Chip { x: 4; y: 4; visible: marks.card.place !== ""; text: marks.card.place }
    Chip { anchors.right: parent.right; anchors.rightMargin: 4; y: 4; visible: !marks.card.on; text: qsTr("Off"); ink: Theme.soft }
    Chip {
        anchors.right: parent.right
        anchors.rightMargin: 4
        y: 4
        visible: marks.card.on && marks.card.words !== ""
        glyph: marks.card.trouble !== "" ? "triangle-alert" : "info"
        ink: marks.card.stops ? Theme.error : marks.card.trouble !== "" || marks.card.extentWords !== "" ? Theme.warning : Theme.soft
    }
    Chip { x: 4; anchors.bottom: parent.bottom; anchors.bottomMargin: 4; visible: marks.card.zoom > 1; text: "×" + marks.card.zoom.toFixed(1) }
    Row {
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        anchors.margins: 4
        spacing: 4
        CardButton {
            visible: marks.card.role === "control" && !marks.card.isPaintedMap && !marks.card.busy && (!marks.card.hasMap || marks.card.isStale || marks.hovered)
            glyph: "refresh-cw"
            hint: marks.card.isStale ? qsTr("The map is of other settings or another picture: compute it again") : studio.hint("input_refresh")
            onClicked: studio.inputs.refresh(marks.card.cardId)
        }
        CardButton {
            visible: marks.card.hasSettings
            glyph: "settings-2"
            text: marks.card.strength.toFixed(2)
            hint: studio.hint("input_settings")
            onClicked: marks.card.settingsAsked()
        }
    }
}
