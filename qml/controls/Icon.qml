import QtQuick 2.15
import QtQuick.Controls 2.15
import QtQuick.Controls.impl 2.15
import ".."

// A picture sign of the set in icons/, in a colour of the theme.
IconImage {
    property color colour: Theme.soft
    property int size: Theme.icon
    property string glyph
    width: size
    height: size
    sourceSize.width: size
    sourceSize.height: size
    source: glyph ? "../icons/" + glyph + ".svg" : ""
    color: colour
    Accessible.ignored: true
}
