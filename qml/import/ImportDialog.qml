import QtQuick 2.15
import "../controls"
import ".."

// What a picture or a text tells, as a choice: nothing changes before it is accepted, and Ctrl+Z takes all of it back at once.
Panel {
    id: dialog
    readonly property var importer: studio.importer
    readonly property bool choosing: importer.state === "choosing"
    property bool raw: false
    title: choosing ? qsTr("Import from %1").arg(importer.name) : qsTr("Fetching from %1").arg(importer.name)
    width: choosing ? Math.min(Theme.px(820), parent ? parent.width - 2 * Theme.u6 : 820) : Theme.px(360)
    Connections {
        target: studio.importer
        function onChanged() {
            if (dialog.importer.state === "") {
                dialog.close()
                return
            }
            dialog.raw = false
            others.checked = false
            dialog.open()
            if (dialog.choosing)
                list.forceActiveFocus(Qt.OtherFocusReason)
        }
    }
    onClosed: if (importer.state !== "") importer.cancel()
    function accept() {
        if (choosing)
            importer.accept(others.checked)
    }
    Spinner { visible: !dialog.choosing; running: visible; anchors.horizontalCenter: parent.horizontalCenter }
    FocusScope {
        id: content
        visible: dialog.choosing
        focus: true
        width: parent.width
        height: visible ? Math.max(200, Math.min(Theme.px(640), dialog.parent.height - 4 * Theme.u6 - Theme.px(128))) : 0
        Keys.forwardTo: [scopeKeys]
        ScopeKeys {
            id: scopeKeys
            scope: "import dialog"
            actions: ({
                import_accept: dialog.accept,
                import_close: dialog.close,
                import_toggle: () => dialog.importer.rows.toggle(list.currentIndex),
                import_all: () => dialog.importer.rows.chooseAll(true),
                import_none: () => dialog.importer.rows.chooseAll(false)
            })
        }
        Rectangle {
            id: frame
            visible: dialog.importer.picture !== ""
            width: visible ? 48 : 0
            height: 48
            radius: Theme.radius
            color: Theme.stage
            Picture { anchors.fill: parent; limit: 96; fill: true; source: frame.visible ? dialog.importer.picture : ""; description: dialog.importer.name }
        }
        Column {
            anchors.left: frame.right
            anchors.leftMargin: frame.visible ? Theme.u3 : 0
            anchors.verticalCenter: frame.verticalCenter
            Label { text: dialog.importer.source ? qsTr("Made with %1").arg(dialog.importer.source) : qsTr("Made with a program that does not say its name") }
            Label { visible: text !== ""; text: dialog.importer.size; color: Theme.soft; font.pixelSize: Theme.small }
        }
        Row {
            anchors.right: parent.right
            anchors.verticalCenter: frame.verticalCenter
            spacing: Theme.u1
            Button { text: qsTr("All"); quiet: true; hint: studio.hint("import_all"); visible: !dialog.raw; onClicked: dialog.importer.rows.chooseAll(true) }
            Button { text: qsTr("None"); quiet: true; hint: studio.hint("import_none"); visible: !dialog.raw; onClicked: dialog.importer.rows.chooseAll(false) }
            Button { text: qsTr("Copy"); quiet: true; glyph: "copy"; hint: qsTr("Copy the text as it stands"); visible: dialog.raw; onClicked: dialog.importer.copyRaw() }
            Button { text: dialog.raw ? qsTr("Parsed") : qsTr("Raw"); hint: qsTr("Change between the text as it stands and what was understood"); onClicked: dialog.raw = !dialog.raw }
        }
        Item {
            id: heads
            visible: !dialog.raw
            anchors.top: frame.bottom
            anchors.topMargin: Theme.u2
            width: parent.width
            height: Theme.px(24)
            readonly property real first: 36 + list.nameWidth + Theme.u3
            readonly property real second: first + (list.width - Theme.u3 - first - Theme.u6) * 0.6 + Theme.u3
            component Head: Label { height: heads.height; color: Theme.faint; font.pixelSize: Theme.small }
            Head { x: 36; text: qsTr("Parameter") }
            Head { x: heads.first; text: qsTr("New") }
            Head { x: heads.second; text: qsTr("Now") }
            Rectangle { anchors.bottom: parent.bottom; width: parent.width; height: 1; color: Theme.line }
        }
        ImportList {
            id: list
            visible: !dialog.raw
            focus: true
            anchors.top: heads.bottom
            anchors.bottom: foot.top
            width: parent.width
        }
        TextBox {
            visible: dialog.raw
            anchors.top: frame.bottom
            anchors.topMargin: Theme.u2
            anchors.bottom: foot.top
            anchors.bottomMargin: Theme.u2
            width: parent.width
            name: qsTr("The text as it stands")
            text: dialog.importer.raw
            area.readOnly: true
            area.font.family: Theme.mono
            area.font.pixelSize: Theme.small
        }
        Item {
            id: foot
            anchors.bottom: parent.bottom
            width: parent.width
            height: Theme.control
            Check {
                id: others
                anchors.verticalCenter: parent.verticalCenter
                text: qsTr("Reset others")
                Accessible.description: qsTr("Give every parameter that is not checked its default")
            }
            Button {
                anchors.right: parent.right
                visible: dialog.importer.picture !== ""
                quiet: true
                glyph: "image"
                text: qsTr("Use the picture as input")
                onClicked: dialog.importer.usePicture()
            }
        }
    }
    buttons: [
        Button { text: qsTr("Cancel"); onClicked: dialog.close() },
        Button {
            visible: dialog.choosing
            primary: true
            text: dialog.importer.rows.count === 1 ? qsTr("Import 1 value") : qsTr("Import %1 values").arg(dialog.importer.rows.count)
            enabled: dialog.importer.rows.count > 0 || others.checked
            onClicked: dialog.accept()
        }
    ]
}
