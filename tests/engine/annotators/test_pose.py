"""Poses: OpenPose's JSON in and out, and the picture that ControlNets know."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sfumato.engine.annotators import Workshop, annotate
from sfumato.engine.annotators.people import draw_people
from sfumato.imaging.pose.drawing import as_png
from sfumato.imaging.pose.keypoints import Pose, read_pose, write_pose
from sfumato.imaging.pose.skeleton import BODY, COLOURS, FINGERS, LIMBS, Joint, Person, bone_colour
from sfumato.protocol.errors import Invalid
from sfumato.protocol.requests.control import ControlUnit

STANDING = (
    (50, 10), (50, 25), (40, 25), (35, 40), (33, 55), (60, 25), (65, 40), (67, 55), (44, 60), (43, 80), (42, 98), (56, 60), (57, 80), (58, 98), (48, 8),
    (52, 8), (45, 10), (55, 10),
)  # fmt: skip


def keypoints(points: Any = STANDING, width: int = 100, height: int = 120, **more: Any) -> dict[str, Any]:
    return {"people": [{"pose_keypoints_2d": [n for x, y in points for n in (x, y, 1.0)], **more}], "canvas_width": width, "canvas_height": height}


def as_bytes(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.rule("E84")
def test_a_body_is_drawn_in_openposes_colours_at_its_joints() -> None:
    drawn = draw_people(read_pose(as_bytes(keypoints())).people, 100, 120)
    assert drawn.shape == (120, 100, 3)
    assert len(COLOURS) == len(BODY) == 18 and len(LIMBS) == 17 and len(FINGERS) == 20
    for place, colour in ((4, COLOURS[4]), (7, COLOURS[7]), (10, COLOURS[10]), (13, COLOURS[13])):
        x, y = STANDING[place]
        assert tuple(drawn[y, x]) == colour
    # The middle of the right upper arm, limb 2 of the order, in six tenths of its colour.
    assert tuple(drawn[32, 37]) == tuple(int(part * 0.6) for part in COLOURS[2])
    assert not drawn[:4].any() and not drawn[:, :25].any()


@pytest.mark.rule("D72")
def test_the_same_pose_is_the_same_map_drawn_twice_or_given_to_the_preprocessor(workshop: Workshop) -> None:
    data = as_bytes(keypoints())
    first = annotate(ControlUnit(preprocessor="pose"), data, None, workshop)
    workshop.clear()
    again = annotate(ControlUnit(preprocessor="pose"), data, None, workshop)
    assert again is not first and np.array_equal(first.pixels, again.pixels)
    assert first.pose is not None
    # What is written of a map is drawn as that map.
    redrawn = annotate(ControlUnit(preprocessor="pose"), write_pose(first.pose).encode(), None, workshop)
    assert np.array_equal(redrawn.pixels, first.pixels)
    assert np.array_equal(first.pixels, draw_people(read_pose(data).people, 100, 120))


@pytest.mark.rule("D72")
def test_the_map_of_the_pose_editor_is_the_one_the_preprocessor_draws(workshop: Workshop) -> None:
    data = as_bytes(keypoints(hand_left_keypoints_2d=[n for place in range(21) for n in (60.5 + place / 2, 50.25 + place, 1.0)]))
    edited = as_png(read_pose(data))
    drawn = annotate(ControlUnit(preprocessor="pose", body=True, hands=True, face=True), data, None, workshop).pixels
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(edited))), drawn)
    # Given to the preprocessor as the picture it is, the pose in it is drawn again as it was.
    assert np.array_equal(annotate(ControlUnit(preprocessor="pose", body=True, hands=True, face=True), edited, None, workshop).pixels, drawn)


@pytest.mark.rule("E84")
def test_hands_faces_and_bodies_are_drawn_as_they_are_wanted() -> None:
    hand = [n for finger in range(21) for n in (20 + finger, 20 + finger // 2, 1.0)]
    face = [n for place in range(70) for n in (50 + place % 10, 60 + place // 10, 1.0)]
    people = read_pose(as_bytes(keypoints(hand_left_keypoints_2d=hand, face_keypoints_2d=face))).people
    parts = {part: draw_people(people, 100, 120, [part]) for part in ("body", "hands", "face")}
    assert tuple(parts["hands"][20, 20]) == (0, 0, 255) and not parts["hands"][50:].any()
    assert (parts["face"][parts["face"].any(axis=2)] == 255).all()
    assert bone_colour(0) == (255, 0, 0)
    everything = draw_people(people, 100, 120)
    assert (everything.any(axis=2) == (parts["body"] | parts["hands"] | parts["face"]).any(axis=2)).all()
    assert not draw_people(people, 100, 120, []).any()


@pytest.mark.rule("E84")
@pytest.mark.parametrize("mode", ["stretch", "crop", "fill"])
def test_joints_are_moved_to_the_size_that_is_painted_and_lines_stay_thin(workshop: Workshop, mode: str) -> None:
    unit = ControlUnit(preprocessor="pose", resize_mode=mode)  # type: ignore[arg-type]  one of the words
    made = annotate(unit, as_bytes(keypoints()), (400, 240), workshop)
    assert made.pixels.shape == (240, 400, 3) and made.source == (100, 120)
    x, y = {"stretch": (50 * 4, 10 * 2), "crop": (50 * 4, 10 * 4 - 120), "fill": (50 * 2 + 100, 10 * 2)}[mode]
    assert y < 0 or tuple(made.pixels[y, x]) == COLOURS[0]
    ankle = made.pixels[:, :, 0] if y < 0 else made.pixels[max(y - 4, 0) : y + 5, x - 10 : x + 11].any(axis=2).any(axis=0)
    assert ankle.sum() > 0


def test_several_people_of_any_size_and_joints_beyond_the_canvas_are_drawn() -> None:
    near = Person(tuple(Joint(x * 3, y * 3) for x, y in STANDING))
    far = Person(tuple(None if place % 2 else Joint(x / 4, y / 4) for place, (x, y) in enumerate(STANDING)))
    both = draw_people((far, near), 90, 70)
    assert np.array_equal(both[near_mask := draw_people((near,), 90, 70).any(axis=2)], draw_people((near,), 90, 70)[near_mask])
    assert not draw_people((Person(tuple(Joint(-500, 9000) for _ in BODY)),), 64, 64).any()
    alone = draw_people((Person((Joint(30, 30),) * 18),), 64, 64)
    assert 45 < alone.any(axis=2).sum() < 60  # discs and limbs of no length


def test_a_pose_in_a_png_shares_and_newer_joints_are_read(tmp_path: Any) -> None:
    plain = read_pose(as_bytes(keypoints()))
    info = PngInfo()
    info.add_itxt("pose", json.dumps(keypoints()))
    Image.new("RGB", (4, 4)).save(tmp_path / "pose.png", pnginfo=info)
    assert read_pose((tmp_path / "pose.png").read_bytes()) == plain
    shares = keypoints([(x / 100, y / 120) for x, y in STANDING])
    assert [joint and (round(joint.x), round(joint.y)) for joint in read_pose(as_bytes(shares)).people[0].body] == list(STANDING)
    newer = list(STANDING[:8]) + [(0, 0)] + list(STANDING[8:]) + [(0, 0)] * 6
    assert read_pose(as_bytes(keypoints(newer))).people == plain.people
    assert read_pose(as_bytes([keypoints()])) == plain
    unsure = keypoints()
    unsure["people"][0]["pose_keypoints_2d"][2] = 0
    assert read_pose(as_bytes(unsure)).people[0].body[0] is None


JOINTS = st.none() | st.builds(Joint, st.floats(2, 900), st.floats(2, 900))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(JOINTS, min_size=18, max_size=18), st.lists(JOINTS, min_size=21, max_size=21)), max_size=3))
def test_a_pose_comes_back_from_its_json(people: Any) -> None:
    pose = Pose(tuple(Person(tuple(body), tuple(hand)) for body, hand in people), 640, 480)
    assert read_pose(write_pose(pose).encode()) == pose


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe", "neither JSON nor a PNG"),
        (b"{", "not JSON"),
        (b"[]", "no list of people"),
        (as_bytes({"people": 5}), "no list of people"),
        (as_bytes({"people": [], "canvas_width": 0, "canvas_height": 5}), "canvas_width"),
        (as_bytes({"people": [], "canvas_width": 1e9, "canvas_height": 5}), "canvas_width"),
        (as_bytes({**keypoints(), "people": [{}] * 101}), "101 people"),
        (as_bytes(keypoints(STANDING[:5])), "5 joints, not 18"),
        (as_bytes({"people": [{"pose_keypoints_2d": [1, 2]}], "canvas_width": 8, "canvas_height": 8}), "in threes"),
        (as_bytes({"people": [{"pose_keypoints_2d": ["1"] * 54}], "canvas_width": 8, "canvas_height": 8}), "in threes"),
        (b'{"people": [{"pose_keypoints_2d": [NaN, 1, 1]}], "canvas_width": 8, "canvas_height": 8}', "cannot be used"),
        (b"\x89PNG\r\n\x1a\n", "carries no pose"),
    ],
)
def test_what_is_no_pose_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=r"^The keypoints cannot be used: .*\. Give OpenPose's JSON") as caught:
        read_pose(data, "control.0.image")
    assert words in caught.value.message and caught.value.path == "control.0.image"
