"""The picture of a pose, pixel by pixel: what is drawn in runs is what the rule of each shape says of each pixel."""

from __future__ import annotations

import io
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sfumato.imaging.pose.drawing import as_png, draw_people, limb_colour
from sfumato.imaging.pose.keypoints import Pose, read_pose
from sfumato.imaging.pose.skeleton import COLOURS, FINGERS, HAND_JOINT, LIMBS, Joint, Person, bone_colour

WIDTH, HEIGHT = 70, 60
COORDINATES = st.integers(-20, 90) | st.floats(-20, 90)
JOINTS = st.none() | st.builds(Joint, COORDINATES, COORDINATES)


def by_the_rule(person: Person) -> bytes:
    """Every pixel asked for itself."""
    pixels = [[(0, 0, 0)] * WIDTH for _ in range(HEIGHT)]

    def paint(holds: object, colour: tuple[int, int, int]) -> None:
        for y in range(HEIGHT):
            for x in range(WIDTH):
                if holds(x, y):  # type: ignore[operator]
                    pixels[y][x] = colour

    def disc(joint: Joint, radius: int, colour: tuple[int, int, int]) -> None:
        paint(lambda x, y: (x - int(joint.x)) ** 2 + (y - int(joint.y)) ** 2 <= radius**2, colour)

    def limb(begin: Joint, end: Joint, colour: tuple[int, int, int]) -> None:
        middle = ((begin.x + end.x) / 2, (begin.y + end.y) / 2)
        half = max(math.hypot(end.x - begin.x, end.y - begin.y) / 2, 0.5)
        cosine, sine = (end.x - begin.x) / (2 * half), (end.y - begin.y) / (2 * half)
        if not cosine and not sine:
            cosine = 1.0

        def holds(x: float, y: float) -> bool:
            along, beside = (x - middle[0]) * cosine + (y - middle[1]) * sine, (y - middle[1]) * cosine - (x - middle[0]) * sine
            return (along / half) * (along / half) + (beside / 4) * (beside / 4) <= 1

        paint(holds, colour)

    def bone(begin: Joint, end: Joint, colour: tuple[int, int, int]) -> None:
        wide, high = end.x - begin.x, end.y - begin.y
        length = wide * wide + high * high

        def holds(x: float, y: float) -> bool:
            place = min(max(((x - begin.x) * wide + (y - begin.y) * high) / length, 0), 1) if length else 0
            across, down = x - begin.x - place * wide, y - begin.y - place * high
            return across * across + down * down <= 1

        paint(holds, colour)

    for number, pair in enumerate(LIMBS):
        begin, end = (person.body[place] for place in pair)
        if begin and end:
            limb(begin, end, limb_colour(number))
    for joint, colour in zip(person.body, COLOURS, strict=True):
        if joint:
            disc(joint, 4, colour)
    for number, pair in enumerate(FINGERS):
        begin, end = (person.left_hand[place] for place in pair)
        if begin and end:
            bone(begin, end, bone_colour(number))
    for joint in person.left_hand:
        if joint:
            disc(joint, 4, HAND_JOINT)
    for joint in person.face:
        if joint:
            disc(joint, 3, (255, 255, 255))
    return b"".join(bytes(pixel) for row in pixels for pixel in row)


@pytest.mark.rule("D72")
@settings(max_examples=5, deadline=None)
@given(st.lists(JOINTS, min_size=18, max_size=18), st.lists(JOINTS, min_size=21, max_size=21), st.lists(JOINTS, max_size=4))
def test_runs_of_pixels_are_what_the_rule_says_of_each(body: list[Joint | None], hand: list[Joint | None], face: list[Joint | None]) -> None:
    person = Person(tuple(body), left_hand=tuple(hand), face=tuple(face))
    assert bytes(draw_people([person], WIDTH, HEIGHT)) == by_the_rule(person)


@pytest.mark.rule("D72")
def test_joints_upon_each_other_and_in_line_are_drawn_by_the_rule() -> None:
    for ends in pairwise([Joint(30, 30), Joint(30, 30), Joint(30, 31), Joint(60, 31), Joint(60, 2), Joint(10.5, 2), Joint(-500, 9000)]):
        person = Person((None, *ends, *(None,) * 15), left_hand=(*ends, *(None,) * 19))
        assert bytes(draw_people([person], WIDTH, HEIGHT)) == by_the_rule(person)


@pytest.mark.rule("D72")
def test_the_png_is_the_map_and_gives_the_pose_back() -> None:
    pose = Pose((Person(tuple(Joint(3.25 * place, 50 - 2 * place) for place in range(18))),), WIDTH, HEIGHT)
    data = as_png(pose)
    assert data == as_png(pose)
    assert Image.open(io.BytesIO(data)).tobytes() == bytes(draw_people(pose.people, WIDTH, HEIGHT))
    assert read_pose(data) == pose
