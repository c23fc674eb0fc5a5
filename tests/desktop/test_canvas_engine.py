"""The canvas without a window: what strokes, fills, shapes and layers leave, and that all of it can be undone to the bit."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PyQt5.QtCore import QRect, QSize, Qt
from PyQt5.QtGui import QColor, QImage, QPainterPath

from sfumato.desktop.canvas import channel, flood, operations, storing
from sfumato.desktop.canvas.brush import Brush
from sfumato.desktop.canvas.document import Canvas
from sfumato.desktop.canvas.flattening import flattened
from sfumato.desktop.canvas.history import History, Step
from sfumato.desktop.canvas.layers import COLOUR_FORMAT, ERASE, MASK, PAINT, REGION
from sfumato.desktop.canvas.stroke import Stroke

RED = QColor("#ff0000")
KINDS = (MASK, PAINT, REGION)


def picture(width: int = 300, height: int = 200) -> QImage:
    image = QImage(width, height, COLOUR_FORMAT)
    image.fill(QColor("#4080c0"))
    return image


def canvas(kind: str = MASK, width: int = 300, height: int = 200) -> Canvas:
    return Canvas(kind, QSize(width, height), picture(width, height))


def stroke(on: Canvas, *points: tuple[float, float], brush: Brush | None = None, erases: bool = False, pressure: float = 1.0) -> None:
    drawn = Stroke(on, brush or Brush(40, 1.0, 0.1), RED, erases)
    for x, y in points:
        drawn.to(x, y, pressure)
    drawn.finish("Brush stroke")


def at(on: Canvas, x: int, y: int, layer: int = 0) -> int:
    """How much is painted at a point, 0..255."""
    image = on.layers[layer].image
    return image.pixelColor(x, y).alpha() if image is not None else 0


def everything(on: Canvas) -> list[object]:
    """All that can be seen of a canvas, to the bit."""

    def pixels(image: QImage | None) -> bytes:
        return image.constBits().asstring(image.sizeInBytes()) if image is not None and not channel.bounds(image).isEmpty() else b""

    rows = [(layer.id, layer.name, layer.visible, layer.opacity, layer.mode, layer.number, pixels(layer.image)) for layer in on.layers]
    return [on.width, on.height, on.origin.x(), on.origin.y(), on.active, on.selecting, pixels(on.selection.image) if on.selecting else b"", *rows]


def run(operation: operations.Operation | None) -> None:
    assert operation is not None
    operation()()


def rectangle(x: int, y: int, width: int, height: int) -> QPainterPath:
    path = QPainterPath()
    path.addRect(x, y, width, height)
    return path


def select(on: Canvas, x: int, y: int, width: int, height: int, how: str = "replace") -> None:
    operations.select(on, lambda drawn: drawn.shape(rectangle(x, y, width, height)), how, "Rectangle")


CHANGES: dict[str, Callable[[Canvas], object]] = {
    "stroke": lambda on: stroke(on, (20, 20), (280, 180)),
    "soft stroke": lambda on: stroke(on, (20, 180), (280, 20), brush=Brush(90, 0.2, 0.05, 0.4)),
    "eraser": lambda on: stroke(on, (150, 0), (150, 200), erases=True),
    "fill": lambda on: run(operations.fill(on, 5, 195, 10, RED, 1.0, False, False, "Fill")),
    "rectangle": lambda on: (drawn := Stroke(on, Brush(), RED), drawn.shape(rectangle(30, 30, 50, 60)), drawn.finish("Rectangle")),
    "select": lambda on: select(on, 40, 40, 100, 100),
    "select more": lambda on: select(on, 140, 20, 60, 60, "add"),
    "select less": lambda on: select(on, 60, 60, 20, 20, "subtract"),
    "feather": lambda on: run(operations.feather(on, 6, "Feather")),
    "grow": lambda on: run(operations.grow(on, 9, "Grow")),
    "shrink": lambda on: run(operations.grow(on, -4, "Shrink")),
    "invert": lambda on: run(operations.invert(on, "Invert")),
    "stroke within": lambda on: stroke(on, (0, 100), (300, 100)),
    "move": lambda on: (moved := operations.Move(on), moved.to(31, -17), moved.finish("Move")),
    "clear selected": lambda on: run(operations.clear(on, "Clear")),
    "none": lambda on: operations.select_none(on, "None"),
    "all": lambda on: operations.select_all(on, "All"),
    "extend": lambda on: on.extend("Extend", 64, 0, 0, 8),
    "stroke outside": lambda on: stroke(on, (0, 0), (60, 200)),
    "clear": lambda on: run(operations.clear(on, "Clear")),
}
OF_LAYERS: dict[str, Callable[[Canvas], object]] = {
    "add": lambda on: on.add_layer("Add"),
    "paint on it": lambda on: stroke(on, (50, 50), (90, 90)),
    "hide": lambda on: on.describe_layer("Hide", on.layers[0].id, visible=False),
    "opacity": lambda on: on.describe_layer("Opacity", on.active, opacity=0.4),
    "mode": lambda on: on.describe_layer("Mode", on.active, mode=ERASE),
    "down": lambda on: on.move_layer("Move", on.active, -1),
    "delete": lambda on: on.remove_layer("Delete", on.layers[0].id),
}


@pytest.mark.rule("R140", "D68")
@pytest.mark.parametrize("kind", KINDS)
def test_every_change_is_undone_and_redone_to_the_bit(kind: str) -> None:
    on = canvas(kind)
    changes = dict(CHANGES) if kind == MASK else CHANGES | OF_LAYERS
    states = [everything(on)]
    for name, change in changes.items():
        if kind == PAINT and name in ("feather", "grow", "shrink", "invert") and not on.selecting:
            continue
        before = len(on.history)
        change(on)
        if len(on.history) == before:
            assert everything(on) == states[-1], name
            continue
        states.append(everything(on))
    assert len(states) > 15
    for expected in reversed(states[:-1]):
        assert on.undo().isValid()
        assert everything(on) == expected
    assert on.undo().isEmpty()
    for expected in states[1:]:
        on.redo()
        assert everything(on) == expected
    assert on.redo().isEmpty()


@pytest.mark.rule("D68")
def test_a_new_stroke_drops_what_was_undone() -> None:
    on = canvas()
    stroke(on, (50, 50))
    stroke(on, (200, 100))
    on.undo()
    assert on.history.redo_words == "Brush stroke"
    stroke(on, (100, 150))
    assert on.history.redo_words == "" and on.redo().isEmpty()
    assert (at(on, 50, 50), at(on, 200, 100), at(on, 100, 150)) == (255, 0, 255)


@pytest.mark.rule("D68")
def test_a_hundred_and_fifty_strokes_are_all_undone() -> None:
    on = canvas(PAINT)
    states = []
    for number in range(150):
        states.append(everything(on))
        stroke(on, (10 + number, 10), (290 - number, 190), brush=Brush(9, 0.7, 0.1, 0.6))
    for expected in reversed(states):
        on.undo()
        assert everything(on) == expected
    assert on.history.size_bytes < 256 * 2**20


@pytest.mark.rule("D68")
def test_the_oldest_steps_go_where_memory_ends_and_the_last_one_stays() -> None:
    class Heavy:
        size_bytes = 100

        def exchange(self, on: Canvas) -> QRect:
            return on.rect

        def pack(self) -> None:
            pass

    history = History(limit_bytes=1000)
    for number in range(50):
        history.push(Step(str(number), [Heavy()]))
    assert len(history) == 10 and history.size_bytes <= 1000 and history.undo_words == "49"
    Heavy.size_bytes = 5000
    history.push(Step("huge", [Heavy()]))
    assert len(history) == 1 and history.undo_words == "huge"


@pytest.mark.rule("D66")
def test_a_hard_brush_is_as_wide_as_its_size_and_a_soft_one_fades() -> None:
    hard, soft = canvas(), canvas()
    stroke(hard, (100, 100), brush=Brush(60, 1.0))
    stroke(soft, (100, 100), brush=Brush(60, 0.3))
    box = channel.bounds(hard.layer.image)
    assert 60 <= box.width() <= 62 and 60 <= box.height() <= 62
    assert at(hard, 127, 100) == 255 and at(hard, 133, 100) == 0
    assert at(soft, 100, 100) == 255 and at(soft, 105, 100) == 255
    fading = [at(soft, 100 + distance, 100) for distance in range(10, 30, 4)]
    assert fading == sorted(fading, reverse=True) and fading[0] > fading[-1]


@pytest.mark.rule("D66")
def test_a_stroke_of_half_opacity_does_not_add_to_itself() -> None:
    on = canvas()
    stroke(on, (50, 50), (150, 50), (50, 50), (150, 50), brush=Brush(40, 1.0, 0.05, 0.5))
    assert {at(on, x, 50) for x in range(50, 150, 10)} <= {127, 128}
    stroke(on, (50, 50), (150, 50), brush=Brush(40, 1.0, 0.05, 0.5))
    assert at(on, 100, 50) in (191, 192)


@pytest.mark.rule("D66")
def test_pressure_makes_the_brush_smaller() -> None:
    light, firm = canvas(), canvas()
    stroke(light, (100, 100), brush=Brush(80, 1.0), pressure=0.25)
    stroke(firm, (100, 100), brush=Brush(80, 1.0), pressure=1.0)
    assert channel.bounds(light.layer.image).width() < 0.5 * channel.bounds(firm.layer.image).width()


@pytest.mark.rule("D66")
@pytest.mark.parametrize("size", [1, 2, 7, 40, 500])
@pytest.mark.parametrize("spacing", [0.01, 0.5])
def test_a_stroke_has_no_gaps_at_any_size(size: int, spacing: float) -> None:
    on = canvas(width=600, height=600)
    stroke(on, (20, 300), (580, 300), brush=Brush(size, 1.0, spacing))
    assert min(max(at(on, x, 300), at(on, x, 299)) for x in range(30, 570)) > 60


@pytest.mark.rule("D67")
def test_fill_stays_within_an_outline_and_takes_what_is_alike() -> None:
    on = canvas()
    stroke(on, (50, 50), (200, 50), (200, 150), (50, 150), (50, 50), brush=Brush(8, 1.0))
    run(operations.fill(on, 100, 100, 0, RED, 1.0, False, False, "Fill"))
    assert at(on, 100, 100) == 255 and at(on, 20, 20) == 0 and at(on, 250, 100) == 0

    by_picture = canvas()
    for x in range(100):
        for y in range(200):
            by_picture.picture.setPixelColor(x, y, QColor(64, 128, 192 - 20))  # type: ignore[union-attr]  there is one
    run(operations.fill(by_picture, 10, 10, 5, RED, 1.0, False, True, "Fill"))
    assert at(by_picture, 50, 100) == 255 and at(by_picture, 150, 100) == 0
    run(operations.fill(by_picture, 10, 10, 30, RED, 1.0, False, True, "Fill"))
    assert at(by_picture, 150, 100) == 255


def test_a_fill_reaches_the_same_as_a_walk_over_neighbours() -> None:
    import random

    chance = random.Random(7)
    image = Image.new("L", (40, 30))
    image.putdata([chance.choice((0, 0, 0, 255)) for _ in range(1200)])
    image.putpixel((20, 15), 0)
    found, _ = flood.reached(image, 20, 15, 0)
    seen, waiting = {(20, 15)}, [(20, 15)]
    while waiting:
        x, y = waiting.pop()
        for there in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if 0 <= there[0] < 40 and 0 <= there[1] < 30 and there not in seen and image.getpixel(there) == 0:
                seen.add(there)
                waiting.append(there)
    assert {(x, y) for x in range(40) for y in range(30) if found.getpixel((x, y))} == seen


@pytest.mark.rule("D67")
@pytest.mark.parametrize("distance", [1, 2, 3, 8, 20, 64])
def test_grow_widens_by_the_distance_and_shrink_takes_it_back(distance: int) -> None:
    image = Image.new("L", (400, 400))
    image.paste(255, (150, 150, 250, 250))
    wide = channel.grown(image, distance)
    assert wide.getbbox() == (150 - distance, 150 - distance, 250 + distance, 250 + distance)
    assert wide.crop((150 - distance, 150, 250 + distance, 250)).getextrema() == (255, 255), "no holes"
    assert channel.grown(wide, -distance).crop((150, 150, 250, 250)).getextrema() == (255, 255)
    narrow = channel.grown(image, -min(distance, 40))
    assert narrow.getbbox() == (150 + min(distance, 40), 150 + min(distance, 40), 250 - min(distance, 40), 250 - min(distance, 40))


@pytest.mark.rule("D67")
def test_paint_stays_within_the_selection_and_clear_empties_it_alone() -> None:
    on = canvas()
    stroke(on, (150, 100), brush=Brush(150, 1.0))
    select(on, 150, 0, 150, 200)
    stroke(on, (150, 20), (290, 20), brush=Brush(20, 1.0))
    assert at(on, 140, 20) == 0 and at(on, 160, 20) == 255
    run(operations.clear(on, "Clear"))
    assert at(on, 140, 100) == 255 and at(on, 160, 100) == 0 and at(on, 160, 20) == 0


@pytest.mark.rule("D67")
def test_move_carries_what_is_selected() -> None:
    on = canvas()
    stroke(on, (50, 50), brush=Brush(20, 1.0))
    stroke(on, (250, 150), brush=Brush(20, 1.0))
    select(on, 30, 30, 40, 40)
    moved = operations.Move(on)
    for step in range(1, 101):
        moved.to(step, step // 2)
    moved.finish("Move")
    assert (at(on, 50, 50), at(on, 150, 100), at(on, 250, 150)) == (0, 255, 255)
    assert on.selection.image.pixelColor(150, 100).alpha() == 255  # type: ignore[union-attr]  there is one


@pytest.mark.rule("D64")
def test_painting_one_region_takes_the_others_away() -> None:
    on = canvas(REGION)
    stroke(on, (100, 100), brush=Brush(80, 1.0))
    on.add_layer("Add")
    stroke(on, (130, 100), brush=Brush(80, 1.0))
    assert (at(on, 130, 100, 0), at(on, 130, 100, 1), at(on, 70, 100, 0)) == (0, 255, 255)
    on.undo()
    assert (at(on, 130, 100, 0), at(on, 130, 100, 1)) == (255, 0)
    for _ in range(8):
        on.add_layer("Add")
    colours = {layer.colour for layer in on.layers}
    assert len(colours) == 10 and [layer.number for layer in on.layers] == list(range(1, 11))


@pytest.mark.rule("D67")
def test_sixteen_layers_are_laid_over_each_other_by_order_opacity_and_mode() -> None:
    on = canvas(PAINT)
    for _ in range(15):
        on.add_layer("Add")
    assert len(on.layers) == 16
    colours = [QColor.fromHsv(number * 20, 255, 255) for number in range(16)]
    for layer, colour in zip(on.layers, colours):
        on.select(layer.id)
        drawn = Stroke(on, Brush(), colour)
        drawn.shape(rectangle(20, 20, 100, 100))
        drawn.finish("Rectangle")

    def seen() -> tuple[int, int, int]:
        return Image.open(io.BytesIO(flattened(on).picture)).convert("RGB").getpixel((50, 50))  # type: ignore[return-value]  of RGB

    assert seen() == colours[15].getRgb()[:3]
    on.describe_layer("Hide", on.layers[15].id, visible=False)
    assert seen() == colours[14].getRgb()[:3]
    on.describe_layer("Opacity", on.layers[14].id, opacity=0.5)
    mixed = tuple((one + other) // 2 for one, other in zip(colours[14].getRgb()[:3], colours[13].getRgb()[:3]))
    assert all(abs(one - other) <= 1 for one, other in zip(seen(), mixed))
    on.describe_layer("Mode", on.layers[14].id, opacity=1.0, mode=ERASE)
    flat = flattened(on)
    assert Image.open(io.BytesIO(flat.mask)).getpixel((50, 50)) == 255, "what was erased down to nothing is to be made anew"


@pytest.mark.rule("D67")
def test_extending_adds_multiples_of_eight_and_says_what_is_to_be_made() -> None:
    on = canvas(PAINT, 304, 200)
    assert on.extend("Extend", 13, 0, 130, 4) == (16, 0, 128, 0)
    assert (on.width, on.height, on.picture_rect) == (448, 200, QRect(16, 0, 304, 200))
    flat = flattened(on)
    mask, flat_picture = Image.open(io.BytesIO(flat.mask)), Image.open(io.BytesIO(flat.picture))
    assert flat_picture.size == mask.size == (448, 200) and flat_picture.mode == "RGB"
    assert [mask.getpixel((x, 100)) for x in (0, 15, 16, 319, 320, 447)] == [255, 255, 0, 0, 255, 255]
    assert on.extend("Extend", -100, 0, 0, 0) == (-16, 0, 0, 0), "the picture itself is never cut"
    assert on.extend("Extend", 10**6, 0, 0, 0)[0] % 8 == 0 and on.width <= 16384


@pytest.mark.rule("D68")
def test_what_extending_back_cuts_off_comes_back_with_undo() -> None:
    on = canvas(PAINT, 304, 200)
    on.extend("Extend", 64, 0, 0, 0)
    stroke(on, (10, 100), (60, 100))
    before = everything(on)
    on.extend("Extend", -64, 0, 0, 0)
    assert on.width == 304
    after = everything(on)
    on.undo()
    assert everything(on) == before
    on.redo()
    assert everything(on) == after


@pytest.mark.rule("D69")
@pytest.mark.parametrize("kind", KINDS)
def test_layers_survive_in_their_folder_and_only_what_changed_is_written(kind: str, tmp_path: Path) -> None:
    on = canvas(kind)
    stroke(on, (50, 50), (200, 150), brush=Brush(40, 0.5))
    if kind != MASK:
        on.add_layer("Add")
        stroke(on, (200, 50), (250, 150))
        on.describe_layer("Opacity", on.active, opacity=0.5, name="Sky")
    if kind == PAINT:
        on.extend("Extend", 0, 16, 0, 0)
    written = storing.write(tmp_path, on.still(), {})
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("layer-*.png")}
    assert len(times) == (1 if kind == MASK else 2)
    stroke(on, (100, 100))
    storing.write(tmp_path, on.still(), written)
    assert sum(times[path.name] != path.stat().st_mtime_ns for path in tmp_path.glob("layer-*.png")) == (2 if kind == REGION else 1)

    again = canvas(kind)
    storing.read(tmp_path, again)
    assert everything(again)[:5] == everything(on)[:5]
    if kind == PAINT:
        assert flattened(again) == flattened(on)
    else:
        assert everything(again) == everything(on)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 1}', '{"kind": "mask", "width": 1e99, "height": 5, "origin": [0, 0], "layers": []}'])
def test_a_damaged_folder_gives_a_fresh_canvas(damage: str, tmp_path: Path) -> None:
    (tmp_path / storing.FILE).write_text(damage)
    on = canvas()
    assert storing.read(tmp_path, on) == {}
    assert len(on.layers) == 1 and on.layers[0].image is None


def test_a_stroke_that_is_left_off_leaves_nothing() -> None:
    on = canvas(PAINT)
    stroke(on, (50, 50))
    before = everything(on)
    drawn = Stroke(on, Brush(60), RED)
    drawn.to(60, 60)
    drawn.to(200, 100)
    drawn.abandon()
    assert everything(on) == before and len(on.history) == 1
    assert on.coverage().copy(QRect(0, 0, 300, 200)) == _black()


def _black() -> QImage:
    image = QImage(300, 200, QImage.Format.Format_Grayscale8)
    image.fill(Qt.GlobalColor.black)
    return image
