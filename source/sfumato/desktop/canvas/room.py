"""`studio.canvas`: the canvas that is open, what the pointer and the keys do to it, and its way back to the input card."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from PyQt5.QtCore import QObject, QPointF, QRect, QTimer, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QPainterPath

from sfumato.desktop.canvas import operations
from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.flattening import copied
from sfumato.desktop.canvas.gestures import SHAPES, Carrying, Gesture, Hand, Painting, Shape, how_to_select
from sfumato.desktop.canvas.keeping import Files, Held, Subject, opened, saving
from sfumato.desktop.canvas.layer_list import LayerList
from sfumato.desktop.canvas.layers import ERASE, NORMAL, PAINT, REGION
from sfumato.desktop.canvas.picking import colour_at
from sfumato.desktop.canvas.tools import ERASER, FILL, MOVE, PICK, Palette, Tools
from sfumato.desktop.canvas.view import register
from sfumato.desktop.disk import Disk
from sfumato.desktop.drafts import Draft
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell
from sfumato.library.outputs import folder_of, save_picture
from sfumato.protocol.errors import SfumatoError

SAVE_DELAY_MS = 1500
COPIES = "canvas"
WORDS = {
    "brush": "Brush stroke",
    "eraser": "Erase",
    "fill": "Fill",
    "rectangle": "Rectangle",
    "ellipse": "Ellipse",
    "lasso": "Lasso",
    "move": "Move",
}


class Cards(Protocol):
    """Who holds the cards that are painted on."""

    def subject(self, card: str) -> Subject | None:
        """What a card's canvas is; None for a card that has none."""
        ...

    def take(self, card: str, files: Files) -> None:
        """What is painted on a card now. The files may be written only after this call, on the disk thread."""
        ...


class CanvasRoom(QObject):
    """One canvas is open at a time; those that were are kept with their history until the program ends (D68)."""

    changed = pyqtSignal()
    opened = pyqtSignal()
    painted = pyqtSignal(QRect)
    reshaped = pyqtSignal()
    outlined = pyqtSignal()

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._cards: Cards | None = None
        kept = shell.session.restored("canvas", dict, {})
        self._tools = Tools(kept, shell.session.touch, self)
        self._palette = Palette(kept, shell.session.touch, self)
        shell.session.keep("canvas", lambda: self._tools.collect() | self._palette.collect())
        self._layers = LayerList(self)
        self._bench = Disk(self)
        self._known: dict[str, Held] = {}
        self._held: Held | None = None
        self._subject: Subject | None = None
        self._gesture: Gesture | None = None
        self._words = ""
        self._is_busy = False
        self._told = ""
        self._saving = QTimer(self)
        self._saving.setSingleShot(True)
        self._saving.setInterval(SAVE_DELAY_MS)
        self._saving.timeout.connect(lambda: self._save())
        shell.drafting.add(self._settle)
        register()

    def use(self, cards: Cards) -> None:
        """Say who holds the cards."""
        self._cards = cards

    def end(self) -> None:
        """Save what is not saved; the last call."""
        self.close()
        self._bench.close()

    # -- what is open ----------------------------------------------------------------------------

    @pyqtProperty(bool, notify=changed)
    def isOpen(self) -> bool:
        return self._subject is not None

    @pyqtProperty(bool, notify=changed)
    def isReady(self) -> bool:
        """It is open and its pictures are read."""
        return self._held is not None

    @pyqtProperty(bool, notify=changed)
    def isBusy(self) -> bool:
        """Something that takes longer is computed; until then nothing can be painted."""
        return self._is_busy

    @pyqtProperty(str, notify=changed)
    def title(self) -> str:
        return self._subject.title if self._subject is not None else ""

    @pyqtProperty(str, notify=changed)
    def kind(self) -> str:
        return self._subject.kind if self._subject is not None else ""

    @pyqtProperty(str, notify=changed)
    def card(self) -> str:
        return self._subject.card if self._subject is not None else ""

    @pyqtProperty(str, notify=changed)
    def told(self) -> str:
        """What was just done beside the canvas."""
        return self._told

    def _tell(self, words: str) -> None:
        self._told = words
        self.changed.emit()

    @property
    def canvas(self) -> Canvas | None:
        return self._held.canvas if self._held is not None else None

    @property
    def levels(self) -> list[Any]:
        return self._held.levels if self._held is not None else []

    @pyqtProperty(int, notify=changed)
    def width(self) -> int:
        return self._held.canvas.width if self._held is not None else 0

    @pyqtProperty(int, notify=changed)
    def height(self) -> int:
        return self._held.canvas.height if self._held is not None else 0

    @pyqtProperty(QObject, constant=True)
    def layers(self) -> LayerList:
        return self._layers

    @pyqtProperty(QObject, constant=True)
    def tools(self) -> Tools:
        return self._tools

    @pyqtProperty(QObject, constant=True)
    def palette(self) -> Palette:
        return self._palette

    @pyqtProperty("QVariantMap", notify=changed)
    def state(self) -> dict[str, Any]:
        """What the editor shows beside the canvas."""
        canvas = self.canvas
        if canvas is None:
            return {}
        history = canvas.history
        layer = canvas.layer
        return {
            "undo": history.undo_words,
            "redo": history.redo_words,
            "memory": f"{history.size_bytes / 2**20:.1f} MiB",
            "steps": len(history),
            "selecting": canvas.selecting,
            "alterable": operations.alterable(canvas) is not None,
            "layerCount": len(canvas.layers),
            "layer": layer.id,
            "layerOpacity": round(layer.opacity * 100),
            "layerErases": layer.mode == ERASE,
            "hasLayers": canvas.kind in (PAINT, REGION),
            "hasColour": canvas.kind == PAINT,
            "extendable": canvas.kind == PAINT,
            "extended": canvas.is_extended,
            "painted": canvas.is_painted,
        }

    @pyqtSlot(str)
    def open(self, card: str) -> None:
        """Paint on a card."""
        subject = self._cards.subject(card) if self._cards is not None else None
        if subject is not None:
            self.paint_on(subject)

    def paint_on(self, subject: Subject) -> None:
        """Open a canvas; it shows itself as soon as its pictures are read."""
        if self._subject is not None:
            self.close()
        self._subject = subject
        known = self._known.get(subject.card)
        if known is not None and known.subject == subject:
            self._show(known)
            return
        self.changed.emit()
        self.opened.emit()
        self._shell.disk.run(partial(opened, subject, self._in_background), partial(self._arrived, subject), self._not_opened)

    def _arrived(self, subject: Subject, held: Held) -> None:
        self._known[subject.card] = held
        if self._subject == subject:
            self._show(held)

    def _not_opened(self, error: SfumatoError) -> None:
        self._subject = None
        self._shell.complain(error)
        self.changed.emit()

    def _show(self, held: Held) -> None:
        self._held = held
        self._layers.refresh(held.canvas)
        self.changed.emit()
        self.opened.emit()
        self.reshaped.emit()

    @pyqtSlot()
    def close(self) -> None:
        """Return to the page; what was painted is saved and stands on the card."""
        self.leave_off()
        self._save()
        self._held = self._subject = None
        self._layers.refresh(None)
        self.changed.emit()
        self.reshaped.emit()

    def forget(self, card: str) -> None:
        """A card is gone for good."""
        self._known.pop(card, None)

    # -- saving ----------------------------------------------------------------------------------

    def _save(self) -> Files | None:
        """Write what was changed, on the disk thread; where it will be, None where nothing was."""
        self._saving.stop()
        held = self._held
        if held is None or not held.is_changed:
            return None
        held.is_changed = False
        files, work = saving(held)

        def saved(written: dict[str, int]) -> None:
            held.written = written
            if self._cards is not None:
                self._cards.take(held.subject.card, files)

        def failed(error: SfumatoError) -> None:
            held.is_changed = True
            self._shell.complain(error)

        self._shell.disk.run(work, saved, failed)
        return files

    def _settle(self, draft: Draft) -> None:
        """A job is about to be sent: what was painted last goes with it. It reads its pictures on the disk thread, after they are written there."""
        del draft
        held, files = self._held, self._save()
        if held is not None and files is not None and self._cards is not None:
            self._cards.take(held.subject.card, files)

    @pyqtSlot()
    def saveCopy(self) -> None:
        """Write what is seen as a picture of its own into the outputs folder; the card's file is never changed (D69)."""
        if self._held is None:
            return
        canvas, outputs = self._held.canvas.still(), self._shell.places.outputs

        def work() -> Path:
            return save_picture(folder_of(outputs, COPIES), "", copied(canvas))

        self._shell.disk.run(work, lambda path: self._tell(tr("Saved as {file}.", file=path.name)), self._shell.complain)

    # -- the pointer -----------------------------------------------------------------------------

    @property
    def outline(self) -> QPainterPath | None:
        """The shape being drawn, in pixels of the canvas."""
        return self._gesture.outline() if self._gesture is not None else None

    @property
    def is_painting(self) -> bool:
        return self._gesture is not None

    def press(self, point: QPointF, *, erases: bool, picks: bool, adds: bool, takes: bool, pressure: float = 1.0) -> None:
        """Begin with the chosen tool at a point of the canvas.

        Args:
            erases: the right button.
            picks: Ctrl is held.
            adds: Shift, `takes`: Alt is held; both mean something to shapes that select.
        """
        canvas = self.canvas
        if canvas is None or self._is_busy or self._gesture is not None:
            return
        tool = self._tools.property("tool")
        if picks or tool == PICK:
            self._pick(canvas, point)
            return
        if not canvas.layer.visible:
            self._tell(tr("The layer is hidden; show it to paint on it."))
            return
        hand = self._hand(erases, how_to_select(adds, takes))
        self._words = tr(WORDS[ERASER if hand.erases and tool not in SHAPES else tool])
        if tool == FILL:
            self._fill(canvas, point, hand)
        elif tool == MOVE:
            self._begin(Carrying(canvas), point, pressure)
        elif tool in SHAPES:
            self._begin(Shape(canvas, hand, tool), point, pressure)
        else:
            self._begin(Painting(canvas, hand), point, pressure)

    def _hand(self, erases: bool, how: str) -> Hand:
        switches, tool = self._tools.property("switches"), self._tools.property("tool")
        return Hand(self._tools.brush(), self._palette.property("colour"), erases or tool == ERASER, switches["shapesSelect"], how)

    def _begin(self, gesture: Gesture, point: QPointF, pressure: float) -> None:
        self._gesture = gesture
        self.drag(point, pressure)

    def drag(self, point: QPointF, pressure: float = 1.0, constrained: bool = False) -> None:
        if self._gesture is None:
            return
        if not self._tools.property("switches")["pressureSizes"]:
            pressure = 1.0
        area = self._gesture.to(point.x(), point.y(), pressure, constrained)
        if not area.isEmpty():
            self.painted.emit(area)
        self.outlined.emit()

    def release(self) -> None:
        if self._gesture is None:
            return
        gesture, self._gesture = self._gesture, None
        area = gesture.finish(self._words)
        self.outlined.emit()
        self._changed(area)

    def leave_off(self) -> None:
        """Take back what is being drawn right now."""
        if self._gesture is None:
            return
        gesture, self._gesture = self._gesture, None
        self.painted.emit(gesture.abandon())
        self.outlined.emit()

    def _pick(self, canvas: Canvas, point: QPointF) -> None:
        colour = colour_at(canvas, int(point.x()), int(point.y()))
        if colour is not None:
            self._palette.take(colour)

    def _fill(self, canvas: Canvas, point: QPointF, hand: Hand) -> None:
        x, y = int(point.x()), int(point.y())
        if not canvas.rect.contains(x, y):
            return
        numbers, switches = self._tools.property("numbers"), self._tools.property("switches")
        self._compute(
            operations.fill(canvas, x, y, numbers["tolerance"], hand.colour, hand.brush.opacity, hand.erases, switches["fillsByPicture"], self._words)
        )

    # -- what takes longer -----------------------------------------------------------------------

    def _compute(self, operation: operations.Operation | None) -> None:
        if operation is None or self._is_busy:
            return
        self._is_busy = True
        self.changed.emit()

        def ended() -> None:
            self._is_busy = False

        def done(apply: operations.Apply) -> None:
            ended()
            self._changed(apply())

        def failed(error: SfumatoError) -> None:
            ended()
            self.changed.emit()
            self._shell.complain(error)

        self._bench.run(operation, done, failed)

    def _in_background(self, work: Callable[[], None]) -> None:
        self._bench.run(work, lambda _: self.changed.emit(), self._shell.complain)

    def _changed(self, area: QRect) -> None:
        """The canvas was changed."""
        if self._held is None:
            return
        self._held.is_changed, self._told = True, ""
        self._saving.start()
        self._layers.refresh(self._held.canvas)
        self.changed.emit()
        if not area.isEmpty():
            self.painted.emit(area)

    @pyqtSlot()
    def undo(self) -> None:
        self._step(lambda canvas: canvas.undo())

    @pyqtSlot()
    def redo(self) -> None:
        self._step(lambda canvas: canvas.redo())

    def _step(self, replay: Callable[[Canvas], QRect]) -> None:
        canvas = self.canvas
        if canvas is None or self._is_busy:
            return
        if self._gesture is not None:
            self.leave_off()
            return
        size = canvas.size
        area = replay(canvas)
        if canvas.size != size:
            self.reshaped.emit()
        if not area.isEmpty():
            self._changed(area)

    @pyqtSlot()
    def selectAll(self) -> None:
        self._at_once(lambda canvas: operations.select_all(canvas, tr("Select all")))

    @pyqtSlot()
    def selectNone(self) -> None:
        self._at_once(lambda canvas: operations.select_none(canvas, tr("Select none")))

    @pyqtSlot()
    def invert(self) -> None:
        """What was not selected, or not masked, becomes so."""
        if self.canvas is not None:
            self._compute(operations.invert(self.canvas, tr("Invert")))

    @pyqtSlot()
    def feather(self) -> None:
        if self.canvas is not None:
            self._compute(operations.feather(self.canvas, self._tools.property("numbers")["reach"], tr("Feather")))

    @pyqtSlot(int)
    def grow(self, sign: int) -> None:
        """Widen (1) or narrow (-1) by the distance set."""
        if self.canvas is not None:
            words = tr("Grow") if sign > 0 else tr("Shrink")
            self._compute(operations.grow(self.canvas, sign * self._tools.property("numbers")["reach"], words))

    @pyqtSlot()
    def clear(self) -> None:
        """Empty the layer, or what is selected of it."""
        if self.canvas is not None:
            self._compute(operations.clear(self.canvas, tr("Clear")))

    def _at_once(self, change: Callable[[Canvas], QRect]) -> None:
        if self.canvas is not None and not self._is_busy:
            self.leave_off()
            self._changed(change(self.canvas))

    # -- layers ----------------------------------------------------------------------------------

    @pyqtSlot(str)
    def chooseLayer(self, layer: str) -> None:
        if self.canvas is not None:
            self.leave_off()
            self.canvas.select(layer)
            self._layers.refresh(self.canvas)
            self.changed.emit()

    @pyqtSlot()
    def addLayer(self) -> None:
        self._layer_change(lambda canvas: canvas.add_layer(tr("Add layer")))

    @pyqtSlot(str)
    def duplicateLayer(self, layer: str) -> None:
        self._layer_change(lambda canvas: canvas.duplicate_layer(tr("Duplicate layer"), layer))

    @pyqtSlot(str)
    def removeLayer(self, layer: str) -> None:
        self._layer_change(lambda canvas: canvas.remove_layer(tr("Delete layer"), layer))

    @pyqtSlot(str, int)
    def moveLayer(self, layer: str, distance: int) -> None:
        """Up with a positive distance."""
        self._layer_change(lambda canvas: canvas.move_layer(tr("Move layer"), layer, distance))

    @pyqtSlot(str, bool)
    def showLayer(self, layer: str, shown: bool) -> None:
        self._layer_change(lambda canvas: canvas.describe_layer(tr("Show layer") if shown else tr("Hide layer"), layer, visible=shown))

    @pyqtSlot(str, int)
    def setLayerOpacity(self, layer: str, percent: int) -> None:
        share = max(0, min(100, percent)) / 100
        self._layer_change(lambda canvas: canvas.describe_layer(tr("Layer opacity"), layer, opacity=share))

    @pyqtSlot(str, bool)
    def setLayerErases(self, layer: str, erases: bool) -> None:
        self._layer_change(lambda canvas: canvas.describe_layer(tr("Layer mode"), layer, mode=ERASE if erases else NORMAL))

    @pyqtSlot(str, str)
    def renameLayer(self, layer: str, name: str) -> None:
        self._layer_change(lambda canvas: canvas.describe_layer(tr("Rename layer"), layer, name=name.strip()[:60]))

    def _layer_change(self, change: Callable[[Canvas], object]) -> None:
        def whole(canvas: Canvas) -> QRect:
            change(canvas)
            return canvas.rect

        self._at_once(whole)

    # -- size ------------------------------------------------------------------------------------

    @pyqtSlot(int, int, int, int, result="QVariantList")
    def extension(self, left: int, top: int, right: int, bottom: int) -> list[int]:
        """What `extend` would add of the pixels asked for."""
        return list(self.canvas.extension(left, top, right, bottom)) if self.canvas is not None else [0, 0, 0, 0]

    @pyqtSlot(int, int, int, int)
    def extend(self, left: int, top: int, right: int, bottom: int) -> None:
        """Add pixels on each side, for outpainting; negative numbers take added ones away."""

        def change(canvas: Canvas) -> QRect:
            canvas.extend(tr("Extend canvas"), left, top, right, bottom)
            return canvas.rect

        if self.canvas is not None and self.canvas.kind == PAINT:
            self._at_once(change)
            self.reshaped.emit()
