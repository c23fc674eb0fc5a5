import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// The joints of the one person who is chosen: a click chooses, the box at the left attaches or deletes.
Rectangle {
    id: side
    property var desk
    readonly property var held: desk.state
    width: Theme.px(224)
    color: Theme.panel
    Label {
        id: head
        x: Theme.u3
        y: Theme.u2
        height: Theme.control
        text: side.held.person > 0 ? qsTr("Joints of person %1").arg(side.held.person) : qsTr("Joints")
        font.weight: Font.DemiBold
    }
    Label {
        anchors.top: head.bottom
        x: Theme.u3
        width: parent.width - 2 * Theme.u3
        visible: list.count === 0
        wrapMode: Text.Wrap
        color: Theme.soft
        text: side.held.people > 0 ? qsTr("Choose joints of one person to see them here.") : qsTr("Add a pose to see its joints here.")
    }
    ListView {
        id: list
        anchors.top: head.bottom
        anchors.bottom: parent.bottom
        width: parent.width
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        model: side.desk.joints.length
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: head.text
        delegate: T.ItemDelegate {
            id: row
            readonly property var joint: side.desk.joints[index] || ({})
            width: list.width
            height: Theme.px(28)
            focusPolicy: Qt.TabFocus
            Accessible.role: Accessible.ListItem
            Accessible.name: joint.title || ""
            Accessible.selected: joint.chosen === true
            Accessible.onPressAction: row.clicked()
            Keys.onReturnPressed: row.clicked()
            onClicked: joint.known ? side.desk.chooseJoint(joint.place, false) : side.desk.toggleJoint(joint.place)
            background: Rectangle {
                color: row.joint.chosen ? Theme.accentSoft : row.hovered ? Theme.hover : "transparent"
                FocusRing { control: row }
            }
            contentItem: Item {
                Check {
                    id: box
                    x: Theme.u3
                    anchors.verticalCenter: parent.verticalCenter
                    name: row.joint.known ? qsTr("Delete %1").arg(row.joint.title) : qsTr("Attach %1").arg(row.joint.title)
                    checked: row.joint.known === true
                    onToggled: {
                        side.desk.toggleJoint(row.joint.place)
                        checked = Qt.binding(() => row.joint.known === true)
                    }
                }
                Rectangle {
                    x: Theme.u3 + Theme.px(28)
                    anchors.verticalCenter: parent.verticalCenter
                    width: 10
                    height: 10
                    radius: 5
                    color: row.joint.colour || "transparent"
                    opacity: row.joint.known ? 1 : 0.3
                }
                Label {
                    x: Theme.u3 + Theme.px(46)
                    width: parent.width - x - Theme.u2
                    height: parent.height
                    text: row.joint.title || ""
                    color: row.joint.known ? Theme.text : Theme.faint
                    Accessible.ignored: true
                }
            }
        }
    }
    Rectangle { width: 1; height: parent.height; color: Theme.line }
}
