import QtQuick 2.15
import "../controls"
import ".."

// The cell of a sheet that was clicked, and its parameters for the next picture.
Rectangle {
    id: bar
    readonly property var cells: studio.grid.cells
    property string path
    visible: path !== "" && cells.path === path
    width: Math.min(parent.width - 2 * Theme.u6, line.implicitWidth + 2 * Theme.u3)
    height: Theme.control + Theme.u2
    radius: Theme.radius
    color: Theme.raised
    border.color: Theme.line
    Row {
        id: line
        x: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u2
        Label {
            width: Math.min(implicitWidth, bar.parent.width - 2 * Theme.u6 - use.width - leave.width - 2 * Theme.u3 - 2 * Theme.u2)
            height: Theme.control
            text: bar.cells.words
        }
        Button { id: use; text: qsTr("Use the cell"); hint: qsTr("Take the parameters of this cell"); glyph: "file-input"; onClicked: bar.cells.use() }
        Button { id: leave; quiet: true; glyph: "x"; hint: qsTr("Choose no cell"); onClicked: bar.cells.leave() }
    }
}
