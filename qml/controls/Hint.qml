import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// What a control does, shown when the pointer rests on it.
T.ToolTip {
    id: hint
    delay: 600
    timeout: 8000
    padding: Theme.u2
    leftPadding: Theme.u3
    rightPadding: Theme.u3
    margins: Theme.u2
    y: parent ? parent.height + Theme.u1 : 0
    x: parent ? Math.round((parent.width - implicitWidth) / 2) : 0
    implicitWidth: Math.min(320, words.implicitWidth + leftPadding + rightPadding)
    implicitHeight: contentItem.implicitHeight + topPadding + bottomPadding
    closePolicy: T.Popup.CloseOnEscape | T.Popup.CloseOnPressOutsideParent
    contentItem: Label {
        id: words
        text: hint.text
        wrapMode: Text.Wrap
        font.pixelSize: Theme.small
    }
    background: Rectangle {
        color: Theme.raised
        radius: Theme.radius
        border.color: Theme.line
    }
}
