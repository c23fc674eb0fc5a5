import QtQuick 2.15
import "../controls"
import ".."

// The lower edge of a prompt box: tools and the chosen styles on the left, what is doubtful and the tokens on the right.
Item {
    id: edge
    property var box
    property bool tools: false
    property bool negativeHidden: false
    // What the tokens leave; inside a button the word `right` would be its own edge.
    readonly property real toolRoom: width - told.width - Theme.u2
    signal doubtAsked(int place)
    component Tool: Button {
        property string act
        property int place: 0
        visible: (place + 1) * edge.height <= edge.toolRoom // never over the tokens
        focusPolicy: Qt.NoFocus // in the menu for the keyboard
        quiet: true
        implicitWidth: edge.height
        implicitHeight: edge.height
        hint: studio.hint(act)
        onClicked: studio.act(act)
    }
    Row {
        id: left
        visible: edge.tools
        height: parent.height
        Tool { glyph: "swatch-book"; act: "prompt_styles"; place: 0 }
        Tool { glyph: "history"; act: "prompt_history"; place: 1 }
        Tool { glyph: "asterisk"; act: "prompt_wildcards"; place: 2 }
        Tool { glyph: "telescope"; act: "prompt_expand"; place: 3 }
    }
    ListView {
        id: chips
        visible: edge.tools && count > 0
        anchors.left: left.right
        anchors.leftMargin: Theme.u2
        anchors.right: told.left
        anchors.rightMargin: Theme.u2
        height: parent.height
        orientation: ListView.Horizontal
        boundsBehavior: Flickable.StopAtBounds
        spacing: Theme.u1
        clip: true
        model: edge.tools ? studio.prompts.styles.chosen : []
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Chosen styles")
        delegate: StyleChip { height: chips.height; style: modelData }
    }
    Row {
        id: told
        anchors.right: parent.right
        anchors.rightMargin: Theme.u1
        height: parent.height
        spacing: Theme.u2
        Row {
            visible: edge.negativeHidden
            height: parent.height
            spacing: Theme.u1
            Icon { glyph: "info"; size: Theme.px(12); anchors.verticalCenter: parent.verticalCenter }
            Label {
                height: parent.height
                text: qsTr("negative prompt is sent")
                color: Theme.soft
                font.pixelSize: Theme.small
                HoverHandler { id: overHidden }
                Hint { visible: overHidden.hovered; text: qsTr("The negative prompt is hidden and sent all the same:") + "\n" + studio.prompts.negative }
            }
        }
        Button {
            id: doubts
            visible: edge.box.doubts > 0
            quiet: true
            glyph: "triangle-alert"
            text: String(edge.box.doubts)
            implicitHeight: edge.height
            implicitWidth: Theme.px(40)
            font.pixelSize: Theme.small
            hint: edge.box.sentences.slice(0, 6).join("\n")
            Accessible.name: qsTr("%1 doubtful places").arg(edge.box.doubts)
            onClicked: edge.doubtAsked(edge.box.nextDoubt())
        }
        Label {
            height: parent.height
            text: edge.box.tokens
            color: Theme.faint
            font.pixelSize: Theme.small
            Accessible.name: qsTr("Tokens: %1").arg(text)
            HoverHandler { id: overTokens }
            Hint {
                visible: overTokens.hovered
                text: edge.box.encoders ? qsTr("Tokens of the longest part and the places in its chunks, for %1.").arg(edge.box.encoders)
                                        : qsTr("Tokens of the longest part and the places in its chunks, estimated: the model's text encoders are not known.")
            }
        }
    }
}
