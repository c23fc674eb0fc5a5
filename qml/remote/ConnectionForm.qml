import QtQuick 2.15
import "../controls"
import ".."

// A machine that is not saved yet: its endpoint, or a whole connection link, and what opens it.
Column {
    id: form
    readonly property var line: studio.remote
    readonly property real titles: Theme.px(112)
    spacing: Theme.u2
    // Lead to the password of a machine that is saved without it.
    function ask(name, endpoint_) {
        endpoint.text = endpoint_
        nameField.text = name
        password.text = ""
        password.forceActiveFocus(Qt.TabFocusReason)
    }
    function connect_() {
        if (line.connectWith(endpoint.text, password.text, nameField.text, remember.checked)) {
            endpoint.text = ""
            password.text = ""
            nameField.text = ""
            eye.shows = false
        }
    }
    component Title: Label { width: form.titles; height: Theme.control; color: Theme.soft; Accessible.ignored: true }
    Row {
        width: parent.width
        Title { text: qsTr("Endpoint") }
        Field {
            id: endpoint
            width: parent.width - form.titles
            placeholderText: qsTr("A connection link, or wss://host:port")
            font.family: Theme.mono
            Accessible.name: qsTr("Endpoint")
            Accessible.description: qsTr("Paste a connection link here; it fills in the password too.")
            onTextEdited: {
                var found = form.line.read(text)
                if (found.endpoint) {
                    text = found.endpoint
                    if (found.password)
                        password.text = found.password
                }
            }
            Keys.onReturnPressed: form.connect_()
            Keys.onEnterPressed: form.connect_()
        }
    }
    Row {
        width: parent.width
        spacing: 0
        Title { text: qsTr("Password") }
        Field {
            id: password
            width: parent.width - form.titles - eye.width - Theme.u2
            echoMode: eye.shows ? TextInput.Normal : TextInput.Password
            inputMethodHints: Qt.ImhSensitiveData | Qt.ImhNoPredictiveText | Qt.ImhNoAutoUppercase
            passwordCharacter: "•"
            font.family: Theme.mono
            Accessible.name: qsTr("Password")
            Accessible.description: qsTr("The password or key of the machine; it is not shown.")
            Keys.onReturnPressed: form.connect_()
            Keys.onEnterPressed: form.connect_()
        }
        Item { width: Theme.u2; height: 1 }
        Button {
            id: eye
            property bool shows: false
            quiet: true
            glyph: shows ? "eye-off" : "eye"
            hint: shows ? qsTr("Hide the password") : qsTr("Show the password")
            onClicked: shows = !shows
        }
    }
    Row {
        width: parent.width
        Title { text: qsTr("Name") }
        Field {
            id: nameField
            width: parent.width - form.titles
            placeholderText: qsTr("How it is called here; its address if this is empty")
            Accessible.name: qsTr("Name of the connection")
            Keys.onReturnPressed: form.connect_()
            Keys.onEnterPressed: form.connect_()
        }
    }
    Item {
        width: parent.width
        height: Theme.control
        Toggle { id: remember; x: form.titles; anchors.verticalCenter: parent.verticalCenter; name: qsTr("Remember the password") }
        Label { anchors.left: remember.right; anchors.leftMargin: Theme.u2; anchors.right: go.left; height: parent.height; text: qsTr("Remember the password"); Accessible.ignored: true }
        Button {
            id: go
            anchors.right: parent.right
            primary: true
            glyph: "plug"
            text: qsTr("Connect")
            enabled: endpoint.text.trim() !== ""
            onClicked: form.connect_()
        }
    }
    Label {
        x: form.titles
        width: parent.width - form.titles
        visible: text !== ""
        text: !form.line.isRemote ? form.line.sentence : ""
        color: Theme.error
        font.pixelSize: Theme.small
        wrapMode: Text.Wrap
        Accessible.role: Accessible.AlertMessage
    }
    Label { x: form.titles; width: parent.width - form.titles; text: form.line.whereKept; color: Theme.faint; font.pixelSize: Theme.small; wrapMode: Text.Wrap }
}
