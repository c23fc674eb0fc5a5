import QtQuick 2.15
import ".."

// A small picture of a file, from the thumbnails on disk: made when it is first looked at, given up when it is scrolled past.
Item {
    id: shot
    property string path
    property bool fill: true
    property string description
    property bool failed: false
    property bool animated: true
    readonly property bool ready: image.status === Image.Ready
    readonly property int detail: Math.max(width, height) > 256 ? 512 : 256
    readonly property string thumbnail: address
    property string address
    Accessible.role: Accessible.Graphic
    Accessible.name: description
    Accessible.ignored: description === ""

    Component.onCompleted: ask()
    Component.onDestruction: if (path !== "" && address === "") studio.thumbnails.cancel(path)
    property string asked
    onPathChanged: ask()
    function ask() {
        if (asked === path)
            return
        if (asked !== "" && address === "")
            studio.thumbnails.cancel(asked)
        asked = path
        failed = false
        address = path === "" ? "" : studio.thumbnails.address(path)
    }
    Connections {
        target: studio.thumbnails
        enabled: shot.path !== "" && shot.address === ""
        function onReady(path, url) {
            if (path === shot.path)
                shot.address = url
        }
        function onFailed(path, sentence) {
            if (path === shot.path)
                shot.failed = true
        }
    }
    Image {
        id: image
        anchors.fill: parent
        source: shot.address
        asynchronous: true
        cache: false
        fillMode: shot.fill ? Image.PreserveAspectCrop : Image.PreserveAspectFit
        sourceSize: Qt.size(shot.detail, shot.detail)
        opacity: status === Image.Ready ? 1 : 0
        Accessible.ignored: true
    }
    Icon {
        anchors.centerIn: parent
        visible: shot.failed
        glyph: "image"
        size: 20
        colour: Theme.faint
    }
}
