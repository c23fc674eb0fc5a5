"""Joints to the picture a pose ControlNet knows: limbs as ellipses in six tenths of their colour, joints as discs. The same pose gives the same bytes (D72)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from sfumato.engine.annotators.pose.skeleton import COLOURS, FACE_JOINT, FINGERS, HAND_JOINT, LIMBS, Colour, Joint, Joints, Person, bone_colour

Bytes = NDArray[np.uint8]

# In pixels, whatever the size of the map: so were the pictures that the ControlNets saw.
LIMB_HALF_WIDTH, BODY_RADIUS, HAND_RADIUS, FACE_RADIUS, BONE_HALF_WIDTH = 4.0, 4, 4, 3, 1.0
_LIMB_SHADE = 0.6


def draw_people(people: Iterable[Person], width: int, height: int, parts: Iterable[str] = ("body", "hands", "face")) -> Bytes:
    """(height, width, 3), black where nobody is; of two people the later is in front.

    Args:
        parts: what is drawn of "body", "hands", "face".
    """
    canvas = np.zeros((height, width, 3), np.uint8)
    wanted = set(parts)
    for person in people:
        if "body" in wanted:
            _draw_body(canvas, person.body)
        if "hands" in wanted:
            _draw_hand(canvas, person.left_hand)
            _draw_hand(canvas, person.right_hand)
        if "face" in wanted:
            for joint in compress(person.face, person.face):
                _draw_disc(canvas, joint, FACE_RADIUS, FACE_JOINT)  # type: ignore[arg-type]  the known ones
    return canvas


def _draw_body(canvas: Bytes, joints: Joints) -> None:
    if not joints:
        return
    for (first, second), colour in zip(LIMBS, COLOURS, strict=False):
        begin, end = joints[first], joints[second]
        if begin and end:
            red, green, blue = colour
            _draw_ellipse(canvas, begin, end, (int(red * _LIMB_SHADE), int(green * _LIMB_SHADE), int(blue * _LIMB_SHADE)))
    for joint, colour in zip(joints, COLOURS, strict=True):
        if joint:
            _draw_disc(canvas, joint, BODY_RADIUS, colour)


def _draw_hand(canvas: Bytes, joints: Joints) -> None:
    if not joints:
        return
    for number, (first, second) in enumerate(FINGERS):
        begin, end = joints[first], joints[second]
        if begin and end:
            _draw_line(canvas, begin, end, bone_colour(number))
    for joint in joints:
        if joint:
            _draw_disc(canvas, joint, HAND_RADIUS, HAND_JOINT)


def _around(canvas: Bytes, joints: tuple[Joint, ...], margin: float) -> tuple[Bytes, NDArray[np.float64], NDArray[np.float64]]:
    """The part of the canvas around some joints, and the coordinates of its pixels as a column and a row."""
    height, width, _ = canvas.shape
    left, right = (min(joint.x for joint in joints) - margin, max(joint.x for joint in joints) + margin)
    top, bottom = (min(joint.y for joint in joints) - margin, max(joint.y for joint in joints) + margin)
    rows = slice(min(max(math.floor(top), 0), height), min(max(math.ceil(bottom) + 1, 0), height))
    columns = slice(min(max(math.floor(left), 0), width), min(max(math.ceil(right) + 1, 0), width))
    down = np.arange(rows.start, rows.stop, dtype=np.float64)[:, None]
    across = np.arange(columns.start, columns.stop, dtype=np.float64)[None, :]
    return canvas[rows, columns], down, across


def _draw_disc(canvas: Bytes, joint: Joint, radius: int, colour: Colour) -> None:
    x, y = int(joint.x), int(joint.y)
    part, down, across = _around(canvas, (Joint(x, y),), radius)
    part[(across - x) ** 2 + (down - y) ** 2 <= radius**2] = colour


def _draw_ellipse(canvas: Bytes, begin: Joint, end: Joint, colour: Colour) -> None:
    """An ellipse with the joints at the ends of its long axis."""
    part, down, across = _around(canvas, (begin, end), LIMB_HALF_WIDTH)
    x, y = (begin.x + end.x) / 2, (begin.y + end.y) / 2
    half = max(math.hypot(end.x - begin.x, end.y - begin.y) / 2, 0.5)
    cosine, sine = (end.x - begin.x) / (2 * half), (end.y - begin.y) / (2 * half)
    if not cosine and not sine:
        cosine = 1.0
    along = (across - x) * cosine + (down - y) * sine
    beside = (down - y) * cosine - (across - x) * sine
    part[(along / half) ** 2 + (beside / LIMB_HALF_WIDTH) ** 2 <= 1] = colour


def _draw_line(canvas: Bytes, begin: Joint, end: Joint, colour: Colour) -> None:
    part, down, across = _around(canvas, (begin, end), BONE_HALF_WIDTH)
    wide, high = end.x - begin.x, end.y - begin.y
    length = wide * wide + high * high
    place = ((across - begin.x) * wide + (down - begin.y) * high) / length if length else np.zeros((1, 1))
    place = place.clip(0, 1)
    distance = (across - begin.x - place * wide) ** 2 + (down - begin.y - place * high) ** 2
    part[distance <= BONE_HALF_WIDTH**2] = colour
