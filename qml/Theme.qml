pragma Singleton
import QtQuick 2.15

// Every colour, distance and size of the window. Neutral greys, so that pictures keep their colours; one accent.
QtObject {
    property bool light: false

    // Grounds, from the farthest to the nearest.
    readonly property color stage: light ? "#e6e7e9" : "#111213"
    readonly property color window: light ? "#f3f4f5" : "#18191b"
    readonly property color panel: light ? "#fafafb" : "#1e1f22"
    readonly property color field: light ? "#ffffff" : "#141517"
    readonly property color raised: light ? "#ffffff" : "#292b2f"
    readonly property color hover: light ? "#e9eaec" : "#323439"
    readonly property color pressed: light ? "#dddfe2" : "#3b3e44"
    readonly property color line: light ? "#dcdee1" : "#2b2d31"
    readonly property color edge: light ? "#7c818a" : "#70757e"
    readonly property color track: light ? "#d3d6da" : "#34373c"
    readonly property color shade: light ? "#66202225" : "#99000000"

    // Words.
    readonly property color text: light ? "#1b1c1e" : "#e9eaec"
    readonly property color soft: light ? "#575c64" : "#a4a9b1"
    readonly property color faint: light ? "#5e636c" : "#9095a0"

    // The accent and what is written on it.
    readonly property color accent: light ? "#0b7468" : "#5cc8b4"
    readonly property color accentHover: light ? "#0a665c" : "#74d4c2"
    readonly property color accentPressed: light ? "#08574e" : "#4bb5a1"
    readonly property color accentInk: light ? "#ffffff" : "#0c1614"
    readonly property color accentSoft: light ? "#d9eeea" : "#1f3a36"

    // Meaning, always beside an icon or a word.
    readonly property color error: light ? "#b3261e" : "#f08a85"
    readonly property color warning: light ? "#8a5a00" : "#e0b25c"

    // A 4 px grid.
    readonly property int u1: 4
    readonly property int u2: 8
    readonly property int u3: 12
    readonly property int u4: 16
    readonly property int u6: 24
    readonly property int u8: 32
    readonly property int control: 32
    readonly property int radius: 6
    readonly property int radiusLarge: 10
    readonly property int icon: 16

    readonly property string family: "Inter"
    readonly property string mono: "JetBrains Mono"
    readonly property int small: 12
    readonly property int body: 13
    readonly property int large: 15
    readonly property int title: 20

    readonly property int quick: 90
    readonly property int calm: 160
}
