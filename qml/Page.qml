import QtQuick 2.15
import "controls"

// One page of the window: made at its first visit, kept after it. It has the focus where it was left.
FocusScope {
    id: page
    required property var modelData
    readonly property var tab: modelData
    readonly property bool shown: studio.tab === tab.id
    property bool visited: false
    signal openAsked()
    visible: shown
    enabled: shown
    onShownChanged: take()
    Component.onCompleted: take()
    function take() {
        if (!shown)
            return
        visited = true
        if (loader.item && loader.item.takeFocus)
            loader.item.takeFocus()
    }
    Loader {
        id: loader
        anchors.fill: parent
        active: page.visited
        source: page.tab.page
        focus: true
        onLoaded: if (item.takeFocus) item.takeFocus()
    }
    Connections {
        target: loader.item
        ignoreUnknownSignals: true
        function onOpenAsked() { page.openAsked() }
    }
}
