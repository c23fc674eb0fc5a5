"""The other pages, the canvas, and what opens over any page."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QMimeData, QPoint, QPointF, Qt
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtTest import QTest

from screenshots.content import INFOTEXT, fill_history, fill_inputs, fill_models, fill_prompts
from screenshots.generating import several_made, steered
from screenshots.view import data_of, until, view, wait
from tests.support.window import OpenWindow


def _drag(window: OpenWindow, *points: tuple[float, float]) -> None:
    """Paint along pixels of the canvas."""
    shown = window.item(window.studio.canvas.property("title"), "CanvasView")

    def place(x: float, y: float) -> QPoint:
        return shown.mapToScene(QPointF(shown.property("left") + x * shown.property("zoom"), shown.property("top") + y * shown.property("zoom"))).toPoint()

    QTest.mousePress(window.window, Qt.LeftButton, Qt.NoModifier, place(*points[0]))
    for point in points[1:]:
        QTest.mouseMove(window.window, place(*point))
        wait(15)
    QTest.mouseRelease(window.window, Qt.LeftButton, Qt.NoModifier, place(*points[-1]))
    wait(60)


def _open_canvas(window: OpenWindow, card: str) -> None:
    window.studio.canvas.open(card)
    until(lambda: window.studio.canvas.property("isReady"), "the canvas")
    wait(400)


@view("dark")
def canvas_mask(window: OpenWindow) -> None:
    window.studio.inputs.add(fill_inputs(data_of(window))["kite"], "image")
    mask = window.studio.inputs.addEmpty("mask")
    wait(500)
    _open_canvas(window, mask)
    for line in range(5):
        _drag(window, (190, 200 + line * 26), (260, 190 + line * 26), (330, 205 + line * 26))
    wait(300)


@view("dark")
def canvas_layers(window: OpenWindow) -> None:
    card = window.studio.inputs.add(fill_inputs(data_of(window))["kite"], "image")
    wait(500)
    _open_canvas(window, card)
    window.studio.canvas.addLayer()
    wait(200)
    _drag(window, (90, 380), (200, 330), (320, 390), (430, 340))
    wait(300)


@view("dark", painter=steered)
def pose(window: OpenWindow) -> None:
    window.studio.parameters.apply({"width": 512, "height": 512}, "Size")
    window.studio.pose.open(window.studio.inputs.addEmpty("control", "pose"))
    until(lambda: window.studio.pose.property("isReady"), "the pose")
    wait(500)


def _models(data: Path) -> None:
    fill_models(data)
    fill_prompts(data)


def _visit_models(window: OpenWindow, category: str = "loras") -> None:
    window.studio.act("tab_models")
    models = window.studio.models
    models.showCategory(category)
    until(lambda: not models.property("busy"), "the list")
    wait(900)


@view("dark", "light", prepare=_models, painter=steered)
def models(window: OpenWindow) -> None:
    _visit_models(window)
    window.click(window.item("ink-lines", "ModelCard"))
    wait(600)


@view(prepare=_models, painter=steered)
def models_list(window: OpenWindow) -> None:
    _visit_models(window)
    QTest.keyClick(window.window, Qt.Key_Shift)
    wait(600)


@view("dark", prepare=_models, painter=steered)
def models_inspector(window: OpenWindow) -> None:
    models(window)
    window.studio.models.inspect()
    wait(600)


@view()
def models_empty(window: OpenWindow) -> None:
    _visit_models(window, "checkpoints")
    window.studio.models.showCategory("upscalers")
    wait(500)


def _visit_history(window: OpenWindow) -> None:
    window.studio.act("tab_history")
    history = window.studio.history
    until(lambda: history.index is not None and not history.property("working") and not history.property("busy"), "the index")
    wait(1500)


@view("dark", prepare=fill_history)
def history(window: OpenWindow) -> None:
    _visit_history(window)
    window.key(Qt.Key_Right)
    window.key(Qt.Key_Right)
    window.type("4")
    wait(600)


@view("dark", prepare=fill_history)
def history_search(window: OpenWindow) -> None:
    _visit_history(window)
    window.key(Qt.Key_F, Qt.ControlModifier)
    wait(100)
    window.type("steps>20 star")
    wait(900)


@view(prepare=fill_history)
def history_nothing(window: OpenWindow) -> None:
    _visit_history(window)
    window.key(Qt.Key_F, Qt.ControlModifier)
    wait(100)
    window.type("giraffe")
    wait(900)


@view("dark", prepare=fill_history)
def history_compare(window: OpenWindow) -> None:
    _visit_history(window)
    window.key(Qt.Key_Right)
    window.key(Qt.Key_Right, Qt.ShiftModifier)
    window.type("c")
    wait(900)


@view(prepare=fill_history)
def history_full(window: OpenWindow) -> None:
    _visit_history(window)
    window.key(Qt.Key_Right)
    window.key(Qt.Key_Return)
    wait(900)


@view()
def history_empty(window: OpenWindow) -> None:
    window.studio.act("tab_history")
    wait(800)


def _settings(section: str, *shown: str) -> None:
    def act(window: OpenWindow) -> None:
        window.studio.show("settings")
        wait(200)
        window.studio.settings.sectionAsked.emit(section)
        wait(400)

    act.__name__ = f"settings_{section}"
    view(*shown)(act)


_THEMES = {"appearance": ("dark",), "keyboard": ("dark",)}
for _section in ("program", "files", "appearance", "prompt", "queue", "keyboard", "data"):
    _settings(_section, *_THEMES.get(_section, ()))


@view("dark", painter=steered)
def import_dialog(window: OpenWindow) -> None:
    several_made(window, 2)
    mime = QMimeData()
    mime.setText(INFOTEXT)
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    clipboard.setMimeData(mime)
    window.key(Qt.Key_V, Qt.ControlModifier | Qt.ShiftModifier)
    until(lambda: window.studio.importer.property("state") == "choosing", "the dialog")
    wait(400)


@view("dark")
def find(window: OpenWindow) -> None:
    several_made(window, 2)
    window.studio.act("find")
    wait(200)
    window.type("seed")
    wait(400)


@view("dark")
def shortcuts(window: OpenWindow) -> None:
    window.studio.act("shortcuts")
    wait(400)


@view("dark")
def guide(window: OpenWindow) -> None:
    window.studio.act("guide")
    until(lambda: window.studio.guide.property("rows"), "the guide")
    wait(900)


@view()
def about(window: OpenWindow) -> None:
    window.studio.act("about")
    wait(400)


@view()
def menu_file(window: OpenWindow) -> None:
    window.click(window.item("File"))
    wait(300)


@view()
def menu_view(window: OpenWindow) -> None:
    several_made(window, 2)
    window.click(window.item("View"))
    wait(300)


@view()
def choice(window: OpenWindow) -> None:
    several_made(window, 2)
    window.click(window.item("Model", "Choice"))
    wait(300)
