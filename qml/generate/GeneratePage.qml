import QtQuick 2.15
import "../controls"
import "../inputs"
import "../prompts"
import ".."

// The parts of the Generate page and the dividers between them.
FocusScope {
    id: workspace
    property bool parametersLeft: studio.recall("parametersLeft", false)
    property alias prompts: prompts
    // How wide the parameters should be, without regard to what there is room for.
    property real sideAsked: studio.recall("parametersWidth", 344)
    readonly property real sideLeast: Math.min(Theme.px(300), width * 0.45)
    readonly property real sideWidth: Math.max(sideLeast, Math.min(Theme.px(480), width * 0.5, sideAsked))
    property real promptHeight: Math.max(108, Math.min(480, studio.recall("promptHeight", 140)))
    property real stripHeight: Math.max(80, Math.min(400, studio.recall("stripHeight", 104)))
    property real inputsHeight: Math.max(112, Math.min(400, studio.recall("inputsHeight", 136)))
    readonly property rect clear: Qt.rect(left.x, 0, left.width, height)
    signal openAsked()
    Keys.forwardTo: [pageKeys]
    ScopeKeys {
        id: pageKeys
        scope: "generate"
        actions: ({ prompt_previous: () => studio.act("prompt_previous"), prompt_next: () => studio.act("prompt_next") })
    }
    // Where the focus goes when the page is shown.
    function takeFocus() { prompts.focusPrompt() }
    Connections {
        target: studio
        function onChanged() { workspace.parametersLeft = studio.recall("parametersLeft", false) }
    }

    Divider {
        z: 1
        vertical: true
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        x: (workspace.parametersLeft ? side.width : left.width) - width / 2
        name: qsTr("Width of the parameters")
        onMoved: distance => workspace.sideAsked += workspace.parametersLeft ? distance : -distance
        // Dropped on the other side of the page, the parameters go there.
        onDropped: {
            var across = workspace.sideAsked > workspace.width * 0.6
            workspace.sideAsked = across ? studio.recall("parametersWidth", 344) : workspace.sideWidth
            across ? studio.act("swap_side") : studio.remember("parametersWidth", workspace.sideWidth)
        }
    }
    Item {
        id: left
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        x: workspace.parametersLeft ? side.width + 1 : 0
        width: parent.width - side.width - 1
        InputsStrip {
            id: inputs
            width: parent.width
            height: empty ? implicitHeight : Math.min(workspace.inputsHeight, Math.max(112, parent.height * 0.3))
        }
        Divider {
            z: 1
            visible: !inputs.empty
            anchors.verticalCenter: inputs.bottom
            width: parent.width
            name: qsTr("Height of the inputs")
            onMoved: distance => workspace.inputsHeight = Math.max(112, Math.min(workspace.height * 0.3, workspace.inputsHeight + distance))
            onDropped: studio.remember("inputsHeight", workspace.inputsHeight)
        }
        Stage {
            id: stage
            anchors.top: inputs.bottom
            anchors.bottom: strip.top
            width: parent.width
            onOpenAsked: workspace.openAsked()
        }
        OutputsStrip {
            id: strip
            visible: studio.outputs.count > 0
            anchors.bottom: prompts.top
            width: parent.width
            height: visible ? workspace.stripHeight : 0
            onOpenAsked: workspace.openAsked()
        }
        Divider {
            z: 1
            anchors.verticalCenter: prompts.top
            width: parent.width
            name: qsTr("Height of the prompts")
            onMoved: distance => workspace.promptHeight = Math.max(108, Math.min(workspace.height * 0.45, workspace.promptHeight - distance))
            onDropped: studio.remember("promptHeight", workspace.promptHeight)
        }
        Divider {
            z: 1
            visible: strip.visible
            anchors.verticalCenter: strip.top
            width: parent.width
            name: qsTr("Height of the pictures")
            onMoved: distance => workspace.stripHeight = Math.max(80, Math.min(workspace.height * 0.35, workspace.stripHeight - distance))
            onDropped: studio.remember("stripHeight", workspace.stripHeight)
        }
        Prompts {
            id: prompts
            focus: true
            anchors.bottom: parent.bottom
            width: parent.width
            height: Math.min(Math.max(workspace.promptHeight, Theme.px(112)), Math.max(112, workspace.height * 0.5))
            buttonWidth: button.width
        }
        Rectangle { anchors.top: prompts.top; width: parent.width; height: 1; color: Theme.line }
    }
    Rectangle { x: workspace.parametersLeft ? side.width : left.width; anchors.top: parent.top; anchors.bottom: parent.bottom; width: 1; color: Theme.line }
    ParameterPanel {
        id: side
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        x: workspace.parametersLeft ? 0 : parent.width - width
        width: workspace.sideWidth
    }
    Loader { id: gridPanel; active: false; source: "../grid/GridPanel.qml" }
    Connections {
        target: studio.grid
        function onOpened() {
            studio.show("generate")
            gridPanel.active = true
            gridPanel.item.open()
        }
    }
    // After the parameters, so that Tab leads from the prompts to them and then here.
    GenerateButton {
        id: button
        x: left.x + left.width - width - Theme.u3
        y: left.y + prompts.y + Theme.u3
        width: Math.min(Theme.px(left.width < 720 ? 168 : 208), left.width * 0.42)
    }
}
