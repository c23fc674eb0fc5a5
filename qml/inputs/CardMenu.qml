import QtQuick 2.15
import "../controls"

// Everything that can be done with a card.
ContextMenu {
    id: menu
    property Item card: null
    signal openAsked(string card)
    signal settingsAsked()
    function show(item) {
        if (!item)
            return
        card = item
        popup(item, 0, item.height + 2)
    }
    title: card ? card.title : ""
    rows: () => {
        var poses = studio.pose.suits(card.cardId)
        var has = card.face !== "" && !card.borrowed
        var places = studio.inputs.roles.filter(row => row.value !== card.role && (row.value !== "reference" || studio.inputs.offersReferences))
        return [
            ...(poses ? [{ id: "pose", title: qsTr("Edit pose"), icon: "waypoints" }] : []),
            ...(poses && card.isPaintedMap ? [] : [{ id: "open", title: poses ? qsTr("Paint on the map") : qsTr("Open"), icon: "pencil" }]),
            { id: "replace", title: has ? qsTr("Replace…") : qsTr("Open a picture…"), icon: "image" },
            { id: "save", title: qsTr("Save a copy…"), icon: "save", enabled: has },
            { id: "copy", title: qsTr("Copy"), icon: "copy", shown: studio.keys.shown("input_copy"), enabled: has },
            { id: "duplicate", title: qsTr("Duplicate"), icon: "copy-plus" },
            { id: "clear", title: qsTr("Clear"), icon: "eraser", enabled: has },
            ...(card.hasMap ? [{ id: "dropMap", title: card.isPaintedMap ? qsTr("Drop the painted map") : qsTr("Show the picture again"), icon: "image" }] : []),
            ...(card.role === "control" && !card.isPaintedMap ? [{ id: "refresh", title: qsTr("Compute map"), icon: "refresh-cw" }] : []),
            ...(card.hasSettings ? [{ id: "settings", title: qsTr("Settings"), icon: "settings-2" }] : []),
            ...(card.zoom > 1 ? [{ id: "resetCrop", title: qsTr("Reset crop"), icon: "crop" }] : []),
            { id: "toggle", title: card.on ? qsTr("Switch off") : qsTr("Switch on"), icon: card.on ? "eye-off" : "eye" },
            { id: "left", title: qsTr("Move left"), icon: "chevron-left", enabled: card.index > 0 },
            { id: "right", title: qsTr("Move right"), icon: "chevron-right", enabled: card.index < studio.inputs.count - 1 },
            ...places.map(row => ({ id: "role:" + row.value, title: qsTr("Use as %1").arg(row.inside), icon: "" })),
            { id: "remove", title: qsTr("Remove"), icon: "trash-2", shown: studio.keys.shown("input_remove") }
        ]
    }
    onPicked: action => {
        var inputs = studio.inputs, id = card.cardId
        var done = {
            pose: () => studio.pose.open(id),
            open: () => menu.openAsked(id),
            replace: () => chooser.ask(false, files => inputs.takeFiles(files, "", -1, id)),
            save: () => saver.show(id),
            copy: () => inputs.copy(id),
            duplicate: () => inputs.duplicate(id),
            clear: () => inputs.clear(id),
            dropMap: () => inputs.dropMap(id),
            refresh: () => inputs.refresh(id),
            settings: () => menu.settingsAsked(),
            resetCrop: () => inputs.resetCrop(id),
            toggle: () => inputs.enable(id, !card.on),
            left: () => inputs.shift(id, -1),
            right: () => inputs.shift(id, 1),
            remove: () => inputs.remove(id)
        }
        if (action.startsWith("role:"))
            inputs.setRole(id, action.slice(5))
        else
            done[action]()
    }
    PictureChooser { id: chooser }
    SaveCopy { id: saver }
}
