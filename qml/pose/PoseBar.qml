import QtQuick 2.15
import "../controls"
import ".."

// What can be done to the people, above them.
Rectangle {
    id: bar
    property var desk
    readonly property var held: desk.state
    readonly property bool someone: held.people > 0
    signal filesAsked(bool saving)
    height: Theme.control + 2 * Theme.u2
    color: Theme.panel
    Row {
        x: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u1
        Label { height: Theme.control; rightPadding: Theme.u3; text: qsTr("Pose"); font.weight: Font.DemiBold }
        Button { glyph: "plus"; text: qsTr("New pose"); quiet: true; hint: studio.hint("pose_add"); onClicked: bar.desk.addPerson() }
        Button { visible: !!bar.held.picture; enabled: !bar.held.finding; glyph: "scan-search"; text: qsTr("Find people"); quiet: true; hint: studio.hint("pose_find"); onClicked: bar.desk.findPeople() }
        Rectangle { width: 1; height: Theme.control; color: Theme.line }
        Button { quiet: true; glyph: "square-dashed"; enabled: bar.someone; hint: studio.hint("pose_select_all"); onClicked: bar.desk.selectAll() }
        Button { quiet: true; glyph: "waypoints"; enabled: bar.held.missing > 0; hint: studio.hint("pose_attach"); onClicked: bar.desk.attachMissing() }
        Button { quiet: true; glyph: "flip-vertical-2"; enabled: bar.someone; hint: studio.hint("pose_flip_across"); onClicked: bar.desk.flip(true) }
        Button { quiet: true; glyph: "flip-horizontal-2"; enabled: bar.someone; hint: studio.hint("pose_flip_down"); onClicked: bar.desk.flip(false) }
        Button { quiet: true; glyph: "trash-2"; enabled: bar.held.chosen > 0; hint: studio.hint("pose_delete"); onClicked: bar.desk.removeChosen() }
        Rectangle { width: 1; height: Theme.control; color: Theme.line }
        Button {
            quiet: !bar.held.relative
            tinted: bar.held.relative === true
            glyph: bar.held.relative ? "spline" : "move"
            text: bar.held.relative ? qsTr("Bend limbs") : qsTr("Move joints")
            hint: studio.hint("pose_mode")
            Accessible.checkable: true
            Accessible.checked: bar.held.relative === true
            onClicked: bar.desk.toggleMode()
        }
    }
    Row {
        anchors.right: parent.right
        anchors.rightMargin: Theme.u3
        anchors.verticalCenter: parent.verticalCenter
        spacing: Theme.u1
        Button { quiet: true; glyph: "undo-2"; enabled: !!bar.held.undo; hint: bar.held.undo ? qsTr("Undo: %1").arg(bar.held.undo) : studio.hint("pose_undo"); onClicked: bar.desk.undo() }
        Button { quiet: true; glyph: "redo-2"; enabled: !!bar.held.redo; hint: bar.held.redo ? qsTr("Redo: %1").arg(bar.held.redo) : studio.hint("pose_redo"); onClicked: bar.desk.redo() }
        Button { quiet: true; glyph: "folder-open"; hint: studio.hint("pose_import"); onClicked: bar.filesAsked(false) }
        Button { quiet: true; glyph: "save"; enabled: bar.desk.isReady; hint: studio.hint("pose_export"); onClicked: bar.filesAsked(true) }
        Button { primary: true; text: qsTr("Done"); hint: studio.hint("pose_close"); onClicked: bar.desk.close() }
    }
    Rectangle { anchors.bottom: parent.bottom; width: parent.width; height: 1; color: Theme.line }
}
