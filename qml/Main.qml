import QtQuick 2.15
import QtQuick.Window 2.15
import "controls"
import "generate"
import "queue"
import "import"

// The window: menus above, stage and strip over the prompts, parameters at the side, the status line below.
Window {
    id: window
    readonly property rect place: studio.geometry()
    // A text box has the focus: the keys it edits with are its own.
    readonly property bool typing: activeFocusItem !== null && activeFocusItem.cursorPosition !== undefined
    title: (studio.jobs.paused && studio.jobs.busy && studio.jobs.fraction === 0 ? qsTr("Paused") + " (+" + studio.jobs.waiting + ") · "
        : studio.jobs.busy ? Math.round(studio.jobs.fraction * 100) + " %" + (studio.jobs.waiting ? " (+" + studio.jobs.waiting + ")" : "") + " · " : "") + "Sfumato" + (studio.settings.values.debug_log ? qsTr(" [DEBUG]") : "")
    x: place.x
    y: place.y
    width: place.width
    height: place.height
    minimumWidth: 1024
    minimumHeight: 600
    visibility: Window.Hidden
    color: Theme.window

    Binding { target: Theme; property: "scheme"; value: studio.appearance.scheme }
    Binding { target: Theme; property: "scale"; value: studio.appearance.scale }
    Binding { target: Theme; property: "compact"; value: studio.appearance.compact }
    Binding { target: Theme; property: "still"; value: studio.appearance.still }
    onClosing: close => { close.accepted = false; studio.act("quit") }
    onXChanged: keep("x", x)
    onYChanged: keep("y", y)
    onWidthChanged: keep("width", width)
    onHeightChanged: keep("height", height)
    function keep(name, number) {
        if (visibility === Window.Windowed)
            studio.remember(name, number)
    }
    function run(action) {
        var scene = {
            full_screen: () => visibility = visibility === Window.FullScreen ? Window.Windowed : Window.FullScreen,
            shortcuts: () => sheet.open(),
            about: () => about.open(),
            find: () => finder.open(),
            view_open: () => fullView.open()
        }
        if (scene[action])
            scene[action]()
    }
    Connections {
        target: studio
        function onViewAsked(action) { window.run(action) }
        function onReloadAsked() { reloadQuestion.open() }
        function onQuitAsked() { quitQuestion.open() }
    }
    // Keys must never go to what cannot be seen: what had the focus was hidden by something else than its own keys.
    function refocus() {
        if (activeFocusItem && activeFocusItem.visible && activeFocusItem !== contentItem)
            return
        if (studio.canvas.isOpen)
            canvas.item.forceActiveFocus(Qt.OtherFocusReason)
        else if (fullView.visible)
            fullView.forceActiveFocus(Qt.OtherFocusReason)
        else
            for (var index = 0; index < pages.count; ++index)
                pages.itemAt(index).take()
    }
    Connections {
        target: window.activeFocusItem
        ignoreUnknownSignals: true
        function onVisibleChanged() { Qt.callLater(window.refocus) }
    }
    Instantiator {
        model: studio.actions.filter(row => row.scope.split(", ").includes("window"))
        delegate: Shortcut {
            sequences: studio.keys.revision >= 0 ? studio.keys.sequences(modelData.id, window.typing) : []
            enabled: !studio.keys.taken.includes(modelData.id)
            context: Qt.ApplicationShortcut
            onActivated: studio.act(modelData.id)
        }
    }

    Item {
        id: body
        anchors.fill: parent
        enabled: !fullView.visible && !studio.canvas.isOpen && !studio.pose.isOpen
        ImportDrop { anchors.fill: parent }
        TopBar { id: topBar; width: parent.width }
        Repeater {
            id: pages
            model: studio.tabs
            delegate: Page {
                anchors.top: topBar.bottom
                anchors.bottom: queueLine.top
                width: body.width - (queuePanel.docked ? queuePanel.width : 0)
                onOpenAsked: fullView.open()
            }
        }
        QueuePanel {
            id: queuePanel
            readonly property bool docked: visible && body.width >= Theme.px(1200)
            anchors.top: topBar.bottom
            anchors.bottom: queueLine.top
            anchors.right: parent.right
            width: Theme.px(body.width < Theme.px(1440) ? 328 : 380)
        }
        QueueLine { id: queueLine; anchors.bottom: statusBar.top; width: parent.width }
        Notice {
            readonly property int place: studio.tabs.findIndex(row => row.id === studio.tab)
            clear: pages.count > place && place >= 0 ? pages.itemAt(place).clear : Qt.rect(0, 0, body.width, body.height)
            y: topBar.height + Theme.u4
            onDetailsAsked: details.open()
        }
        StatusBar { id: statusBar; anchors.bottom: parent.bottom; width: parent.width }
    }
    FullView { id: fullView; anchors.fill: parent; z: 2 }
    Loader { id: canvas; anchors.fill: parent; z: 2; active: studio.canvas.isOpen; source: "canvas/CanvasEditor.qml" }
    Loader { anchors.fill: parent; z: 2; active: studio.pose.isOpen; source: "pose/PoseEditor.qml" }
    ImportDialog { }
    ErrorDialog { id: details }
    ShortcutSheet { id: sheet }
    FindPanel { id: finder }
    AboutDialog { id: about }
    Loader { id: linkDialog }
    Connections {
        target: studio.links
        function onAsked() {
            linkDialog.source = "LinkDialog.qml"
            linkDialog.item.open()
        }
    }
    Loader { id: transfers }
    Connections {
        target: studio.transfers
        // Afterwards it opens and closes by itself.
        function onShownChanged() {
            if (transfers.item)
                return
            transfers.source = "transfers/TransfersPanel.qml"
            transfers.item.open()
        }
    }
    Loader { id: guide }
    Connections {
        target: studio.guide
        function onOpenAsked() {
            guide.source = "help/Guide.qml"
            guide.item.open()
        }
    }
    Question {
        id: reloadQuestion
        title: qsTr("Reload the engine while a job runs?")
        words: qsTr("The running job is interrupted and starts again by itself after the reload. Waiting jobs stay.")
        first: qsTr("Reload now")
        second: qsTr("After this job")
        onFirstChosen: studio.jobs.reload(true)
        onSecondChosen: studio.jobs.reload(false)
    }
    Question {
        id: quitQuestion
        title: qsTr("Quit while jobs are not finished?")
        words: qsTr("Jobs that are not finished wait for the next start. Finished pictures are saved.")
        first: qsTr("Quit")
        second: qsTr("Finish, then quit")
        onFirstChosen: studio.leave(false)
        onSecondChosen: studio.leave(true)
    }
    Question {
        id: cancelQuestion
        property int waiting: 0
        title: qsTr("Cancel all jobs?")
        words: qsTr("%1 jobs wait. They stay in the list and can be retried.").arg(waiting)
        first: qsTr("Cancel all")
        onFirstChosen: studio.queue.cancelAllNow()
    }
    Connections {
        target: studio.queue
        function onCancelAllAsked(waiting) { cancelQuestion.waiting = waiting; cancelQuestion.open() }
    }
}
