import QtQuick 2.15
import QtQuick.Window 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// What can be added: pictures, masks, regions, and every kind of control that the engine offers.
T.Popup {
    id: panel
    property Item before: null
    // Its buttons are made at its first opening.
    property bool filled: false
    onAboutToShow: filled = true
    readonly property var pictures: [
        { id: "image", title: qsTr("Image"), icon: "image", words: qsTr("Start from a picture.") },
        { id: "folder", title: qsTr("Folder"), icon: "images", words: qsTr("One job for each picture of a folder.") },
        ...(studio.canvas ? [{ id: "blank", title: qsTr("Blank"), icon: "pencil", words: qsTr("Paint the image to start from.") }] : []),
        { id: "mask", title: qsTr("Mask"), icon: "eraser", words: qsTr("Repaint only a part of the image.") },
        { id: "regions", title: qsTr("Regions"), icon: "layers", words: qsTr("Say where each part of the prompt behind AND acts.") },
        ...(studio.inputs.offersReferences ? [{ id: "reference", title: qsTr("Reference"), icon: "scan-eye", words: qsTr("Resemble a picture.") }] : [])
    ]
    function show(button) {
        before = parent.Window.window.activeFocusItem
        var point = button.mapToItem(parent, 0, button.height + Theme.u1)
        x = Math.max(Theme.u2, Math.min(parent.width - width - Theme.u2, point.x))
        y = point.y
        open()
    }
    function pick(kind) {
        close()
        if (kind === "image" || kind === "reference")
            chooser.ask(false, files => studio.inputs.takeFiles(files, kind, -1, ""))
        else if (kind === "folder")
            chooser.ask(true, files => studio.inputs.takeFiles(files, "image", -1, ""))
        else
            paint(studio.inputs.addEmpty(kind === "blank" ? "image" : kind, ""))
    }
    // What is to be painted is opened at once, unless it has nothing to lie on.
    function paint(card) {
        if (card && studio.canvas && studio.inputs.obstacle === "")
            studio.canvas.open(card)
    }
    width: 388
    implicitHeight: column.height + 2 * padding
    height: Math.min(implicitHeight, (parent && parent.Window.window ? parent.Window.window.height : 600) - 2 * Theme.u6)
    padding: Theme.u3
    margins: Theme.u2
    focus: true
    closePolicy: T.Popup.CloseOnEscape | T.Popup.CloseOnPressOutside
    onOpened: first.count > 0 && first.itemAt(0).forceActiveFocus(Qt.PopupFocusReason)
    onClosed: if (before) before.forceActiveFocus(Qt.OtherFocusReason)
    background: Rectangle { color: Theme.panel; radius: Theme.radius; border.color: Theme.line }
    contentItem: Flickable {
        id: view
        contentHeight: column.height
        clip: height < contentHeight
        interactive: height < contentHeight
        boundsBehavior: Flickable.StopAtBounds
        Accessible.role: Accessible.Pane
        Accessible.name: qsTr("Add an input")
        T.ScrollBar.vertical: Scroll { }
        Column {
            id: column
            width: view.width
            spacing: Theme.u2
            Grid {
                columns: 3
                spacing: Theme.u1
                Repeater {
                    id: first
                    model: panel.filled ? panel.pictures : []
                    delegate: Button { width: (column.width - 2 * Theme.u1) / 3; glyph: modelData.icon; text: modelData.title; hint: modelData.words; onClicked: panel.pick(modelData.id) }
                }
            }
            Label { text: qsTr("Control"); color: Theme.soft; font.pixelSize: Theme.small; font.weight: Font.DemiBold }
            Grid {
                columns: 3
                spacing: Theme.u1
                Repeater {
                    model: panel.filled ? studio.inputs.controlTypes : []
                    delegate: Button {
                        width: (column.width - 2 * Theme.u1) / 3
                        quiet: true
                        text: modelData.label
                        hint: modelData.words
                        onClicked: { panel.close(); studio.inputs.addEmpty("control", modelData.value) }
                    }
                }
            }
        }
    }
    PictureChooser { id: chooser }
}
