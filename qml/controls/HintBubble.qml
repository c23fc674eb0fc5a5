import QtQuick 2.15
import QtQuick.Window 2.15
import QtQuick.Templates 2.15 as T
import ".."

// What a Hint shows while it is shown.
T.ToolTip {
    id: bubble
    required property Item hint
    text: hint.text
    // Not the delay of the ToolTip itself: when that is over, the window may be gone.
    property Timer rest: Timer {
        interval: bubble.hint.delay
        running: true
        onTriggered: if (bubble.hint && bubble.hint.Window.window !== null) bubble.open()
    }
    timeout: hint.timeout
    padding: Theme.u2
    leftPadding: Theme.u3
    rightPadding: Theme.u3
    margins: Theme.u2
    x: hint.x
    y: hint.y
    implicitWidth: Math.min(320, words.implicitWidth + leftPadding + rightPadding)
    implicitHeight: contentItem.implicitHeight + topPadding + bottomPadding
    closePolicy: T.Popup.CloseOnEscape | T.Popup.CloseOnPressOutsideParent
    contentItem: Label {
        id: words
        text: bubble.text
        wrapMode: Text.Wrap
        font.pixelSize: Theme.small
    }
    background: Rectangle {
        color: Theme.raised
        radius: Theme.radius
        border.color: Theme.line
    }
}
