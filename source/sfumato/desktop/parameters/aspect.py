"""The aspect that width and height keep while one of them is changed."""

from __future__ import annotations

from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import tr
from sfumato.desktop.parameters.form import ParameterForm
from sfumato.desktop.session import Session

FREE, LOCKED = "", "locked"
RATIOS = ("1:1", "5:4", "4:3", "3:2", "16:9", "21:9", "4:5", "3:4", "2:3", "9:16")
STEP_PX = 8
SIDES = ("width", "height")


def side_for(other: int, ratio: float) -> int:
    """The side that stands in `ratio` to the other one, a multiple of 8 px and at least 64."""
    return max(64, round(other * ratio / STEP_PX) * STEP_PX)


class Aspect(QObject):
    """`ratio`: "" free, "locked" as it is, or "3:2"; width is changed to fit height and the other way round."""

    changed = pyqtSignal()

    def __init__(self, form: ParameterForm, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._form = form
        self._session = session
        kept = session.restored("aspect", str, FREE)
        self._ratio = kept if kept in (FREE, LOCKED, *RATIOS) else FREE
        self._locked = self._now()
        self._sides = self._size()
        self._leads = False  # a side is being changed, and the other follows
        form.companion = self._beside
        form.edited.connect(self._edited)
        session.keep("aspect", lambda: self._ratio)

    def _size(self) -> tuple[int, int]:
        return self._form.side("width"), self._form.side("height")

    def _now(self) -> float:
        """Width over height as they are."""
        width, height = self._size()
        return width / height if width and height else 1.0

    def _edited(self) -> None:
        """An import, a preset or an undo brought another size: that is the shape to keep from now on."""
        sides, leads, self._leads = self._size(), self._leads, False
        if sides != self._sides:
            self._sides = sides
            if self._ratio == LOCKED and not leads:
                self._locked = self._now()

    def _get_ratio(self) -> str:
        return self._ratio

    def _set_ratio(self, ratio: str) -> None:
        if ratio == self._ratio or ratio not in (FREE, LOCKED, *RATIOS):
            return
        self._ratio = ratio
        if ratio == LOCKED:
            self._locked = self._now()
        elif ratio != FREE:
            self._shape()
        self._session.touch()
        self.changed.emit()

    ratio = pyqtProperty(str, _get_ratio, _set_ratio, notify=changed)

    @pyqtProperty(bool, notify=changed)
    def locked(self) -> bool:
        return self._ratio != FREE

    @pyqtProperty("QVariantList", notify=changed)
    def choices(self) -> list[dict[str, Any]]:
        """The rows of the drop-down."""
        rows = [(FREE, tr("Free")), (LOCKED, tr("Locked")), *((ratio, ratio) for ratio in RATIOS)]
        return [{"value": value, "label": label, "note": "", "enabled": True, "reason": ""} for value, label in rows]

    @pyqtSlot()
    def swap(self) -> None:
        """Width becomes height and height width; a ratio is turned with them."""
        width, height = (self._form.side(name) for name in SIDES)
        if not width or not height:
            return
        turned = ":".join(reversed(self._ratio.split(":")))
        if turned in RATIOS:
            self._ratio = turned
        self._locked = 1 / self._locked
        self._form.apply({"width": height, "height": width}, tr("Swap width and height"))
        self._session.touch()
        self.changed.emit()

    def _factor(self) -> float:
        """Width over height that is kept."""
        if self._ratio == LOCKED:
            return self._locked
        wide, _, high = self._ratio.partition(":")
        return int(wide) / int(high)

    def _shape(self) -> None:
        """Give the sizes the chosen ratio with about as many pixels as before."""
        width, height = (self._form.side(name) for name in SIDES)
        if width and height:
            new = side_for(round((width * height * self._factor()) ** 0.5), 1)
            self._form.apply({"width": new, "height": side_for(new, 1 / self._factor())}, tr("Change aspect"))

    def _beside(self, name: str, value: Any) -> dict[str, Any]:
        """What changes together with a size that a person sets."""
        if name not in SIDES or self._ratio == FREE or not isinstance(value, int):
            return {}
        self._leads = True
        if name == "width":
            return {"height": side_for(value, 1 / self._factor())}
        return {"width": side_for(value, self._factor())}
