import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// A name, and what the preset sets: everything the user has set is ticked, the rest can be.
FocusScope {
    id: form
    property var rows: []
    property var ticked: ({})
    signal done()
    function start(called) {
        rows = studio.presets.candidates()
        var first = {}
        rows.forEach(row => first[row.name] = row.ticked)
        ticked = first
        name.text = called
        name.forceActiveFocus(Qt.OtherFocusReason)
    }
    function save() {
        if (studio.presets.save(name.text, rows.map(row => row.name).filter(key => ticked[key])))
            done()
    }
    function tick(key, on) {
        var next = Object.assign({}, ticked)
        next[key] = on
        ticked = next
    }
    Field {
        id: name
        width: parent.width
        placeholderText: qsTr("Name")
        Accessible.name: qsTr("Name of the preset")
        wrong: complaint.text !== ""
        onAccepted: form.save()
    }
    Label {
        id: complaint
        anchors.top: name.bottom
        anchors.topMargin: visible ? Theme.u1 : 0
        width: parent.width
        height: visible ? implicitHeight : 0
        visible: text !== ""
        text: studio.presets.problem
        color: Theme.error
        font.pixelSize: Theme.small
        wrapMode: Text.Wrap
        Accessible.role: Accessible.AlertMessage
    }
    ListView {
        id: list
        anchors.top: complaint.bottom
        anchors.topMargin: Theme.u3
        anchors.bottom: parent.bottom
        width: parent.width
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        model: form.rows
        T.ScrollBar.vertical: Scroll { }
        Accessible.role: Accessible.List
        Accessible.name: qsTr("What the preset sets")
        delegate: Item {
            width: list.width - Theme.u3
            height: Theme.control
            Check {
                id: box
                anchors.verticalCenter: parent.verticalCenter
                text: modelData.title
                checked: form.ticked[modelData.name] === true
                onToggled: form.tick(modelData.name, checked)
            }
            Label {
                anchors.left: box.right
                anchors.leftMargin: Theme.u4
                anchors.right: parent.right
                height: parent.height
                horizontalAlignment: Text.AlignRight
                text: modelData.text.replace(/\s+/g, " ")
                color: Theme.soft
                font.pixelSize: Theme.small
                Accessible.ignored: true
            }
        }
    }
}
