pragma Singleton
import QtQuick 2.15

// Every colour, distance and size of the window. Neutral greys, so that pictures keep their colours; one accent.
QtObject {
    // "dark", "light" or "contrast"; how large words are (1 = 100 %); whether rows stand closer; whether nothing moves by itself.
    property string scheme: "dark"
    property real scale: 1
    property bool compact: false
    property bool still: false
    readonly property bool light: scheme === "light"

    function pick(dark, light, contrast) { return scheme === "light" ? light : scheme === "contrast" ? contrast : dark }
    // A length that grows with the words in it.
    function px(length) { return Math.round(length * scale) }

    // Grounds, from the farthest to the nearest.
    readonly property color stage: pick("#111213", "#e6e7e9", "#000000")
    readonly property color window: pick("#18191b", "#f3f4f5", "#000000")
    readonly property color panel: pick("#1e1f22", "#fafafb", "#000000")
    readonly property color field: pick("#141517", "#ffffff", "#000000")
    readonly property color raised: pick("#292b2f", "#ffffff", "#0a0a0a")
    readonly property color hover: pick("#323439", "#e9eaec", "#2e2e2e")
    readonly property color pressed: pick("#3b3e44", "#dddfe2", "#454545")
    readonly property color line: pick("#2b2d31", "#dcdee1", "#a8a8a8")
    readonly property color edge: pick("#70757e", "#7c818a", "#ffffff")
    readonly property color track: pick("#34373c", "#d3d6da", "#5c5c5c")
    readonly property color knob: pick("#e9eaec", "#ffffff", "#ffffff")
    readonly property color shade: pick("#99000000", "#66202225", "#cc000000")

    // Words.
    readonly property color text: pick("#e9eaec", "#1b1c1e", "#ffffff")
    readonly property color soft: pick("#a4a9b1", "#575c64", "#e6e6e6")
    readonly property color faint: pick("#9095a0", "#5e636c", "#cccccc")

    // The accent and what is written on it.
    readonly property color accent: pick("#5cc8b4", "#0b7468", "#3fffe0")
    readonly property color accentHover: pick("#74d4c2", "#0a665c", "#8cfff0")
    readonly property color accentPressed: pick("#4bb5a1", "#08574e", "#1fd6bb")
    readonly property color accentInk: pick("#0c1614", "#ffffff", "#000000")
    readonly property color accentSoft: pick("#1f3a36", "#d9eeea", "#00463c")

    // Meaning, always beside an icon or a word.
    readonly property color error: pick("#f08a85", "#b3261e", "#ff9d97")
    readonly property color warning: pick("#e0b25c", "#8a5a00", "#ffd75e")

    // What a camera reads, in every theme.
    readonly property color paper: "#ffffff"
    readonly property color ink: "#000000"

    // The language of prompts; brackets by their depth.
    readonly property color wordNetwork: pick("#8ab8f5", "#1f5fae", "#8fc7ff")
    readonly property color wordWildcard: pick("#d7a6e8", "#86329b", "#f0b8ff")
    readonly property color wordEmbedding: pick("#a8c987", "#3f6d1a", "#c5f294")
    readonly property var wordDepths: [pick("#d9b36c", "#865800", "#ffd75e"), pick("#d48fb4", "#9a2f68", "#ffa9d6"), pick("#86b9c9", "#23677c", "#9be9ff"), pick("#b0a6e6", "#5a4bb0", "#cfc4ff")]

    // A 4 px grid.
    readonly property int u1: 4
    readonly property int u2: 8
    readonly property int u3: 12
    readonly property int u4: 16
    readonly property int u6: 24
    readonly property int u8: 32
    readonly property int control: px(compact ? 28 : 32)
    readonly property int bar: px(compact ? 32 : 36)
    readonly property int radius: 6
    readonly property int radiusLarge: 10
    readonly property int icon: px(16)

    readonly property string family: "Inter"
    readonly property string mono: "JetBrains Mono"
    readonly property int small: px(12)
    readonly property int body: px(13)
    readonly property int large: px(15)
    readonly property int title: px(20)

    // How long things move, in ms.
    readonly property int quick: still ? 0 : 90
    readonly property int calm: still ? 0 : 160
    readonly property int turn: 1100 // once round, where `still` lets it
}
