import QtQuick 2.15
import QtQuick.Templates 2.15 as T
import ".."

// A slider of notches: click, drag and up/down move by `snap`, left/right by `step`; Ctrl+wheel a notch, Ctrl+Shift+wheel a step; a plain wheel scrolls the page.
T.Slider {
    id: slider
    property real snap: 1
    property real step: 1
    property string name
    signal chosen(real number)
    implicitHeight: Theme.px(24)
    implicitWidth: 120
    snapMode: T.Slider.NoSnap
    live: true
    wheelEnabled: false
    focusPolicy: Qt.StrongFocus
    Accessible.role: Accessible.Slider
    Accessible.name: name

    function notch(number, size) {
        var whole = size > 0 ? Math.round(number / size) * size : number
        return Math.max(from, Math.min(to, Number(whole.toFixed(6))))
    }
    function move(distance, size) {
        chosen(Math.max(from, Math.min(to, Number((notch(value, size) + distance).toFixed(6)))))
    }
    onMoved: chosen(notch(value, snap))
    Keys.onLeftPressed: move(-step, step)
    Keys.onRightPressed: move(step, step)
    Keys.onUpPressed: move(snap, step)
    Keys.onDownPressed: move(-snap, step)

    WheelHandler {
        acceptedModifiers: Qt.ControlModifier
        onWheel: event => slider.move(event.angleDelta.y > 0 ? slider.snap : -slider.snap, slider.step)
    }
    WheelHandler {
        acceptedModifiers: Qt.ControlModifier | Qt.ShiftModifier
        onWheel: event => slider.move((event.angleDelta.y || event.angleDelta.x) > 0 ? slider.step : -slider.step, slider.step)
    }
    background: Rectangle {
        x: 0
        y: Math.round((slider.height - height) / 2)
        width: slider.width
        height: 4
        radius: 2
        color: Theme.track
        Rectangle {
            width: handle.x + handle.width / 2
            height: parent.height
            radius: 2
            color: slider.enabled ? Theme.accent : Theme.edge
        }
    }
    handle: Rectangle {
        id: handle
        x: slider.visualPosition * (slider.width - width)
        y: Math.round((slider.height - height) / 2)
        width: Theme.px(14)
        height: width
        radius: width / 2
        color: slider.pressed && !Theme.light ? Theme.accentHover : Theme.knob
        border.color: slider.activeFocus || slider.hovered ? Theme.accent : Theme.edge
        border.width: slider.activeFocus ? 3 : 1
    }
}
