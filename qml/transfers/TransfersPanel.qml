import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// Model files on their way: what to fetch at the top, what moves below.
Panel {
    id: panel
    readonly property var transfers: studio.transfers
    title: qsTr("Transfers")
    width: Math.min(Theme.px(720), parent ? parent.width - 2 * Theme.u6 : 720)
    Connections {
        target: panel.transfers
        function onShownChanged() { panel.transfers.shown ? panel.open() : panel.close() }
        function onTokenAsked(address, folder) { form.ask(address, folder) }
    }
    onOpened: form.takeFocus()
    onAboutToHide: transfers.show(false)
    Item {
        width: parent.width
        height: content.height
        Column {
            id: content
            width: parent.width
            spacing: Theme.u3
            DownloadForm { id: form; width: parent.width }
            Item {
                width: parent.width
                height: Theme.control
                visible: panel.transfers.isRemote && panel.transfers.refusal === ""
                Choice {
                    id: theirs
                    anchors.left: parent.left
                    anchors.right: fetch.left
                    anchors.rightMargin: Theme.u2
                    name: qsTr("Model of %1").arg(panel.transfers.machine)
                    property string picked
                    rows: panel.transfers.models
                    current: picked || (rows.length > 0 ? qsTr("Choose a model of %1").arg(panel.transfers.machine) : "")
                    onChosen: value => picked = value
                }
                Button {
                    id: fetch
                    anchors.right: parent.right
                    glyph: "download"
                    text: qsTr("Fetch to this computer")
                    enabled: theirs.row !== null
                    onClicked: panel.transfers.fetch(theirs.picked)
                }
            }
            Rectangle { width: parent.width; height: 1; color: Theme.line }
            ListView {
                id: list
                visible: count > 0
                width: parent.width
                height: Math.min(contentHeight, Math.max(Theme.px(120), (panel.parent ? panel.parent.height : 700) - form.height - Theme.px(264)))
                clip: true
                boundsBehavior: Flickable.StopAtBounds
                model: panel.transfers.rows
                activeFocusOnTab: true
                keyNavigationEnabled: true
                Accessible.role: Accessible.List
                Accessible.name: qsTr("Transfers")
                T.ScrollBar.vertical: Scroll { }
                delegate: TransferRow { width: list.width - (list.contentHeight > list.height ? Theme.u4 : 0) }
            }
            Column {
                visible: list.count === 0
                width: parent.width
                topPadding: Theme.u6
                bottomPadding: Theme.u6
                spacing: Theme.u2
                Icon { anchors.horizontalCenter: parent.horizontalCenter; glyph: "arrow-down-up"; size: Theme.px(28); colour: Theme.faint }
                Label { width: parent.width; horizontalAlignment: Text.AlignHCenter; text: qsTr("Nothing is on its way") }
                Label {
                    width: parent.width
                    horizontalAlignment: Text.AlignHCenter
                    wrapMode: Text.Wrap
                    color: Theme.soft
                    font.pixelSize: Theme.small
                    text: panel.transfers.isRemote ? qsTr("Paste an address above to download a model there, or drop a model file here to send it to %1.").arg(panel.transfers.machine)
                        : qsTr("Paste an address above to download a model. Pictures are made meanwhile, and a restart goes on where it was.")
                }
            }
        }
        DropArea {
            anchors.fill: parent
            keys: ["text/uri-list"]
            onDropped: event => {
                if (event.hasUrls && panel.transfers.isRemote) {
                    panel.transfers.send(event.urls, "")
                    event.accept()
                }
            }
        }
    }
    buttons: [
        Button { visible: panel.transfers.ended > 0; quiet: true; text: qsTr("Clear ended"); onClicked: panel.transfers.removeEnded() },
        Button { visible: panel.transfers.open > 1; quiet: true; text: qsTr("Pause all"); onClicked: panel.transfers.holdAll(true) },
        Button { visible: panel.transfers.open > 1; quiet: true; text: qsTr("Go on with all"); onClicked: panel.transfers.holdAll(false) },
        Button { text: qsTr("Close"); onClicked: panel.close() }
    ]
}
