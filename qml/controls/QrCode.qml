import QtQuick 2.15
import ".."

// Rows of 0 and 1 as dark squares on a light ground, whatever the theme: that is how cameras read them.
Rectangle {
    id: code
    property var rows: []
    property string description
    readonly property int quiet: 4
    property int side: 256
    // Whole pixels, so that squares are alike.
    readonly property int cell: Math.max(1, Math.floor(side / (Math.max(1, rows.length) + 2 * quiet)))
    width: cell * (Math.max(1, rows.length) + 2 * quiet)
    height: width
    color: Theme.paper
    radius: Theme.radius
    Accessible.role: Accessible.Graphic
    Accessible.name: description
    onRowsChanged: canvas.requestPaint()
    Canvas {
        id: canvas
        anchors.fill: parent
        onPaint: {
            var context = getContext("2d")
            context.clearRect(0, 0, width, height)
            context.fillStyle = Theme.ink
            for (var y = 0; y < code.rows.length; ++y)
                for (var x = 0; x < code.rows[y].length; ++x)
                    if (code.rows[y][x] === "1")
                        context.fillRect((x + code.quiet) * code.cell, (y + code.quiet) * code.cell, code.cell, code.cell)
        }
    }
}
