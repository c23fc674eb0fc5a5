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


@pytest.mark.rule("D71")
def test_joints_are_chosen_moved_deleted_and_attached(stage: Stage) -> None:
    window = stage.window
    first, second = stage.joint(ELBOW), stage.joint(WRIST)
    # A band from the empty ground around both, and one more by Ctrl.
    stage.drag((first.x - 40, first.y - 20), (second.x, second.y), (second.x + 25, second.y + 15))
    assert stage.desk.chosen == {(0, ELBOW), (0, WRIST)}
    shoulder = stage.joint(SHOULDER)
    stage.drag(shoulder, held=CTRL)
    assert stage.desk.chosen == {(0, SHOULDER), (0, ELBOW), (0, WRIST)}
    stage.drag(shoulder, held=CTRL)
    stage.drag(first, (first.x - 30, first.y + 10))
    assert near(stage.joint(ELBOW), first.x - 30, first.y + 10) and near(stage.joint(WRIST), second.x - 30, second.y + 10)
    window.key(Qt.Key_Right)
    window.key(Qt.Key_Right)
    assert near(stage.joint(ELBOW), first.x - 28, first.y + 10)
    window.key(Qt.Key_Z, CTRL)
    assert near(stage.joint(ELBOW), first.x - 30, first.y + 10)

    window.key(Qt.Key_Delete)
    assert stage.pose.people[0].body[ELBOW] is stage.pose.people[0].body[WRIST] is None
    window.key(Qt.Key_F, CTRL)
    assert None not in stage.pose.people[0].body and near(stage.joint(ELBOW), *first, within=6)
    window.key(Qt.Key_A, CTRL)
    window.key(Qt.Key_Delete)
    assert stage.pose.people == () and stage.window.item("Nobody is here yet.", "Label")
    window.key(Qt.Key_N, CTRL)
    window.key(Qt.Key_N, CTRL)
    assert len(stage.pose.people) == 2 and stage.desk.chosen == {(1, place) for place in range(18)}
    # The list at the side: a joint of the chosen person is deleted and attached by its box.
    window.click(window.item("Delete Right wrist", "Check"))
    assert stage.pose.people[1].body[WRIST] is None
    window.click(window.item("Attach Right wrist", "Check"))
    assert None not in stage.pose.people[1].body
    before = stage.pose
    ankle = stage.joint(10, 0)
    stage.double_click(ankle.x, ankle.y - 30)
    assert stage.desk.chosen == {(0, place) for place in range(18)}
    window.key(Qt.Key_H)
    assert stage.pose != before and near(stage.joint(ELBOW, 0), *(before.people[0].body[ELBOW] or (0, 0)))
    window.key(Qt.Key_V)
    assert stage.joint(0).y > stage.joint(10).y


@pytest.mark.rule("D71")
def test_the_box_scales_and_turns_and_ctrl_keeps_to_steps(stage: Stage) -> None:
    from sfumato.desktop.pose.gestures import TURN, padded, places
    from sfumato.desktop.pose.view import PAD_PX, TURN_PX
    from sfumato.imaging.pose.editing import bounds, nodes

    window = stage.window
    window.key(Qt.Key_A, CTRL)
    before = stage.pose
    left, top, right, bottom = bounds(before, nodes(before))
    zoom = stage.view.property("zoom")
    handles = places(padded((left, top, right, bottom), PAD_PX / zoom), TURN_PX / zoom)

    corner = handles["bottom-right"]
    stage.drag(corner, (corner.x - 30, corner.y), (corner.x - 60, corner.y))
    box = bounds(stage.pose, nodes(stage.pose))
    assert box[0] == pytest.approx(left) and box[2] == pytest.approx(right - 60, abs=2) and box[3] == pytest.approx(bottom, abs=2)
    window.key(Qt.Key_Z, CTRL)
    stage.drag(corner, (corner.x, corner.y - 30), (corner.x - 70, corner.y - 60), held=CTRL)
    box = bounds(stage.pose, nodes(stage.pose))
    assert (box[2] - box[0]) / (box[3] - box[1]) == pytest.approx((right - left) / (bottom - top))
    assert box[3] < bottom - 40
    window.key(Qt.Key_Z, CTRL)
    assert stage.pose == before

    spot, middle = handles[TURN], ((left + right) / 2, (top + bottom) / 2)
    stage.drag(spot, (middle[0] + 90, middle[1] - 60), (middle[0] + 190, middle[1] + 12), held=CTRL)
    # A quarter, exactly: who stood lies with the head to the right.
    assert stage.joint(0).y == pytest.approx(middle[1] + (before.people[0].body[0] or Joint(0, 0)).x - middle[0], abs=0.01)
    assert stage.joint(0).x > middle[0]


@pytest.mark.rule("D71")
def test_alt_changes_to_bending_and_the_arm_follows(stage: Stage) -> None:
    assert not stage.desk.property("state")["relative"]
    stage.alt()
    assert stage.desk.property("state")["relative"]
    elbow, wrist, shoulder = stage.joint(ELBOW), stage.joint(WRIST), stage.joint(SHOULDER)
    forearm = math.dist(elbow, wrist)
    stage.drag(elbow, (elbow.x - 30, elbow.y - 30), (elbow.x - 50, elbow.y - 60))
    assert near(stage.joint(ELBOW), elbow.x - 50, elbow.y - 60)
    assert math.dist(stage.joint(ELBOW), stage.joint(WRIST)) == pytest.approx(forearm)
    stage.window.key(Qt.Key_Z, CTRL)
    # Ctrl: the angle alone; Shift: the length alone.
    stage.drag(elbow, (elbow.x - 30, elbow.y - 30), (shoulder.x - 120, shoulder.y), held=CTRL)
    assert math.dist(stage.joint(SHOULDER), stage.joint(ELBOW)) == pytest.approx(math.dist(shoulder, elbow))
    assert stage.joint(ELBOW).y == pytest.approx(shoulder.y, abs=2)
    stage.window.key(Qt.Key_Z, CTRL)
    stage.drag(elbow, (elbow.x - 30, elbow.y + 30), (elbow.x - 30, elbow.y + 60), held=SHIFT)
    angles = [math.atan2(end.y - shoulder.y, end.x - shoulder.x) for end in (elbow, stage.joint(ELBOW))]
    assert angles[0] == pytest.approx(angles[1]) and math.dist(shoulder, stage.joint(ELBOW)) > math.dist(shoulder, elbow) + 40
    stage.window.key(Qt.Key_Z, CTRL)
    # The wheel with Ctrl turns what hangs on the joint; three notches are one step of undo.
    for _ in range(3):
        stage.wheel(*elbow, 1, CTRL)
    turn = math.atan2(stage.joint(WRIST).y - elbow.y, stage.joint(WRIST).x - elbow.x) - math.atan2(wrist.y - elbow.y, wrist.x - elbow.x)
    assert math.degrees(turn) == pytest.approx(15) and stage.joint(ELBOW) == elbow
    stage.wheel(*elbow, 1, CTRL | SHIFT)
    stage.window.key(Qt.Key_Z, CTRL)
    assert stage.joint(WRIST) == wrist
    # A drag that is given up leaves no trace, and Esc then closes.
    QTest.mousePress(stage.window.window, Qt.LeftButton, PLAIN, stage.place(*elbow))
    QCoreApplication.sendEvent(stage.window.window, mouse(stage.place(10, 10), PLAIN))
    stage.window.key(Qt.Key_Escape)
    QTest.mouseRelease(stage.window.window, Qt.LeftButton, PLAIN, stage.place(10, 10))
    assert stage.desk.property("isOpen") and stage.joint(ELBOW) == elbow
    stage.alt()
    assert not stage.desk.property("state")["relative"]


@pytest.mark.rule("D71", "D72")
def test_people_of_a_photo_keep_hands_and_face_and_travel_in_a_png(open_window: Open, tmp_path: Path) -> None:
    window = open_window(painter=Painter(CONTROLS))
    photo = tmp_path / "photo.png"
    photo.write_bytes(encoded(scene(side=64)))
    window.studio.parameters.apply({"width": 512, "height": 512}, "size")
    window.studio.inputs.add(str(photo), "image")
    stage = Stage(window, window.studio.inputs.addEmpty("control", "pose")).open()
    assert stage.pose.people == ()
    standing = Person(tuple(Joint(20.0 + 20 * place, 30.0 + 20 * place) for place in range(18)))
    found = Pose(
        (Person(standing.body, left_hand=tuple(Joint(150.0 + place, 170) for place in range(21)), face=tuple(Joint(20.0 + place, 20) for place in range(70))),),
        512,
        512,
    )
    window.click(window.item("Find people in the picture", "Button"))
    until(lambda: window.painter.submits, "the request")
    submit = window.painter.submits[-1]
    assert submit.kind == "annotate" and submit.params["preprocessor"] == "openpose"
    window.painter.say(
        Artifact(job=submit.job, seq=8, name="map", media_type="image/png", data=encoded(Image.new("RGB", (512, 512))), info={"pose": write_pose(found)})
    )
    window.painter.say(Finished(job=submit.job, seq=9, result={}))
    until(lambda: len(stage.pose.people) == 1, "the people")
    assert stage.pose == found
    # Looked for again the same map is not computed twice; a failure is told.
    window.key(Qt.Key_P)
    until(lambda: "the people of the picture" in stage.desk.property("state")["told"], "the words")
    assert len(window.painter.submits) == 1 and stage.pose == found
    wrist = stage.joint(7)
    stage.drag(wrist, (wrist.x + 5, wrist.y), (wrist.x + 9, wrist.y))
    window.key(Qt.Key_P)
    until(lambda: len(window.painter.submits) == 2, "the request")
    window.painter.fail("not_found", "The network is not there.")
    until(lambda: "No pose came back" in stage.desk.property("state")["told"], "the words")
    window.key(Qt.Key_Z, CTRL)
    assert stage.pose == found

    # The left wrist takes the hand along; what is exported carries everything.
    wrist = stage.joint(7)
    stage.drag(wrist, (wrist.x + 10, wrist.y), (wrist.x + 40, wrist.y + 30))
    hand = stage.pose.people[0].left_hand[0]
    assert hand is not None and near(hand, 190, 200)
    window.key(Qt.Key_S, CTRL)
    field = window.item("File", "Field")
    until(lambda: field.hasActiveFocus(), "the focus")
    window.key(Qt.Key_A, CTRL)
    window.type(str(tmp_path / "dancer.png"))
    window.key(Qt.Key_Return)
    until((tmp_path / "dancer.png").is_file, "the file")
    kept = stage.pose
    until(lambda: "dancer.png" in stage.desk.property("state")["told"], "the words")
    data = (tmp_path / "dancer.png").read_bytes()
    assert json.loads(Image.open(io.BytesIO(data)).text["pose"])["people"] and read_pose(data) == kept

    stage.desk.selectAll()
    until(lambda: stage.view.hasActiveFocus(), "the focus")
    window.key(Qt.Key_Delete)
    assert stage.pose.people == ()
    window.key(Qt.Key_O, CTRL)
    until(lambda: window.item("File", "Field").hasActiveFocus(), "the focus")
    window.type(str(tmp_path / "dancer.png"))
    window.key(Qt.Key_Return)
    until(lambda: stage.pose == kept, "the imported pose")

    # A file without a pose is refused in a sentence, and OpenPose's JSON is read as well.
    stage.desk.importFile(str(photo))
    until(lambda: "carries no pose" in stage.desk.property("state")["told"], "the refusal")
    (tmp_path / "other.json").write_text(write_pose(Pose((standing,), 256, 320)))
    stage.desk.importFile(str(tmp_path / "other.json"))
    until(lambda: stage.pose.width == 256, "the other pose")
    window.key(Qt.Key_Z, CTRL)
    assert stage.pose == kept
    window.key(Qt.Key_Escape)
    until(lambda: not stage.desk.property("isOpen"))
    assert stage.held.has_painted_map and read_pose(stage.held.pose.encode()) == kept
    until(lambda: Path(stage.held.map).is_file(), "the map")
    assert Image.open(stage.held.map).tobytes() == bytes(draw_people(kept.people, 512, 512))


def test_a_pose_card_is_posed_and_another_painted_on(open_window: Open, tmp_path: Path) -> None:
    window = open_window(painter=Painter(CONTROLS))
    inputs, desk = window.studio.inputs, window.studio.pose
    pose, image = inputs.addEmpty("control", "pose"), inputs.addEmpty("image")
    assert desk.suits(pose) and not desk.suits(image) and not desk.suits("gone")
    desk.open(image)
    assert not desk.property("isOpen")
    # A damaged pose of an earlier session is told, and nothing opens.
    inputs.take_pose(pose, "", "{broken")
    desk.open(pose)
    until(lambda: not desk.property("isOpen"), "the refusal")
    assert "keypoints cannot be used" in window.studio.notices.property("sentence")
