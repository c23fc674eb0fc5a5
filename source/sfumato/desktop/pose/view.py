"""The pose as an item of the scene: draws people as the map will show them, what is chosen, and the box around it; hears the pointer and the wheel.

`paint` may run on Qt's render thread, while the GUI thread waits for it: it reads the desk and changes nothing.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, QPointF, QRectF, Qt, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QColor, QMouseEvent, QPainter, QPen, QTransform, QWheelEvent
from PyQt5.QtQml import qmlRegisterType
from PyQt5.QtQuick import QQuickItem, QQuickPaintedItem

from sfumato.desktop.pose.gestures import TURN, padded, places
from sfumato.imaging.pose.drawing import BODY_RADIUS, BONE_HALF_WIDTH, FACE_RADIUS, HAND_RADIUS, LIMB_HALF_WIDTH, limb_colour
from sfumato.imaging.pose.skeleton import COLOURS, FACE_JOINT, FINGERS, HAND_JOINT, LIMBS, Joint, Person, bone_colour

if TYPE_CHECKING:
    from sfumato.desktop.pose.desk import PoseDesk

ZOOM_MOST = 10.0
REACH_PX, TURN_PX = 10.0, 28.0  # how near a joint the pointer must be; how far the turning handle is above the box
PAD_PX = 14.0  # of the box around the joints
_MARGIN_PX = 40
_NOTCH = 120
_HANDLE_PX = 4.0


class PoseView(QQuickPaintedItem):
    """`desk` is `studio.pose`. Where the map is: `left`, `top`, and `zoom` window pixels for one of the map."""

    placed = pyqtSignal()

    def __init__(self, parent: QQuickItem | None = None) -> None:
        super().__init__(parent)
        self._desk: PoseDesk | None = None
        self._zoom = 0.0  # 0 fits
        self._middle = QPointF(0, 0)
        self._panned_from: QPointF | None = None
        self._accent = QColor("white")
        self.setAcceptedMouseButtons(Qt.MouseButton.LeftButton | Qt.MouseButton.MiddleButton)
        self.setActiveFocusOnTab(True)
        self.setAntialiasing(True)

    @pyqtProperty(QObject)
    def desk(self) -> PoseDesk | None:  # pyright: ignore[reportRedeclaration]  its setter follows
        return self._desk

    @desk.setter
    def desk(self, desk: PoseDesk | None) -> None:
        self._desk = desk
        if desk is not None:
            desk.drawn.connect(self.update)
            desk.reshaped.connect(self.fit)
            self.fit()

    @pyqtProperty(QColor)
    def accent(self) -> QColor:  # pyright: ignore[reportRedeclaration]  its setter follows
        return self._accent

    @accent.setter
    def accent(self, colour: QColor) -> None:
        self._accent = colour
        self.update()

    # -- where the map is --------------------------------------------------------------------------

    @property
    def _scale(self) -> float:
        if self._zoom:
            return self._zoom
        width, height = self._desk.size if self._desk is not None else (1, 1)
        return max(0.02, min(4.0, (self.width() - 2 * _MARGIN_PX) / max(width, 1), (self.height() - 2 * _MARGIN_PX) / max(height, 1)))

    @property
    def _origin(self) -> QPointF:
        return QPointF(self.width() / 2 - self._middle.x() * self._scale, self.height() / 2 - self._middle.y() * self._scale)

    @pyqtProperty(float, notify=placed)
    def zoom(self) -> float:
        return self._scale

    @pyqtProperty(float, notify=placed)
    def left(self) -> float:
        return self._origin.x()

    @pyqtProperty(float, notify=placed)
    def top(self) -> float:
        return self._origin.y()

    @pyqtSlot()
    def fit(self) -> None:
        """Show the whole map."""
        self._zoom = 0.0
        width, height = self._desk.size if self._desk is not None else (0, 0)
        self._middle = QPointF(width / 2, height / 2)
        self._moved()

    def _moved(self) -> None:
        self.placed.emit()
        self.update()

    def geometryChanged(self, new: QRectF, old: QRectF) -> None:
        super().geometryChanged(new, old)
        if new.size() != old.size():
            self._moved()

    def _on_map(self, point: QPointF) -> Joint:
        found = (point - self._origin) / self._scale
        return Joint(found.x(), found.y())

    # -- drawing -----------------------------------------------------------------------------------

    def paint(self, painter: QPainter) -> None:
        desk = self._desk
        if desk is None or desk.pose is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        scale, origin = self._scale, self._origin
        painter.save()
        painter.setTransform(QTransform(scale, 0, 0, scale, origin.x(), origin.y()), True)
        painter.setPen(Qt.PenStyle.NoPen)
        for person in desk.pose.people:
            _person(painter, person)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for joint in desk.chosen_joints:
            middle = origin + QPointF(joint.x, joint.y) * scale
            radius = BODY_RADIUS * scale + 3
            for colour, width in ((QColor(0, 0, 0), 4), (QColor(255, 255, 255), 2)):
                painter.setPen(QPen(colour, width))
                painter.drawEllipse(middle, radius, radius)
        box = desk.box
        for pen in (QPen(QColor(0, 0, 0, 150), 3.5), QPen(self._accent, 1.5)) if box is not None else ():
            painter.setPen(pen)
            self._box(painter, padded(box, PAD_PX / scale))
        painter.setPen(QPen(self._accent, 1.5))
        if desk.band is not None:
            left, top, right, bottom = desk.band
            painter.setBrush(QColor(self._accent.red(), self._accent.green(), self._accent.blue(), 40))
            painter.drawRect(QRectF(origin + QPointF(left, top) * scale, origin + QPointF(right, bottom) * scale).normalized())

    def _box(self, painter: QPainter, box: tuple[float, float, float, float]) -> None:
        scale, origin = self._scale, self._origin
        left, top, right, bottom = box
        painter.drawRect(QRectF(origin + QPointF(left, top) * scale, origin + QPointF(right, bottom) * scale))
        spots = {name: origin + QPointF(joint.x, joint.y) * scale for name, joint in places(box, TURN_PX / scale).items()}
        painter.drawLine(spots["top"], spots[TURN])
        painter.setBrush(self._accent)
        for name, spot in spots.items():
            if name == TURN:
                painter.drawEllipse(spot, _HANDLE_PX + 1.5, _HANDLE_PX + 1.5)
            else:
                painter.drawRect(QRectF(spot.x() - _HANDLE_PX, spot.y() - _HANDLE_PX, 2 * _HANDLE_PX, 2 * _HANDLE_PX))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    # -- the pointer -------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.forceActiveFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned_from = event.localPos()
        elif self._desk is not None:
            held = event.modifiers()
            self._desk.press(self._on_map(event.localPos()), self._scale, control=bool(held & Qt.KeyboardModifier.ControlModifier))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._panned_from is not None:
            self._zoom = self._scale
            self._middle = self._middle - (event.localPos() - self._panned_from) / self._zoom
            self._panned_from = event.localPos()
            self._moved()
        elif self._desk is not None:
            held = event.modifiers()
            control, shift = bool(held & Qt.KeyboardModifier.ControlModifier), bool(held & Qt.KeyboardModifier.ShiftModifier)
            self._desk.drag(self._on_map(event.localPos()), control=control, shift=shift)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned_from = None
        elif self._desk is not None:
            self._desk.release()

    def mouseUngrabEvent(self) -> None:
        self._panned_from = None
        if self._desk is not None:
            self._desk.release()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._desk is not None and event.button() == Qt.MouseButton.LeftButton:
            self._desk.choose_whole(self._on_map(event.localPos()), self._scale, adds=bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()
        delta, held = event.angleDelta(), event.modifiers()
        notches = (delta.y() or delta.x()) / _NOTCH
        if bool(held & Qt.KeyboardModifier.ControlModifier):
            if self._desk is not None:
                self._desk.turn_children(self._on_map(event.position()), self._scale, notches, fine=bool(held & Qt.KeyboardModifier.ShiftModifier))
            return
        before = self._on_map(event.position())
        self._zoom = max(0.05, min(ZOOM_MOST, self._scale * 1.2**notches))
        away = (event.position() - QPointF(self.width() / 2, self.height() / 2)) / self._zoom
        self._middle = QPointF(before.x, before.y) - away
        self._moved()


def _person(painter: QPainter, person: Person) -> None:
    for number, (first, second) in enumerate(LIMBS) if person.body else ():
        begin, end = person.body[first], person.body[second]
        if begin and end:
            painter.save()
            painter.translate((begin.x + end.x) / 2, (begin.y + end.y) / 2)
            painter.rotate(math.degrees(math.atan2(end.y - begin.y, end.x - begin.x)))
            painter.setBrush(QColor(*limb_colour(number)))
            painter.drawEllipse(QPointF(0, 0), math.dist(begin, end) / 2, LIMB_HALF_WIDTH)
            painter.restore()
    for joint, colour in zip(person.body, COLOURS, strict=False):
        if joint:
            painter.setBrush(QColor(*colour))
            painter.drawEllipse(QPointF(*joint), BODY_RADIUS, BODY_RADIUS)
    for hand in (person.left_hand, person.right_hand):
        for number, (first, second) in enumerate(FINGERS) if hand else ():
            begin, end = hand[first], hand[second]
            if begin and end:
                painter.setPen(QPen(QColor(*bone_colour(number)), 2 * BONE_HALF_WIDTH))
                painter.drawLine(QPointF(*begin), QPointF(*end))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*HAND_JOINT))
        for joint in filter(None, hand):
            painter.drawEllipse(QPointF(*joint), HAND_RADIUS, HAND_RADIUS)
    painter.setBrush(QColor(*FACE_JOINT))
    for joint in filter(None, person.face):
        painter.drawEllipse(QPointF(*joint), FACE_RADIUS, FACE_RADIUS)


@cache
def register() -> None:
    """Make `PoseView` known to QML as a type of `Sfumato.Pose 1.0`, once in a process."""
    qmlRegisterType(PoseView, "Sfumato.Pose", 1, 0, "PoseView")
