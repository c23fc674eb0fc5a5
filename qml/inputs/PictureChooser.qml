import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// A folder with its pictures, to choose one or several from, or all of them. Enter opens, Ctrl+click adds, typing the address is possible as well.
Panel {
    id: dialog
    property bool wantsFolder: false
    property var done: files => {}
    property var chosen: ({})
    readonly property var files: Object.keys(chosen)
    // Calls `then` with what was chosen.
    function ask(folder, then) {
        wantsFolder = folder
        done = then
        chosen = ({})
        studio.inputs.browser.open("")
        open()
        grid.forceActiveFocus()
    }
    function toggle(path, alone) {
        var next = alone ? {} : Object.assign({}, chosen)
        if (next[path])
            delete next[path]
        else
            next[path] = true
        chosen = next
    }
    function enter(index) {
        if (studio.inputs.browser.isFolderAt(index)) {
            chosen = ({})
            studio.inputs.browser.open(studio.inputs.browser.pathAt(index))
        } else if (!wantsFolder) {
            finish(files.length > 1 ? files : [studio.inputs.browser.pathAt(index)])
        }
    }
    function finish(paths) {
        if (paths.length > 0) {
            close()
            done(paths)
        }
    }
    title: wantsFolder ? qsTr("Choose a folder of images") : qsTr("Choose images")
    width: Math.min(860, parent ? parent.width - 2 * Theme.u6 : 860)
    Row {
        width: parent.width
        spacing: Theme.u2
        Button { id: up; glyph: "chevron-left"; hint: qsTr("The folder around this one"); onClicked: studio.inputs.browser.up() }
        Field {
            width: parent.width - up.width - Theme.u2
            text: studio.inputs.browser.folder
            Accessible.name: qsTr("Folder")
            onAccepted: { studio.inputs.browser.open(text); grid.forceActiveFocus() }
        }
    }
    Row {
        spacing: Theme.u2
        Repeater {
            model: studio.inputs.browser.places
            delegate: Button { quiet: true; text: modelData.label; glyph: "folder"; onClicked: studio.inputs.browser.open(modelData.path) }
        }
    }
    GridView {
        id: grid
        width: parent.width
        height: Math.max(120, Math.min(380, (dialog.parent ? dialog.parent.height : 700) - 330))
        clip: true
        activeFocusOnTab: true
        model: studio.inputs.browser
        cellWidth: Math.floor(width / Math.max(1, Math.floor(width / 128)))
        cellHeight: 128
        boundsBehavior: Flickable.StopAtBounds
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Folders and pictures")
        T.ScrollBar.vertical: Scroll { }
        Keys.onReturnPressed: dialog.enter(currentIndex)
        Keys.onSpacePressed: if (currentIndex >= 0 && !studio.inputs.browser.isFolderAt(currentIndex)) dialog.toggle(studio.inputs.browser.pathAt(currentIndex), false)
        Keys.onPressed: event => { if (event.key === Qt.Key_Backspace) { studio.inputs.browser.up(); event.accepted = true } }
        delegate: ChooserCell {
            width: grid.cellWidth
            height: grid.cellHeight
            picked: dialog.chosen[path] === true
            marked: GridView.isCurrentItem && grid.activeFocus
            onTapped: adding => {
                grid.currentIndex = index
                grid.forceActiveFocus(Qt.MouseFocusReason)
                if (!isFolder)
                    dialog.toggle(path, !adding)
            }
            onOpened: dialog.enter(index)
        }
        Label {
            anchors.centerIn: parent
            width: parent.width - 2 * Theme.u6
            visible: grid.count === 0
            horizontalAlignment: Text.AlignHCenter
            wrapMode: Text.Wrap
            color: Theme.soft
            text: studio.inputs.browser.problem || qsTr("There are no pictures in this folder.")
        }
    }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: dialog.close() },
        Button {
            primary: true
            enabled: dialog.wantsFolder ? studio.inputs.browser.pictures > 0 : dialog.files.length > 0
            text: dialog.wantsFolder ? qsTr("Use all %1").arg(studio.inputs.browser.pictures) : dialog.files.length > 1 ? qsTr("Open %1").arg(dialog.files.length) : qsTr("Open")
            onClicked: dialog.finish(dialog.wantsFolder ? [studio.inputs.browser.folder] : dialog.files)
        }
    ]
}
