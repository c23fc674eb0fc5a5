import QtQuick 2.15
import ".."

// A picture that never flickers: the next one is loaded behind the last and takes its place when it is ready.
// Small pictures grow by whole factors, pixel by pixel; large ones shrink smoothly.
Item {
    id: picture
    property string source
    property string description
    property int limit: 0
    property bool fill: false
    property bool stretch: false
    property bool enlarge: true
    readonly property Image shown: front ? first : second
    property bool front: true
    readonly property bool ready: shown.status === Image.Ready && source !== ""
    readonly property real naturalWidth: shown.implicitWidth
    readonly property real naturalHeight: shown.implicitHeight
    readonly property real room: naturalWidth > 0 ? Math.min(width / naturalWidth, height / naturalHeight) : 1
    readonly property real factor: room >= 1 ? (enlarge ? Math.max(1, Math.floor(room)) : 1) : room
    readonly property real paintedWidth: Math.round(naturalWidth * factor)
    readonly property real paintedHeight: Math.round(naturalHeight * factor)
    Accessible.role: Accessible.Graphic
    Accessible.name: description || qsTr("Picture")

    onSourceChanged: {
        var back = front ? second : first
        if (source === "") {
            first.source = ""
            second.source = ""
        } else if (shown.source == source) {
            back.source = ""
        } else {
            back.source = source
            if (back.status === Image.Ready)
                front = !front
        }
    }
    function swap(image) {
        if (image !== shown && image.status === Image.Ready && image.source == picture.source)
            front = !front
    }
    component Layer: Image {
        asynchronous: true
        cache: false
        anchors.centerIn: parent
        width: picture.fill || picture.stretch ? picture.width : picture.paintedWidth
        height: picture.fill || picture.stretch ? picture.height : picture.paintedHeight
        fillMode: picture.fill ? Image.PreserveAspectCrop : Image.PreserveAspectFit
        smooth: picture.room < 1
        mipmap: picture.room < 1
        sourceSize.width: picture.limit > 0 ? picture.limit : undefined
        sourceSize.height: picture.limit > 0 ? picture.limit : undefined
        Accessible.ignored: true
    }
    Layer { id: first; visible: picture.front; onStatusChanged: picture.swap(first) }
    Layer { id: second; visible: !picture.front; onStatusChanged: picture.swap(second) }
}
