import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import ".."

// Every action with its keys: give it another, a second, none, or its default again.
Item {
    id: section
    property int changes: 0
    // What was pressed and belongs to somebody else, until the person has answered.
    property string action
    property string key
    Connections {
        target: studio.keys
        function onChanged() { ++section.changes }
    }
    function take(action, key) {
        var rivals = studio.keys.rivals(action, key)
        if (rivals === "") {
            studio.keys.add(action, key)
            return
        }
        section.action = action
        section.key = key
        question.words = qsTr("%1 is used by: %2. It would lose that key.").arg(studio.keys.written(key)).arg(rivals)
        question.open()
    }
    Field {
        id: finder
        y: Theme.u4
        width: parent.width - resetAll.width - Theme.u3
        placeholderText: qsTr("Find an action or a key")
        Accessible.name: qsTr("Find an action or a key")
        Keys.onEscapePressed: text = ""
    }
    Button {
        id: resetAll
        anchors.right: parent.right
        y: Theme.u4
        text: qsTr("Reset all")
        enabled: !studio.keys.isDefault
        onClicked: studio.keys.resetAll()
    }
    ListView {
        id: list
        anchors.top: finder.bottom
        anchors.topMargin: Theme.u2
        anchors.bottom: parent.bottom
        width: parent.width
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        bottomMargin: Theme.u6
        cacheBuffer: 2000
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Keys")
        T.ScrollBar.vertical: Scroll { }
        // The place stays when a key changes.
        property var rows: section.changes, studio.keys.search(finder.text, false)
        onRowsChanged: {
            var place = contentY
            model = rows
            contentY = Math.max(0, Math.min(place, contentHeight - height))
        }
        delegate: KeyRow { width: list.width; onPressed: key => section.take(modelData.id, key) }
        Label { visible: list.count === 0; anchors.centerIn: parent; text: qsTr("No action is called that."); color: Theme.faint }
    }
    Question {
        id: question
        title: qsTr("Take the key from another action?")
        first: qsTr("Take it")
        onFirstChosen: studio.keys.add(section.action, section.key)
    }
}
