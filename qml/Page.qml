import QtQuick 2.15
import "controls"

// One page of the window: made at its first visit, kept after it. It has the focus where it was left. A page that cannot be made says why, alone.
FocusScope {
    id: page
    required property var modelData
    readonly property var tab: modelData
    readonly property bool shown: studio.tab === tab.id
    property bool visited: false
    property string failure: ""
    // Where something may lie over the page without hiding controls of it.
    readonly property rect clear: loader.item && loader.item.clear !== undefined ? loader.item.clear : Qt.rect(0, 0, width, height)
    signal openAsked()
    visible: shown
    enabled: shown
    onShownChanged: take()
    Component.onCompleted: take()
    function take() {
        if (!shown)
            return
        if (!visited) {
            visited = true
            make(false)
        }
        if (loader.item && loader.item.takeFocus)
            loader.item.takeFocus()
    }
    function make(again) {
        if (again)
            studio.forgetPages()
        var component = Qt.createComponent(tab.page)
        failure = component.status === Component.Error ? component.errorString() : ""
        loader.sourceComponent = failure === "" ? component : null
    }
    Loader {
        id: loader
        anchors.fill: parent
        focus: page.failure === ""
        onLoaded: if (item.takeFocus) item.takeFocus()
    }
    Loader {
        anchors.fill: parent
        active: page.failure !== ""
        focus: active
        sourceComponent: PageFailure {
            title: page.tab.title
            detail: page.failure
            onRetryAsked: page.make(true)
        }
    }
    Connections {
        target: loader.item
        ignoreUnknownSignals: true
        function onOpenAsked() { page.openAsked() }
    }
}
