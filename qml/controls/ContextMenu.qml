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
    Loader {
        id: loader
        active: false
        sourceComponent: DropMenu {
            title: host.title
            onPicked: action => host.picked(action)
            onClosed: Qt.callLater(() => loader.active = false)
        }
    }
}
