import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// Many lines of plain text that scroll inside their frame. Tab leaves the box, as everywhere else in the window.
FocusScope {
    id: box
    property alias text: area.text
    property alias placeholder: ghost.text
    property alias area: area
    property string name
    signal edited()
    Rectangle {
        anchors.fill: parent
        radius: Theme.radius
        color: Theme.field
        border.color: area.activeFocus ? Theme.accent : hover.hovered ? Theme.edge : Theme.line
        border.width: area.activeFocus ? 2 : 1
    }
    HoverHandler { id: hover }
    Flickable {
        id: view
        anchors.fill: parent
        anchors.margins: 2
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        T.ScrollBar.vertical: Scroll { }
        T.TextArea.flickable: T.TextArea {
            id: area
            focus: true
            padding: Theme.u2
            leftPadding: Theme.u2 + 2
            rightPadding: Theme.u3 + 2
            color: Theme.text
            selectionColor: Theme.accent
            selectedTextColor: Theme.accentInk
            selectByMouse: true
            activeFocusOnTab: true
            wrapMode: TextEdit.Wrap
            textFormat: TextEdit.PlainText
            font.family: Theme.family
            font.pixelSize: Theme.body + 1
            Accessible.role: Accessible.EditableText
            Accessible.name: box.name
            Accessible.multiLine: true
            onTextChanged: box.edited()
            KeyNavigation.priority: KeyNavigation.BeforeItem
            Keys.priority: Keys.BeforeItem
            Keys.onTabPressed: area.nextItemInFocusChain(true).forceActiveFocus(Qt.TabFocusReason)
            Keys.onBacktabPressed: area.nextItemInFocusChain(false).forceActiveFocus(Qt.BacktabFocusReason)
            Label {
                id: ghost
                visible: area.text === "" && area.preeditText === ""
                x: area.leftPadding
                y: area.topPadding
                width: area.width - area.leftPadding - area.rightPadding
                color: Theme.faint
                font.pixelSize: area.font.pixelSize
                wrapMode: Text.Wrap
                Accessible.ignored: true
            }
        }
    }
}
