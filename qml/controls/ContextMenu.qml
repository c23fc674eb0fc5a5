import QtQuick 2.15
import ".."

// A menu made when it is asked for: `rows` is a function that returns its actions {id, title, icon}, called each time it opens.
Item {
    id: host
    property string title
    property var rows: () => []
    readonly property bool opened: loader.item !== null
    signal picked(string action)
    function popup(item, x, y) {
        loader.active = true
        loader.item.actions = rows().map(row => Object.assign({ sentence: "", shown: "", icon: "", enabled: true }, row))
        if (item)
            loader.item.popup(item, x, y)
        else
            loader.item.popup()
    }
    // It may have been asked for again in the meantime.
    function forget() { if (loader.item && !loader.item.visible) loader.active = false }
    Loader {
        id: loader
        active: false
        sourceComponent: DropMenu {
            title: host.title
            onPicked: action => host.picked(action)
            onClosed: Qt.callLater(host.forget)
        }
    }
}
