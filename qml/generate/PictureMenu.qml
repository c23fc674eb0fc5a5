import QtQuick 2.15
import "../controls"
import ".."

// Everything that can be done with the picture on the stage.
ContextMenu {
    id: menu
    property bool inFull: false
    signal openAsked()
    title: qsTr("Picture")
    readonly property var wanted: ["view_copy", "view_save_as", "view_copy_to", "view_open_file", "view_visit", "use_image", "use_mask", "use_control",
                                   "use_seed", "use_parameters", "upscale", "vary", "view_clear", "view_clear_right", "view_trash"]
    rows: () => (inFull ? [] : ["view_open"]).concat(wanted).map(id => studio.actions.find(row => row.id === id))
    onPicked: action => action === "view_open" ? openAsked() : studio.act(action)
}
