"""Posing people in the real window, by real drags and keys, and the map that then arrives in the job."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PyQt5.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PyQt5.QtGui import QKeyEvent, QWheelEvent
from PyQt5.QtQuick import QQuickItem
from PyQt5.QtTest import QTest

from sfumato.desktop.inputs.cards import Card
from sfumato.imaging.pose.drawing import draw_people
from sfumato.imaging.pose.keypoints import Pose, read_pose, write_pose
from sfumato.imaging.pose.skeleton import Joint, Person
from sfumato.protocol.messages import Artifact, Finished
from tests.desktop.conftest import Open
from tests.support.painting import CHOICES, Painter, encoded, scene
from tests.support.window import OpenWindow, until

CTRL, SHIFT, ALT, PLAIN = Qt.ControlModifier, Qt.ShiftModifier, Qt.AltModifier, Qt.NoModifier
CONTROLS: dict[str, Any] = {
    **CHOICES,
    "preprocessors": [
        {"value": "none", "label": "None", "description": "As it is.", "settings": [], "fields": [], "kind": "", "reads": "picture", "files": []},
        {
            "value": "openpose",
            "label": "Pose",
            "description": "People.",
            "settings": [],
            "fields": ["body"],
            "kind": "openpose",
            "reads": "picture",
            "files": [],
        },
    ],
    "control_models": [{"value": "sd15_openpose", "label": "sd15_openpose", "kind": "ControlNet", "family": "SD1", "state": "ready", "maps": 0}],
}
ELBOW, WRIST, SHOULDER = 3, 4, 2


class Stage:
    """The open pose editor of a window, and a hand over it."""

    def __init__(self, window: OpenWindow, card: str) -> None:
        self.window = window
        self.card = card
        self.desk = window.studio.pose

    @property
    def view(self) -> QQuickItem:
        return self.window.item("Pose", "PoseView")

    @property
    def pose(self) -> Pose:
        assert self.desk.pose is not None
        return self.desk.pose

    @property
    def held(self) -> Card:
        found = self.window.studio.inputs.find(self.card)
        assert found is not None
        return found

    def open(self) -> Stage:
        self.desk.open(self.card)
        until(lambda: self.desk.property("isReady"), "the pose")
        until(lambda: self.view.hasActiveFocus(), "the focus")
        return self

    def joint(self, place: int, person: int = 0) -> Joint:
        found = self.pose.people[person].body[place]
        assert found is not None
        return found

    def place(self, x: float, y: float) -> QPoint:
        view = self.view
        return view.mapToScene(QPointF(view.property("left") + x * view.property("zoom"), view.property("top") + y * view.property("zoom"))).toPoint()

    def drag(self, *points: tuple[float, float], held: int = PLAIN) -> None:
        """Press, over the points, release; QTest sends no modifiers with moves, so these are sent as events."""
        places = [self.place(*point) for point in points]
        QTest.mousePress(self.window.window, Qt.LeftButton, held, places[0])
        for place in places[1:]:
            event = mouse(place, held)
            QCoreApplication.sendEvent(self.window.window, event)
            QCoreApplication.processEvents()
        QTest.mouseRelease(self.window.window, Qt.LeftButton, held, places[-1])
        QCoreApplication.processEvents()

    def double_click(self, x: float, y: float) -> None:
        QTest.mouseClick(self.window.window, Qt.LeftButton, PLAIN, self.place(x, y))
        QTest.mouseDClick(self.window.window, Qt.LeftButton, PLAIN, self.place(x, y))
        QCoreApplication.processEvents()

    def wheel(self, x: float, y: float, notches: int, held: int = PLAIN) -> None:
        place = QPointF(self.place(x, y))
        QCoreApplication.sendEvent(
            self.window.window, QWheelEvent(place, place, QPoint(), QPoint(0, 120 * notches), Qt.NoButton, held, Qt.NoScrollPhase, False)
        )
        QCoreApplication.processEvents()

    def alt(self) -> None:
        for kind, held in ((QEvent.KeyPress, ALT), (QEvent.KeyRelease, PLAIN)):
            QCoreApplication.sendEvent(self.window.window, QKeyEvent(kind, Qt.Key_Alt, held))
        QCoreApplication.processEvents()


def mouse(place: QPoint, held: int) -> Any:
    from PyQt5.QtGui import QMouseEvent

    return QMouseEvent(QEvent.MouseMove, QPointF(place), Qt.NoButton, Qt.LeftButton, Qt.KeyboardModifiers(held))


@pytest.fixture
def stage(open_window: Open) -> Stage:
    """A pose card without a picture, open: one person stands on a map of 512 x 512."""
    window = open_window(painter=Painter(CONTROLS))
    window.studio.parameters.apply({"width": 512, "height": 512}, "size")
    return Stage(window, window.studio.inputs.addEmpty("control", "pose")).open()


def near(one: Joint, x: float, y: float, within: float = 2.0) -> bool:
    return math.dist(one, (x, y)) <= within


def sent_map(window: OpenWindow) -> Image.Image:
    submit = window.painter.submits[-1]
    return Image.open(io.BytesIO(submit.blobs[str(submit.params["control"][0]["image"])])).convert("RGB")


@pytest.mark.rule("D71", "D72", "D61")
def test_a_pose_is_dragged_and_its_drawn_map_is_sent_as_it_is(stage: Stage) -> None:
    window = stage.window
    assert len(stage.pose.people) == 1 and stage.pose.people[0].body.count(None) == 0
    before = stage.pose
    wrist = stage.joint(WRIST)
    stage.drag(wrist, (100, 200), (80, 120))
    assert near(stage.joint(WRIST), 80, 120)
    assert stage.joint(ELBOW) == before.people[0].body[ELBOW]
    after = stage.pose

    # Undo and redo bring back the very numbers.
    window.key(Qt.Key_Z, CTRL)
    assert stage.pose == before
    window.key(Qt.Key_Y, CTRL)
    assert stage.pose == after
    window.key(Qt.Key_Z, CTRL)
    window.key(Qt.Key_Z, CTRL | SHIFT)
    assert stage.pose == after

    # Sent from within the editor, with what was moved a moment ago.
    window.key(Qt.Key_Return, CTRL)
    until(lambda: window.painter.submits, "the request")
    unit = window.painter.submits[-1].params["control"][0]
    assert unit["preprocessor"] == "none" and unit["model"] == "sd15_openpose"
    sent = sent_map(window)
    assert sent.size == (512, 512) and sent.tobytes() == bytes(draw_people(after.people, 512, 512))

    window.key(Qt.Key_Escape)
    until(lambda: not stage.desk.property("isOpen"))
    assert read_pose(stage.held.pose.encode()) == after
    # Opened again it is the same pose.
    assert stage.open().pose == after
