"""The canvas as an item of the scene: draws the part that is seen, at any zoom, and hears the pointer, the wheel and the pen.

`paint` may run on Qt's render thread, while the GUI thread waits for it: it reads the canvas and nothing else. Only areas that changed are drawn again.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from PyQt5.QtCore import QEvent, QObject, QPointF, QRect, QRectF, Qt, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QColor, QHoverEvent, QMouseEvent, QPainter, QPen, QTabletEvent, QTransform, QWheelEvent
from PyQt5.QtQml import qmlRegisterType
from PyQt5.QtQuick import QQuickItem, QQuickPaintedItem, QQuickWindow

from sfumato.desktop.canvas.compositing import Drawing

if TYPE_CHECKING:
    from sfumato.desktop.canvas.room import CanvasRoom

ZOOM_LEAST, ZOOM_MOST = 0.1, 10.0
_MARGIN_PX = 48
_NOTCH = 120
_SCROLL_PX = 96


class CanvasView(QQuickPaintedItem):
    """`room` is `studio.canvas`. Where the canvas is: `left`, `top`, and `zoom` window pixels for one of the canvas."""

    placed = pyqtSignal()
    pointed = pyqtSignal()

    def __init__(self, parent: QQuickItem | None = None) -> None:
        super().__init__(parent)
        self._room: CanvasRoom | None = None
        self._zoom = 0.0  # 0 fits
        self._middle = QPointF(0, 0)  # of the view, in pixels of the canvas
        self._pointer = QPointF(0, 0)
        self._is_pointed = False
        self._panned_from: QPointF | None = None
        self._sized_from: tuple[QPointF, int] | None = None
        self._pressure = 1.0
        self.setAcceptedMouseButtons(Qt.MouseButton.LeftButton | Qt.MouseButton.RightButton | Qt.MouseButton.MiddleButton)
        self.setAcceptHoverEvents(True)
        self.setActiveFocusOnTab(True)
        self.setOpaquePainting(False)
        self.windowChanged.connect(self._listen)

    # -- where the canvas is ---------------------------------------------------------------------

    @pyqtProperty(QObject)
    def room(self) -> CanvasRoom | None:  # pyright: ignore[reportRedeclaration]  its setter follows
        return self._room

    @room.setter
    def room(self, room: CanvasRoom | None) -> None:
        self._room = room
        if room is not None:
            room.painted.connect(self._redraw)
            room.reshaped.connect(self._reshaped)
            room.outlined.connect(self._outlined)
            self._reshaped()

    @property
    def _fit(self) -> float:
        canvas = self._room.canvas if self._room is not None else None
        if canvas is None or self.width() <= 0:
            return 1.0
        share = min((self.width() - 2 * _MARGIN_PX) / canvas.width, (self.height() - 2 * _MARGIN_PX) / canvas.height)
        return max(0.01, min(ZOOM_MOST, float(int(share)) if share >= 1 else share))

    @pyqtProperty(float, notify=placed)
    def zoom(self) -> float:
        return self._zoom or self._fit

    @pyqtProperty(float, notify=placed)
    def left(self) -> float:
        return self._origin.x()

    @pyqtProperty(float, notify=placed)
    def top(self) -> float:
        return self._origin.y()

    @property
    def _origin(self) -> QPointF:
        zoom = self._zoom or self._fit
        # Whole window pixels, so that parts drawn at different times fit together.
        return QPointF(round(self.width() / 2 - self._middle.x() * zoom), round(self.height() / 2 - self._middle.y() * zoom))

    def _on_canvas(self, point: QPointF) -> QPointF:
        return (point - self._origin) / (self._zoom or self._fit)

    def _centre(self) -> None:
        canvas = self._room.canvas if self._room is not None else None
        if canvas is not None:
            self._middle = QPointF(canvas.width / 2, canvas.height / 2)

    @pyqtSlot()
    def toggleZoom(self) -> None:
        """Between fitting and one pixel for one, around the pointer."""
        if self._zoom:
            self._zoom = 0.0
            self._centre()
        else:
            at = self._pointer if self._is_pointed else QPointF(self.width() / 2, self.height() / 2)
            self._zoom_at(at, 1.0)
        self._placed()

    @pyqtSlot(float)
    def zoomBy(self, factor: float) -> None:
        self._zoom_at(QPointF(self.width() / 2, self.height() / 2), (self._zoom or self._fit) * factor)
        self._placed()

    def _zoom_at(self, point: QPointF, zoom: float) -> None:
        """What is at `point` of the window stays there."""
        before = self._on_canvas(point)
        self._zoom = max(min(ZOOM_LEAST, self._fit), min(ZOOM_MOST, zoom))
        self._middle = before - (point - QPointF(self.width() / 2, self.height() / 2)) / self._zoom

    def _reshaped(self) -> None:
        self._zoom = 0.0
        self._centre()
        self._placed()

    def _placed(self) -> None:
        self.placed.emit()
        self.pointed.emit()
        self.update()

    def geometryChanged(self, new: QRectF, old: QRectF) -> None:
        super().geometryChanged(new, old)
        if new.size() != old.size():
            self._placed()

    # -- drawing ---------------------------------------------------------------------------------

    @property
    def _whole(self) -> QRect:
        return QRectF(0, 0, self.width(), self.height()).toAlignedRect()

    def _redraw(self, area: QRect) -> None:
        zoom, origin = self._zoom or self._fit, self._origin
        seen = QRectF(origin + QPointF(area.topLeft()) * zoom, QRectF(area).size() * zoom).toAlignedRect().adjusted(-2, -2, 2, 2)
        seen = seen.intersected(self._whole)
        if not seen.isEmpty():
            self.update(seen)

    def _outlined(self) -> None:
        if self._room is not None and (self._room.outline is not None or not self._room.is_painting):
            self.update()

    def paint(self, painter: QPainter) -> None:
        canvas = self._room.canvas if self._room is not None else None
        if canvas is None:
            return
        whole = self._whole
        area = painter.clipBoundingRect().toAlignedRect().intersected(whole) if painter.hasClipping() else whole
        if area.isEmpty():
            return
        ratio = painter.device().devicePixelRatioF() if painter.device() is not None else 1.0
        window = self.window()
        if window is not None:
            ratio = window.effectiveDevicePixelRatio()
        zoom, origin = self._zoom or self._fit, self._origin
        image = Drawing(canvas, self._room.levels if self._room is not None else (), zoom, origin, ratio).image(area)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(area.topLeft(), image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        outline = self._room.outline if self._room is not None else None
        if outline is not None:
            drawn = QTransform(zoom, 0, 0, zoom, origin.x(), origin.y()).map(outline)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for colour, width in ((QColor(0, 0, 0, 160), 3), (QColor(255, 255, 255), 1.2)):
                painter.strokePath(drawn, QPen(colour, width))

    # -- the pointer -----------------------------------------------------------------------------

    @pyqtProperty(QPointF, notify=pointed)
    def pointer(self) -> QPointF:
        """Where the pointer is, in pixels of the view."""
        return self._pointer

    @pyqtProperty(bool, notify=pointed)
    def isPointed(self) -> bool:
        return self._is_pointed

    @pyqtProperty(QPointF, notify=pointed)
    def spot(self) -> QPointF:
        """Where the pointer is, in pixels of the canvas."""
        return self._on_canvas(self._pointer)

    def hoverEnterEvent(self, event: QHoverEvent) -> None:
        self._point(event.posF(), True)

    def hoverMoveEvent(self, event: QHoverEvent) -> None:
        self._point(event.posF(), True)
        if bool(event.modifiers() & Qt.KeyboardModifier.AltModifier) and self._room is not None:
            # Alt and a movement: the size follows the pointer.
            tools = self._room.property("tools")
            if self._sized_from is None:
                self._sized_from = (event.posF(), tools.property("numbers")["size"])
            start, size = self._sized_from
            tools.set("size", size + (event.posF().x() - start.x()) / (self._zoom or self._fit))
        else:
            self._sized_from = None

    def hoverLeaveEvent(self, event: QHoverEvent) -> None:
        del event
        self._point(self._pointer, False)

    def _point(self, point: QPointF, is_pointed: bool) -> None:
        self._pointer, self._is_pointed = QPointF(point), is_pointed
        self.pointed.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._point(event.localPos(), True)
        self.forceActiveFocus(Qt.FocusReason.MouseFocusReason)
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned_from = event.localPos()
            return
        if self._room is None:
            return
        held = event.modifiers()
        self._room.press(
            self._on_canvas(event.localPos()),
            erases=event.button() == Qt.MouseButton.RightButton,
            picks=bool(held & Qt.KeyboardModifier.ControlModifier),
            adds=bool(held & Qt.KeyboardModifier.ShiftModifier),
            takes=bool(held & Qt.KeyboardModifier.AltModifier),
            pressure=self._pressure,
        )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.localPos()
        self._point(point, True)
        if self._panned_from is not None:
            zoom = self._zoom or self._fit
            self._zoom = zoom
            self._middle = self._middle - (point - self._panned_from) / zoom
            self._panned_from = point
            self._placed()
        elif self._room is not None:
            self._room.drag(self._on_canvas(point), self._pressure, bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned_from = None
        elif self._room is not None:
            self._room.release()

    def mouseUngrabEvent(self) -> None:
        self._panned_from = None
        if self._room is not None:
            self._room.release()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()
        # A wheel turned with Alt moves sideways on some systems.
        delta = event.angleDelta()
        notches = (delta.y() or delta.x()) / _NOTCH
        held = event.modifiers()
        control, shift = bool(held & Qt.KeyboardModifier.ControlModifier), bool(held & Qt.KeyboardModifier.ShiftModifier)
        if self._room is not None and control:
            self._room.property("tools").nudge("hardness" if shift else "size", 1 if notches > 0 else -1)
        elif shift:
            self._zoom = self._zoom or self._fit
            self._middle = self._middle - QPointF(0, notches * _SCROLL_PX / self._zoom)
            self._placed()
        else:
            self._zoom_at(event.position(), (self._zoom or self._fit) * 1.2**notches)
            self._placed()

    # -- the pen ---------------------------------------------------------------------------------

    def _listen(self, window: QQuickWindow | None) -> None:
        """Qt gives items the pen as a mouse; how hard it is pressed is heard on its way to the window."""
        # The window is not held on to: it would outlive the program's own reference to it.
        if window is not None:
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        del watched
        if isinstance(event, QTabletEvent):
            lifted = event.type() == QEvent.Type.TabletRelease
            self._pressure = 1.0 if lifted else event.pressure()
        return False


@cache
def register() -> None:
    """Make `CanvasView` known to QML as a type of `Sfumato.Canvas 1.0`, once in a process: Qt has room for 30 types."""
    qmlRegisterType(CanvasView, "Sfumato.Canvas", 1, 0, "CanvasView")
