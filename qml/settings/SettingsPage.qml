import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import "../controls"
import "../remote"
import ".."

// Sections at the left, their settings at the right; what is typed above finds a setting in all of them.
FocusScope {
    id: page
    property string section: studio.settings.sections[0].id
    readonly property bool searching: finder.text.trim() !== ""
    readonly property bool special: !searching && ["keyboard", "data", "remote", "host"].includes(section)
    Accessible.role: Accessible.Pane
    Accessible.name: qsTr("Settings")
    function takeFocus() { finder.forceActiveFocus(Qt.OtherFocusReason) }
    function turn(to) {
        finder.text = ""
        section = to
    }
    onSectionChanged: studio.settings.found.show(section, finder.text)
    Component.onCompleted: studio.settings.found.show(section, "")
    Connections {
        target: studio.settings
        function onSectionAsked(section) { page.turn(section) }
        function onRevealAsked(name) {
            finder.text = ""
            page.section = studio.settings.sectionOf(name)
            studio.settings.found.show(page.section, "")
            Qt.callLater(page.special && own.item.reveal ? own.item.reveal : list.reveal, studio.settings.found.place(name))
        }
    }
    Rectangle { anchors.fill: parent; color: Theme.panel }
    Rectangle {
        id: side
        width: Math.min(Theme.px(208), page.width * 0.3)
        height: parent.height
        color: Theme.window
        Field {
            id: finder
            x: Theme.u3
            y: Theme.u3
            width: parent.width - 2 * Theme.u3
            focus: true
            placeholderText: qsTr("Find a setting")
            Accessible.name: qsTr("Find a setting")
            onTextChanged: studio.settings.found.show(page.section, text)
            Keys.onEscapePressed: text = ""
            Keys.onDownPressed: sections.forceActiveFocus(Qt.TabFocusReason)
        }
        ListView {
            id: sections
            anchors.top: finder.bottom
            anchors.topMargin: Theme.u3
            anchors.bottom: parent.bottom
            x: Theme.u2
            width: parent.width - 2 * Theme.u2
            activeFocusOnTab: true
            clip: true
            boundsBehavior: Flickable.StopAtBounds
            model: studio.settings.sections
            currentIndex: studio.settings.sections.findIndex(row => row.id === page.section)
            keyNavigationEnabled: false
            Keys.onUpPressed: if (currentIndex > 0) page.turn(model[currentIndex - 1].id)
            Keys.onDownPressed: if (currentIndex < count - 1) page.turn(model[currentIndex + 1].id)
            Accessible.role: Accessible.List
            Accessible.name: qsTr("Sections")
            T.ScrollBar.vertical: Scroll { }
            delegate: T.ItemDelegate {
                id: row
                readonly property bool isShown: modelData.id === page.section && !page.searching
                width: sections.width
                implicitHeight: Theme.control
                Accessible.role: Accessible.ListItem
                Accessible.name: modelData.title
                Accessible.selected: isShown
                Accessible.onPressAction: row.clicked()
                onClicked: page.turn(modelData.id)
                contentItem: Label { leftPadding: Theme.u3; text: modelData.title; color: row.isShown ? Theme.text : Theme.soft; Accessible.ignored: true }
                background: Rectangle {
                    radius: Theme.radius
                    color: row.isShown ? Theme.accentSoft : row.hovered ? Theme.hover : "transparent"
                    border.width: sections.activeFocus && row.isShown ? 2 : 0
                    border.color: Theme.accent
                }
            }
        }
        Rectangle { anchors.right: parent.right; width: 1; height: parent.height; color: Theme.line }
    }
    Item {
        id: content
        anchors.left: side.right
        anchors.right: parent.right
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        EffectBar { id: effects; width: parent.width }
        ListView {
            id: list
            visible: !page.special
            anchors.top: effects.bottom
            anchors.bottom: parent.bottom
            x: Theme.u6
            width: Math.min(parent.width - 2 * Theme.u6, Theme.px(760))
            clip: true
            boundsBehavior: Flickable.StopAtBounds
            bottomMargin: Theme.u6
            cacheBuffer: 4000
            model: studio.settings.found
            Accessible.role: Accessible.List
            Accessible.name: qsTr("Settings")
            T.ScrollBar.vertical: Scroll { }
            section.property: "group"
            section.delegate: Label {
                width: list.width
                height: Theme.px(48)
                verticalAlignment: Text.AlignBottom
                bottomPadding: Theme.u2
                text: section
                font.pixelSize: Theme.large
                font.weight: Font.DemiBold
            }
            delegate: SettingRow { width: list.width; onFocused: list.positionViewAtIndex(index, ListView.Contain) }
            function reveal(place) {
                positionViewAtIndex(place, ListView.Contain)
                var row = itemAtIndex(place)
                if (row && row.first)
                    row.first.forceActiveFocus(Qt.TabFocusReason)
            }
        }
        Label {
            visible: page.searching && list.count === 0
            anchors.centerIn: parent
            text: qsTr("No setting is called that.")
            color: Theme.faint
        }
        Loader {
            id: own
            visible: page.special
            active: page.special
            anchors.fill: list
            sourceComponent: page.section === "keyboard" ? keyboard : page.section === "remote" ? remote : page.section === "host" ? host : folder
        }
    }
    Component { id: remote; RemoteSection { } }
    Component { id: host; HostSection { } }
    Component { id: keyboard; KeyboardSection { } }
    Component { id: folder; DataSection { } }
}
