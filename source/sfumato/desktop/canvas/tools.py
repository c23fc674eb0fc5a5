"""The tools of the canvas and how they are set; kept from session to session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import QObject, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QColor

from sfumato.desktop.canvas.brush import SIZE_LEAST_PX, SIZE_MOST_PX, Brush

BRUSH, ERASER, FILL, RECTANGLE, ELLIPSE, LASSO, MOVE, PICK = TOOLS = ("brush", "eraser", "fill", "rectangle", "ellipse", "lasso", "move", "pick")
# Name -> least, most, at first.
NUMBERS = {
    "size": (int(SIZE_LEAST_PX), int(SIZE_MOST_PX), 40),
    "hardness": (1, 100, 80),
    "spacing": (1, 50, 5),
    "opacity": (1, 100, 100),
    "tolerance": (0, 255, 24),
    "reach": (1, 512, 8),
}
SWITCHES = {"fillsByPicture": False, "shapesSelect": False, "pressureSizes": True}


class Tools(QObject):
    """The chosen tool, and the settings of all of them. Percent where a share is meant; sizes in pixels of the canvas."""

    changed = pyqtSignal()

    def __init__(self, kept: dict[str, Any], touch: Callable[[], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._touch = touch
        self._tool = str(kept["tool"]) if kept.get("tool") in TOOLS else BRUSH
        self._numbers = {name: _number(kept.get(name), *limits) for name, limits in NUMBERS.items()}
        self._switches = {name: kept[name] if isinstance(kept.get(name), bool) else first for name, first in SWITCHES.items()}

    def collect(self) -> dict[str, Any]:
        return {"tool": self._tool, **self._numbers, **self._switches}

    @pyqtProperty(str, notify=changed)
    def tool(self) -> str:
        return self._tool

    @pyqtSlot(str)
    def choose(self, tool: str) -> None:
        if tool in TOOLS and tool != self._tool:
            self._tool = tool
            self._tell()

    @pyqtProperty("QVariantMap", notify=changed)
    def numbers(self) -> dict[str, int]:
        return self._numbers

    @pyqtProperty("QVariantMap", constant=True)
    def limits(self) -> dict[str, list[int]]:
        """Name -> [least, most]."""
        return {name: [least, most] for name, (least, most, _) in NUMBERS.items()}

    @pyqtProperty("QVariantMap", notify=changed)
    def switches(self) -> dict[str, bool]:
        return self._switches

    @pyqtSlot(str, float)
    def set(self, name: str, value: float) -> None:
        """Set a number; what is out of range becomes the nearest that is not."""
        least, most, first = NUMBERS[name]
        number = _number(value, least, most, first)
        if number != self._numbers[name]:
            self._numbers = self._numbers | {name: number}
            self._tell()

    @pyqtSlot(str, bool)
    def switch(self, name: str, on: bool) -> None:
        if self._switches[name] != on:
            self._switches = self._switches | {name: on}
            self._tell()

    @pyqtSlot(str, int)
    def nudge(self, name: str, direction: int) -> None:
        """A little more or less: steps grow with the number."""
        number = self._numbers[name]
        step = max(1, round(number * 0.15)) if name == "size" else 5
        self.set(name, number + direction * step)

    def brush(self) -> Brush:
        numbers = self._numbers
        return Brush(float(numbers["size"]), numbers["hardness"] / 100, numbers["spacing"] / 100, numbers["opacity"] / 100)

    def _tell(self) -> None:
        self._touch()
        self.changed.emit()


def _number(value: Any, least: int, most: int, first: int) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
        return first
    return max(least, min(most, round(value)))


class Palette(QObject):
    """Two colours, the one that paints and the one X changes it for. Hue and saturation outlive a colour that has none, so that a slider never jumps."""

    changed = pyqtSignal()

    def __init__(self, kept: dict[str, Any], touch: Callable[[], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._touch = touch
        self._colour, self._other = (_colour(kept.get(name), first) for name, first in (("colour", "#ff1f1f1f"), ("other", "#ffffffff")))
        self._hue = max(0.0, self._colour.hsvHueF())
        self._saturation = self._colour.hsvSaturationF()

    def collect(self) -> dict[str, Any]:
        return {name: colour.name(QColor.NameFormat.HexArgb) for name, colour in (("colour", self._colour), ("other", self._other))}

    @pyqtProperty(QColor, notify=changed)
    def colour(self) -> QColor:
        return self._colour

    @pyqtProperty(QColor, notify=changed)
    def other(self) -> QColor:
        return self._other

    @pyqtProperty(float, notify=changed)
    def hue(self) -> float:
        return self._hue

    @pyqtProperty(float, notify=changed)
    def saturation(self) -> float:
        return self._saturation

    @pyqtProperty("QVariantMap", notify=changed)
    def fields(self) -> dict[str, Any]:
        """What the fields show: whole numbers 0..255, degrees, percent, and the hex text."""
        colour = self._colour
        return {
            "R": colour.red(), "G": colour.green(), "B": colour.blue(), "H": round(self._hue * 360) % 360, "S": round(self._saturation * 100),
            "V": round(colour.valueF() * 100), "A": round(colour.alphaF() * 100), "hex": colour.name(),
        }  # fmt: skip

    @pyqtSlot(float, float, float)
    def setHsv(self, hue: float, saturation: float, value: float) -> None:
        """Each 0..1."""
        self._hue, self._saturation = (max(0.0, min(1.0, share)) for share in (hue, saturation))
        self._take(QColor.fromHsvF(self._hue, self._saturation, max(0.0, min(1.0, value)), self._colour.alphaF()), keep=True)

    @pyqtSlot(float)
    def setAlpha(self, alpha: float) -> None:
        colour = QColor(self._colour)
        colour.setAlphaF(max(0.0, min(1.0, alpha)))
        self._take(colour, keep=True)

    @pyqtSlot(str, str, result=bool)
    def setField(self, name: str, text: str) -> bool:
        """A typed field; False where it is no number or colour."""
        if name == "hex":
            colour = QColor(text if text.startswith("#") else f"#{text}")
            if not colour.isValid():
                return False
            colour.setAlphaF(self._colour.alphaF())
            self._take(colour)
            return True
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            return False
        if number != number:
            return False
        fields = self.property("fields") | {name: number}
        if name == "A":
            self.setAlpha(number / 100)
        elif name in "HSV":
            self.setHsv(fields["H"] / 360 if name == "H" else self._hue, fields["S"] / 100 if name == "S" else self._saturation, fields["V"] / 100)
        else:
            channels = (max(0, min(255, round(fields[channel]))) for channel in "RGB")
            self._take(QColor(*channels, self._colour.alpha()))
        return True

    @pyqtSlot()
    def swap(self) -> None:
        self._other, colour = self._colour, self._other
        self._take(colour)

    def take(self, colour: QColor) -> None:
        """A colour picked from the canvas."""
        self._take(QColor(colour))

    def _take(self, colour: QColor, keep: bool = False) -> None:
        self._colour = colour
        if not keep:
            if colour.hsvHueF() >= 0:
                self._hue = colour.hsvHueF()
            self._saturation = colour.hsvSaturationF()
        self._touch()
        self.changed.emit()


def _colour(name: Any, first: str) -> QColor:
    colour = QColor(name) if isinstance(name, str) else QColor()
    return colour if colour.isValid() else QColor(first)
