import QtQuick 2.15
import "../controls"
import ".."

// The password, as dots. While nothing is shared it can be typed; left empty, each start makes one.
Item {
    id: section
    readonly property var host: studio.host
    readonly property bool on: host.state === "ready" || host.state === "starting" || host.state === "stopping"
    implicitHeight: words.implicitHeight + Theme.control + Theme.u2
    // The name stands here: Qt says none of a field that holds a password.
    Accessible.role: Accessible.Grouping
    Accessible.name: qsTr("Password")
    Column {
        id: words
        width: parent.width
        spacing: Theme.u1
        Label { text: qsTr("Password"); font.weight: Font.DemiBold; Accessible.ignored: true }
        Label {
            width: parent.width
            wrapMode: Text.Wrap
            color: Theme.soft
            font.pixelSize: Theme.small
            text: section.on ? qsTr("It is in the link already; others need it only where they type the endpoint by hand.")
                : qsTr("Left empty, each start makes one that nobody can guess. Your own needs 12 characters where other machines can come.")
        }
    }
    Field {
        id: field
        anchors.top: words.bottom
        anchors.topMargin: Theme.u2
        width: parent.width - tools.width - Theme.u2
        text: held
        readOnly: section.on
        echoMode: section.host.isShown ? TextInput.Normal : TextInput.Password
        font.family: section.host.isShown && text !== "" ? Theme.mono : Theme.family
        placeholderText: qsTr("Made at each start")
        Accessible.passwordEdit: true
        onEditingFinished: if (!readOnly) section.host.setPassword(text)
        // What is being typed is overwritten only by another password.
        readonly property string held: section.host.password
        onHeldChanged: text = held
    }
    Row {
        id: tools
        anchors.right: parent.right
        anchors.top: field.top
        spacing: Theme.u1
        Button {
            quiet: true
            glyph: section.host.isShown ? "eye-off" : "eye"
            hint: section.host.isShown ? qsTr("Hide password and link") : qsTr("Show password and link")
            onClicked: section.host.showSecrets(!section.host.isShown)
        }
        Button { visible: section.on; glyph: "copy"; text: qsTr("Copy"); hint: qsTr("Copy the password"); onClicked: section.host.copyPassword() }
        Button { visible: !section.on; glyph: "dices"; text: qsTr("Make one for me"); onClicked: section.host.makePassword() }
    }
}
