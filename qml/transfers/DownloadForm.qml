import QtQuick 2.15
import "../controls"
import ".."

// An address to fetch: where it goes, under which name, and what its site knows the user by.
Column {
    id: form
    readonly property var transfers: studio.transfers
    property bool more: false
    property string problem: ""
    property var site: ({ id: "", title: "", remembered: false })
    spacing: Theme.u2
    function takeFocus() { address.forceActiveFocus(Qt.TabFocusReason) }
    // Lead to the token of an address that was refused without one.
    function ask(text, where) {
        address.text = text
        folder.current = where
        look()
        if (site.remembered)
            keptToken.checked = false
        token.forceActiveFocus(Qt.TabFocusReason)
    }
    function look() {
        site = transfers.site(address.text)
        keptToken.checked = site.remembered && !transfers.isRemote
        problem = ""
    }
    function begin() {
        problem = transfers.download(address.text, folder.current, more ? name.text : "", more ? digest.text : "", token.visible ? token.text : "", remember.visible && remember.checked, keptToken.checked)
        if (problem === "") {
            address.text = name.text = digest.text = token.text = ""
            eye.shows = false
            look()
            address.forceActiveFocus(Qt.OtherFocusReason)
        }
    }
    Item {
        width: parent.width
        height: Theme.control
        Field {
            id: address
            anchors.left: parent.left
            anchors.right: folder.left
            anchors.rightMargin: Theme.u2
            placeholderText: qsTr("Address of a model, or of its page at Hugging Face or Civitai")
            Accessible.name: qsTr("Address")
            Accessible.description: qsTr("A web address, hf:owner/repository/file, or civitai:model@version.")
            wrong: form.problem !== ""
            maximumLength: 8192
            onTextEdited: form.look()
            Keys.onReturnPressed: form.begin()
            Keys.onEnterPressed: form.begin()
        }
        Choice {
            id: folder
            anchors.right: go.left
            anchors.rightMargin: Theme.u2
            width: Theme.px(144)
            name: qsTr("Folder")
            current: "auto"
            rows: form.transfers.folders
            onChosen: value => current = value
        }
        Button {
            id: go
            anchors.right: parent.right
            primary: true
            glyph: "download"
            text: qsTr("Download")
            enabled: address.text.trim() !== "" && form.transfers.refusal === ""
            onClicked: form.begin()
        }
    }
    Item {
        width: parent.width
        height: Theme.control
        visible: form.site.id !== ""
        Label { id: tokenTitle; width: Theme.px(160); height: parent.height; text: qsTr("Token for %1").arg(form.site.title); color: Theme.soft; Accessible.ignored: true }
        Field {
            id: token
            visible: form.site.id !== "" && !keptToken.checked
            anchors.left: tokenTitle.right
            anchors.right: eye.left
            anchors.rightMargin: Theme.u1
            echoMode: eye.shows ? TextInput.Normal : TextInput.Password
            inputMethodHints: Qt.ImhSensitiveData | Qt.ImhNoPredictiveText | Qt.ImhNoAutoUppercase
            passwordCharacter: "•"
            font.family: Theme.mono
            maximumLength: 512
            placeholderText: qsTr("Only where the site asks who you are")
            Accessible.name: tokenTitle.text
            Accessible.description: qsTr("It is not shown, and told to that site alone.")
            Keys.onReturnPressed: form.begin()
            Keys.onEnterPressed: form.begin()
        }
        Button {
            id: eye
            property bool shows: false
            visible: token.visible
            anchors.right: remember.visible ? remember.left : keptToken.left
            anchors.rightMargin: Theme.u2
            quiet: true
            glyph: shows ? "eye-off" : "eye"
            hint: shows ? qsTr("Hide the token") : qsTr("Show the token")
            onClicked: shows = !shows
        }
        Toggle { id: remember; visible: token.visible && !form.site.remembered; anchors.right: rememberWord.left; anchors.rightMargin: Theme.u2; anchors.verticalCenter: parent.verticalCenter; name: qsTr("Remember the token") }
        Label { id: rememberWord; visible: remember.visible; anchors.right: parent.right; height: parent.height; text: qsTr("Remember"); Accessible.ignored: true }
        Toggle { id: keptToken; visible: form.site.remembered; anchors.right: keptWord.left; anchors.rightMargin: Theme.u2; anchors.verticalCenter: parent.verticalCenter; name: keptWord.text }
        Label { id: keptWord; visible: form.site.remembered; anchors.right: forget.left; anchors.rightMargin: Theme.u1; height: parent.height; text: qsTr("Use the remembered one"); Accessible.ignored: true }
        Button { id: forget; visible: form.site.remembered; anchors.right: parent.right; width: visible ? implicitWidth : 0; quiet: true; glyph: "trash-2"; hint: qsTr("Forget the token for %1").arg(form.site.title); onClicked: { form.transfers.forgetToken(form.site.id); form.look() } }
    }
    Item {
        width: parent.width
        height: Theme.control
        visible: form.more
        Field {
            id: name
            width: Math.round((parent.width - Theme.u2) * 0.4)
            placeholderText: qsTr("Name; empty as it is called there")
            Accessible.name: qsTr("File name")
            Keys.onReturnPressed: form.begin()
        }
        Field {
            id: digest
            anchors.left: name.right
            anchors.leftMargin: Theme.u2
            anchors.right: parent.right
            placeholderText: qsTr("SHA-256 it must have; empty asks the site")
            Accessible.name: qsTr("SHA-256")
            font.family: text === "" ? Theme.family : Theme.mono
            Keys.onReturnPressed: form.begin()
        }
    }
    Item {
        width: parent.width
        height: Math.max(Theme.control, words.implicitHeight)
        Label {
            id: words
            anchors.left: parent.left
            anchors.right: moreButton.left
            anchors.rightMargin: Theme.u2
            anchors.verticalCenter: parent.verticalCenter
            wrapMode: Text.Wrap
            font.pixelSize: Theme.small
            color: form.problem !== "" ? Theme.error : form.transfers.refusal !== "" ? Theme.warning : Theme.soft
            text: form.problem || form.transfers.refusal || (form.site.id !== "" && form.transfers.isRemote
                ? qsTr("%1 fetches the file, and is told the token.").arg(form.transfers.machine)
                : form.transfers.isRemote ? qsTr("The file goes to %1.").arg(form.transfers.machine) : qsTr("The file goes into the models folder of this computer."))
            Accessible.role: Accessible.StaticText
        }
        Button { id: moreButton; anchors.right: parent.right; quiet: true; text: form.more ? qsTr("Less") : qsTr("Name and checksum"); onClicked: form.more = !form.more }
    }
}
