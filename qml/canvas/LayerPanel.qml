import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The layers, the uppermost first, and what can be done to the chosen one.
Item {
    id: panel
    property var room
    readonly property var held: room.state
    Rectangle { width: parent.width; height: 1; color: Theme.line }
    Row {
        id: head
        x: Theme.u3
        y: Theme.u2
        spacing: Theme.u1
        Label { width: panel.width - 2 * Theme.u3 - 3 * (Theme.control + Theme.u1); height: Theme.control; text: panel.held.hasColour ? qsTr("Layers") : qsTr("Regions"); font.weight: Font.DemiBold }
        Button { quiet: true; glyph: "plus"; hint: studio.keys.hint("canvas_add_layer"); onClicked: panel.room.addLayer() }
        Button { quiet: true; glyph: "copy-plus"; enabled: panel.held.hasColour === true; hint: qsTr("Duplicate the layer"); onClicked: panel.room.duplicateLayer(panel.held.layer) }
        Button { quiet: true; glyph: "trash-2"; enabled: panel.held.layerCount > 1; hint: qsTr("Delete the layer"); onClicked: panel.room.removeLayer(panel.held.layer) }
    }
    ListView {
        id: list
        anchors.top: head.bottom
        anchors.topMargin: Theme.u1
        anchors.bottom: foot.top
        width: parent.width
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        model: panel.room.layers
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Layers")
        delegate: LayerRow { width: list.width; room: panel.room }
    }
    Column {
        id: foot
        x: Theme.u3
        anchors.bottom: parent.bottom
        anchors.bottomMargin: Theme.u2
        width: parent.width - 2 * Theme.u3
        visible: panel.held.hasColour === true
        height: visible ? implicitHeight : 0
        Row {
            spacing: Theme.u2
            Label { height: Theme.control; text: qsTr("Opacity"); color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
            Slider {
                anchors.verticalCenter: parent.verticalCenter
                width: foot.width - 110
                name: qsTr("Opacity of the layer")
                from: 0
                to: 100
                value: panel.held.layerOpacity || 0
                onChosen: number => panel.room.setLayerOpacity(panel.held.layer, number)
            }
            Label { height: Theme.control; text: qsTr("%1 %").arg(panel.held.layerOpacity || 0); font.pixelSize: Theme.small; color: Theme.soft }
        }
        Row {
            spacing: Theme.u2
            Toggle {
                anchors.verticalCenter: parent.verticalCenter
                name: qsTr("The layer erases what is below it")
                checked: panel.held.layerErases === true
                onToggled: {
                    panel.room.setLayerErases(panel.held.layer, checked)
                    checked = Qt.binding(() => panel.held.layerErases === true)
                }
            }
            Label { height: Theme.control; text: qsTr("Erases what is below"); color: Theme.soft; font.pixelSize: Theme.small; Accessible.ignored: true }
        }
    }
}
