"""Painting in the real window, by real drags and keys, and what then arrives in the job."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from PyQt5.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PyQt5.QtGui import QTabletEvent, QWheelEvent
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest

from sfumato.desktop.canvas import channel
from sfumato.desktop.canvas.document import Canvas
from tests.desktop.conftest import Open
from tests.support.painting import encoded, scene
from tests.support.window import OpenWindow, accessible, items, until

CTRL, SHIFT, ALT, PLAIN = Qt.ControlModifier, Qt.ShiftModifier, Qt.AltModifier, Qt.NoModifier
LEFT, RIGHT, MIDDLE = Qt.LeftButton, Qt.RightButton, Qt.MiddleButton


class Easel:
    """The open canvas of a window, and a hand over it."""

    def __init__(self, window: OpenWindow) -> None:
        self.window = window
        self.room = window.studio.canvas

    @property
    def canvas(self) -> Canvas:
        assert self.room.canvas is not None
        return self.room.canvas

    @property
    def view(self) -> QQuickItem:
        return self.window.item(self.room.property("title"), "CanvasView")

    def open(self, card: str) -> Easel:
        self.room.open(card)
        until(lambda: self.room.property("isReady"), "the canvas")
        until(lambda: self.view.hasActiveFocus(), "the focus")
        return self

    def place(self, x: float, y: float) -> QPoint:
        """Where a pixel of the canvas is in the window."""
        view = self.view
        point = QPointF(view.property("left") + (x + 0.5) * view.property("zoom"), view.property("top") + (y + 0.5) * view.property("zoom"))
        return view.mapToScene(point).toPoint()

    def drag(self, *points: tuple[float, float], button: int = LEFT, held: int = PLAIN) -> None:
        QTest.mousePress(self.window.window, button, held, self.place(*points[0]))
        for point in points[1:]:
            QTest.mouseMove(self.window.window, self.place(*point))
            QCoreApplication.processEvents()
        QTest.mouseRelease(self.window.window, button, held, self.place(*points[-1]))
        QCoreApplication.processEvents()

    def painted(self, x: int, y: int) -> int:
        image = self.canvas.layer.image
        return image.pixelColor(x, y).alpha() if image is not None else 0

    def pixels(self) -> bytes:
        image = self.canvas.layer.image
        return image.constBits().asstring(image.sizeInBytes()) if image is not None else b""

    def wheel(self, x: float, y: float, notches: int, held: int = PLAIN) -> None:
        place = QPointF(self.place(x, y))
        event = QWheelEvent(place, place, QPoint(), QPoint(0, 120 * notches), Qt.NoButton, held, Qt.NoScrollPhase, False)
        QCoreApplication.sendEvent(self.window.window, event)
        QCoreApplication.processEvents()

    def settled(self) -> None:
        until(lambda: not self.room.property("isBusy"), "the end of the work")


def picture(folder: Path, side: int = 256) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "picture.png"
    path.write_bytes(encoded(scene(side=side)))
    return path


@pytest.fixture
def image_and_mask(shown: OpenWindow, tmp_path: Path) -> tuple[OpenWindow, str, str]:
    inputs = shown.studio.inputs
    image = inputs.add(str(picture(tmp_path)), "image")
    return shown, image, inputs.addEmpty("mask")


def generate(window: OpenWindow) -> dict[str, object]:
    before = len(window.painter.submits)
    window.key(Qt.Key_Return, CTRL)
    until(lambda: len(window.painter.submits) > before, "the request")
    return window.painter.submits[-1].params


def blob(window: OpenWindow, name: object) -> Image.Image:
    return Image.open(io.BytesIO(window.painter.submits[-1].blobs[str(name)]))


def stored(path: Path | str) -> Image.Image:
    return Image.open(io.BytesIO(Path(path).read_bytes()))


@pytest.mark.rule("D66", "D68", "R140", "D69")
def test_a_mask_is_painted_undone_redone_and_arrives_in_the_job(image_and_mask: tuple[OpenWindow, str, str], tmp_path: Path) -> None:
    window, _, mask = image_and_mask
    file_before = (tmp_path / "picture.png").read_bytes()
    easel = Easel(window).open(mask)
    easel.drag((50, 50), (100, 60), (150, 50))
    first = easel.pixels()
    assert easel.painted(100, 60) == 255
    easel.drag((60, 180), (200, 180))
    both = easel.pixels()

    window.key(Qt.Key_Z, CTRL)
    assert easel.pixels() == first
    window.key(Qt.Key_Z, CTRL)
    assert not any(easel.pixels())
    window.key(Qt.Key_Y, CTRL)
    window.key(Qt.Key_Z, CTRL | SHIFT)
    assert easel.pixels() == both

    # Sent from within the canvas, with what was painted a moment ago.
    params = generate(window)
    sent = blob(window, params["mask"]).convert("L")
    assert sent.size == (256, 256)
    assert sent.getpixel((100, 60)) == 255 and sent.getpixel((130, 180)) == 255 and sent.getpixel((20, 230)) == 0
    assert (tmp_path / "picture.png").read_bytes() == file_before

    window.key(Qt.Key_Escape)
    until(lambda: not easel.room.property("isOpen"))


@pytest.mark.rule("D66")
def test_right_erases_and_the_eraser_does_too(image_and_mask: tuple[OpenWindow, str, str]) -> None:
    window, _, mask = image_and_mask
    easel = Easel(window).open(mask)
    easel.drag((40, 100), (220, 100))
    easel.drag((130, 100), (131, 100), button=RIGHT)
    assert (easel.painted(60, 100), easel.painted(130, 100)) == (255, 0)
    window.key(Qt.Key_E)
    easel.drag((60, 100), (61, 100))
    assert easel.painted(60, 100) == 0
    window.key(Qt.Key_B)
    easel.drag((60, 100), (61, 100))
    assert easel.painted(60, 100) == 255


@pytest.mark.rule("D66", "D67")
def test_each_key_chooses_its_tool_and_sizes_change_by_keys_and_wheel(shown: OpenWindow, tmp_path: Path) -> None:
    easel = Easel(shown).open(shown.studio.inputs.add(str(picture(tmp_path)), "image"))
    tools = easel.room.tools
    for key, tool in zip("EGROLVIB", ("eraser", "fill", "rectangle", "ellipse", "lasso", "move", "pick", "brush")):
        shown.key(getattr(Qt, f"Key_{key}"))
        assert tools.property("tool") == tool
    size, hardness = tools.property("numbers")["size"], tools.property("numbers")["hardness"]
    shown.type(".")
    assert tools.property("numbers")["size"] > size
    shown.type(",")
    assert tools.property("numbers")["size"] <= size + 1
    easel.wheel(100, 100, 2, CTRL)
    assert tools.property("numbers")["size"] > size
    easel.wheel(100, 100, -1, CTRL | SHIFT)
    assert tools.property("numbers")["hardness"] < hardness
    for _ in range(60):
        tools.nudge("size", 1)
    assert tools.property("numbers")["size"] == 500


@pytest.mark.rule("D67")
def test_shapes_selection_and_fill_by_pointer_and_keys(image_and_mask: tuple[OpenWindow, str, str]) -> None:
    window, _, mask = image_and_mask
    easel = Easel(window).open(mask)
    window.key(Qt.Key_R)
    easel.drag((50, 60), (150, 160))
    box = channel.bounds(easel.canvas.layer.image)
    assert (abs(box.left() - 50), abs(box.top() - 60), abs(box.width() - 100)) <= (2, 2, 3)
    easel.room.tools.switch("shapesSelect", True)
    easel.drag((100, 100), (200, 200))
    assert easel.room.property("state")["selecting"] is True
    window.key(Qt.Key_Delete)
    easel.settled()
    assert (easel.painted(120, 120), easel.painted(70, 80)) == (0, 255)
    window.key(Qt.Key_D, CTRL)
    assert easel.room.property("state")["selecting"] is False
    window.key(Qt.Key_I, CTRL)
    easel.settled()
    assert (easel.painted(120, 120), easel.painted(70, 80)) == (255, 0)
    for _ in range(5):
        window.key(Qt.Key_Z, CTRL)
        easel.settled()
    assert not any(easel.pixels())
    window.key(Qt.Key_G)
    easel.drag((20, 20))
    easel.settled()
    assert easel.painted(200, 200) == 255


@pytest.mark.rule("D66")
def test_ctrl_click_picks_the_colour_of_the_picture_and_paint_has_it(shown: OpenWindow, tmp_path: Path) -> None:
    easel = Easel(shown).open(shown.studio.inputs.add(str(picture(tmp_path)), "image"))
    easel.drag((128, 128), held=CTRL)
    picked = easel.room.palette.property("colour")
    red, green, blue = scene(side=256).convert("RGB").getpixel((128, 128))
    assert max(abs(picked.red() - red), abs(picked.green() - green), abs(picked.blue() - blue)) <= 1
    shown.key(Qt.Key_X)
    assert easel.room.palette.property("other") == picked
    shown.key(Qt.Key_X)
    easel.drag((20, 20), (60, 20))
    assert easel.canvas.layer.image.pixelColor(40, 20).rgb() == picked.rgb()


@pytest.mark.rule("D70")
def test_the_outline_of_the_brush_is_as_large_as_what_it_paints_at_any_zoom(image_and_mask: tuple[OpenWindow, str, str]) -> None:
    window, _, mask = image_and_mask
    easel = Easel(window).open(mask)
    easel.room.tools.set("size", 50)
    easel.room.tools.set("hardness", 100)
    seen = set()
    for notches in (0, 3, -6):
        easel.wheel(128, 128, notches)
        QTest.mouseMove(window.window, easel.place(128, 128))
        QCoreApplication.processEvents()
        ring = next(item for item in items(easel.view) if item.property("round") is True)
        zoom = easel.view.property("zoom")
        assert abs(ring.property("size") - 50 * zoom) < 0.01
        seen.add(round(zoom, 3))
    assert len(seen) == 3
    easel.drag((128, 128))
    assert 50 <= channel.bounds(easel.canvas.layer.image).width() <= 52


@pytest.mark.rule("D70")
def test_wheel_zooms_at_the_pointer_middle_drag_pans_and_z_fits(image_and_mask: tuple[OpenWindow, str, str]) -> None:
    window, _, mask = image_and_mask
    easel = Easel(window).open(mask)
    fitted = easel.view.property("zoom")
    before = easel.place(200, 60)
    easel.wheel(200, 60, 2)
    after = easel.place(200, 60)
    assert easel.view.property("zoom") > fitted and (before - after).manhattanLength() <= 3
    left = easel.view.property("left")
    easel.drag((100, 100), (130, 100), button=MIDDLE)
    assert easel.view.property("left") > left and not any(easel.pixels())
    for _ in range(40):
        easel.wheel(128, 128, 1)
    assert easel.view.property("zoom") == 10.0
    window.key(Qt.Key_Z)
    assert easel.view.property("zoom") == fitted
    window.key(Qt.Key_Z)
    assert easel.view.property("zoom") == 1.0


@pytest.mark.rule("D66")
def test_a_pen_paints_as_hard_as_it_is_pressed(image_and_mask: tuple[OpenWindow, str, str]) -> None:
    window, _, mask = image_and_mask
    easel = Easel(window).open(mask)
    easel.room.tools.set("size", 80)

    def pen(kind: int, pressure: float) -> None:
        place = QPointF(easel.place(128, 128))
        buttons = Qt.NoButton if kind == QEvent.TabletRelease else LEFT
        event = QTabletEvent(kind, place, place, QTabletEvent.Stylus, QTabletEvent.Pen, pressure, 0, 0, 0, 0, 0, PLAIN, 1, LEFT, buttons)
        QCoreApplication.sendEvent(window.window, event)

    pen(QEvent.TabletPress, 0.25)
    QTest.mousePress(window.window, LEFT, PLAIN, easel.place(128, 128))
    QTest.mouseRelease(window.window, LEFT, PLAIN, easel.place(128, 128))
    pen(QEvent.TabletRelease, 0)
    light = channel.bounds(easel.canvas.layer.image).width()
    easel.drag((128, 128))
    assert light < 0.5 * channel.bounds(easel.canvas.layer.image).width()


@pytest.mark.rule("D67")
def test_dragging_an_edge_extends_the_canvas_and_the_job_paints_what_was_added(shown: OpenWindow, tmp_path: Path) -> None:
    image = shown.studio.inputs.add(str(picture(tmp_path)), "image")
    easel = Easel(shown).open(image)
    handle = shown.item("Right edge")
    start = handle.mapToScene(QPointF(handle.width() / 2, handle.height() / 2)).toPoint()
    zoom = easel.view.property("zoom")
    QTest.mousePress(shown.window, LEFT, PLAIN, start)
    for share in (0.3, 0.7, 1.0):
        QTest.mouseMove(shown.window, start + QPoint(round(64 * zoom * share), 0))
        QCoreApplication.processEvents()
    QTest.mouseRelease(shown.window, LEFT, PLAIN, start + QPoint(round(64 * zoom), 0))
    until(lambda: easel.canvas.width > 256, "the extension")
    assert (easel.canvas.width, easel.canvas.height) == (320, 256)

    shown.key(Qt.Key_Z, CTRL)
    assert easel.canvas.width == 256
    shown.key(Qt.Key_Y, CTRL)
    assert easel.canvas.width == 320
    shown.key(Qt.Key_Escape)
    strip = shown.studio.inputs
    until(lambda: any(card.role == "mask" for card in strip.cards), "the mask of what was added")
    assert strip.find(image).painted and stored(strip.find(image).painted).size == (320, 256)
    mask = stored(next(card for card in strip.cards if card.role == "mask").file).convert("L")
    assert mask.size == (320, 256) and (mask.getpixel((100, 100)), mask.getpixel((300, 100))) == (0, 255)


@pytest.mark.rule("D68")
def test_undo_works_after_the_card_was_closed_and_opened_again(image_and_mask: tuple[OpenWindow, str, str]) -> None:
    window, _, mask = image_and_mask
    easel = Easel(window).open(mask)
    easel.drag((50, 50), (150, 50))
    first = easel.pixels()
    easel.drag((50, 150), (150, 150))
    window.key(Qt.Key_Escape)
    until(lambda: not easel.room.property("isOpen"))
    easel.open(mask)
    window.key(Qt.Key_Z, CTRL)
    assert easel.pixels() == first


@pytest.mark.rule("D69")
def test_layers_survive_a_restart(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    card = window.studio.inputs.add(str(picture(tmp_path)), "image")
    easel = Easel(window).open(card)
    easel.drag((50, 50), (150, 50))
    easel.room.addLayer()
    easel.drag((50, 150), (150, 150))
    second = easel.pixels()
    window.close()

    again = open_window()
    easel = Easel(again).open(card)
    assert len(easel.canvas.layers) == 2 and easel.painted(100, 150) == 255
    assert len(easel.pixels()) == len(second)


@pytest.mark.rule("D64")
def test_regions_have_layers_of_their_own_and_arrive_as_areas(shown: OpenWindow, tmp_path: Path) -> None:
    inputs = shown.studio.inputs
    inputs.add(str(picture(tmp_path)), "image")
    card = inputs.addEmpty("regions")
    easel = Easel(shown).open(card)
    easel.drag((40, 60), (110, 60))
    shown.click(shown.item("Put an empty layer above this one  (Ctrl+Shift+N)"))
    assert len(easel.canvas.layers) == 2
    easel.drag((40, 180), (200, 180))
    shown.key(Qt.Key_Escape)
    until(lambda: len([mask for mask in inputs.find(card).masks if mask]) == 2, "two masks")
    first, second = (stored(mask).convert("L") for mask in inputs.find(card).masks)
    assert (first.getpixel((80, 60)), first.getpixel((80, 180)), second.getpixel((80, 180))) == (255, 0, 255)


@pytest.mark.rule("D69")
def test_saving_a_copy_writes_a_new_picture(shown: OpenWindow, tmp_path: Path) -> None:
    path = picture(tmp_path)
    before = path.read_bytes()
    easel = Easel(shown).open(shown.studio.inputs.add(str(path), "image"))
    easel.drag((50, 50), (150, 50))
    shown.key(Qt.Key_S, CTRL)
    until(lambda: easel.room.property("told"), "the copy")
    copies = list((tmp_path / "data" / "outputs").rglob("*.png"))
    assert len(copies) == 1 and stored(copies[0]).size == (256, 256) and path.read_bytes() == before


@pytest.mark.rule("D185")
def test_everything_on_the_canvas_that_takes_the_focus_has_a_name(shown: OpenWindow, tmp_path: Path) -> None:
    easel = Easel(shown).open(shown.studio.inputs.add(str(picture(tmp_path)), "image"))
    editor = next(item for item in items(shown.window.contentItem()) if str(accessible(item, "name")).startswith("Canvas:"))
    nameless = [item.metaObject().className() for item in items(editor) if item.activeFocusOnTab() and not accessible(item, "name")]
    assert not nameless and easel.view.isVisible()
