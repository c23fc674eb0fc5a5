"""Poses as OpenPose and its editors write them: JSON, alone or in a PNG's text `pose`. Numbers from strangers: all are bounded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfumato.imaging.bounded_json import NotJson, read_json
from sfumato.imaging.png_text import SIGNATURE, read_png_text
from sfumato.imaging.pose.skeleton import BODY, FACE_JOINTS, HAND_JOINTS, Joint, Joints, Person
from sfumato.protocol.errors import Invalid, Problem

PNG_KEY = "pose"
_PEOPLE = 100
_SIDE_PX = 65_536
# The 25 joints of newer OpenPose -> those of the older 18: without the middle of the hips and the feet.
_OF_25 = (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)
_GROUPS = (
    ("pose_keypoints_2d", len(BODY)),
    ("hand_left_keypoints_2d", HAND_JOINTS),
    ("hand_right_keypoints_2d", HAND_JOINTS),
    ("face_keypoints_2d", FACE_JOINTS),
)


@dataclass(frozen=True, slots=True)
class Pose:
    """People on a canvas of `width` x `height` pixels."""

    people: tuple[Person, ...]
    width: int
    height: int


class _Unfit(ValueError):
    """What is wrong with the JSON; completes "The keypoints cannot be used: ..."."""


def read_pose(data: bytes, field: str = "image") -> Pose:
    """The pose in a JSON text, or in a PNG that carries one.

    Coordinates are pixels of the canvas, or shares of it if none is above 1. Of joints, those with a confidence above 0 are known.

    Raises:
        Invalid: it holds none, or more than is drawn; the path is `field`.
    """
    try:
        return _pose(read_json(_text(data)))
    except (NotJson, _Unfit) as reason:
        raise Invalid([Problem(field, f"The keypoints cannot be used: {reason}. Give OpenPose's JSON, or a PNG in which a pose editor wrote it.")]) from None


def write_pose(pose: Pose) -> str:
    """OpenPose's JSON; what `read_pose` reads again."""
    people = [{key: _numbers(joints) for (key, _), joints in zip(_GROUPS, person.groups(), strict=True) if joints} for person in pose.people]
    return json.dumps({"people": people, "canvas_width": pose.width, "canvas_height": pose.height})


def _text(data: bytes) -> str:
    if data.startswith(SIGNATURE):
        if (text := read_png_text(data).texts.get(PNG_KEY)) is None:
            raise _Unfit("the picture carries no pose")
        return text
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unfit("it is neither JSON nor a PNG") from None


def _pose(value: Any) -> Pose:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict) or not isinstance(value.get("people"), list):
        raise _Unfit("there is no list of people in it")
    if len(value["people"]) > _PEOPLE:
        raise _Unfit(f"it has {len(value['people'])} people, {_PEOPLE} are drawn")
    width, height = (_side(value.get(name)) for name in ("canvas_width", "canvas_height"))
    people = tuple(Person(*(_joints(person, key, count) for key, count in _GROUPS)) for person in value["people"] if isinstance(person, dict))
    known = [joint for person in people for group in person.groups() for joint in group if joint]
    if known and all(0 <= joint.x <= 1 and 0 <= joint.y <= 1 for joint in known):
        people = tuple(person.placed((width, height), (0, 0)) for person in people)
    return Pose(people, width, height)


def _side(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= _SIDE_PX:
        raise _Unfit(f"canvas_width and canvas_height must be numbers from 1 to {_SIDE_PX}")
    return int(value)


def _joints(person: Mapping[str, Any], key: str, count: int) -> Joints:
    """One group of a person, (x, y, confidence) for each joint in a row."""
    numbers = person.get(key)
    if not numbers:
        return ()
    if not isinstance(numbers, list) or len(numbers) % 3 or not all(map(_is_coordinate, numbers)):
        raise _Unfit(f"{key} must be numbers in threes")
    joints = tuple(_joint(numbers[place : place + 3]) for place in range(0, len(numbers), 3))
    if key == _GROUPS[0][0] and len(joints) == 25:
        joints = tuple(joints[place] for place in _OF_25)
    if len(joints) > count or (len(joints) < count and key != _GROUPS[-1][0]):
        raise _Unfit(f"{key} has {len(joints)} joints, not {count}")
    return joints


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) <= _SIDE_PX


def _joint(numbers: Sequence[float]) -> Joint | None:
    x, y, confidence = numbers
    return Joint(float(x), float(y)) if confidence > 0 else None


def _numbers(joints: Joints) -> list[float]:
    return [number for joint in joints for number in ((joint.x, joint.y, 1.0) if joint else (0.0, 0.0, 0.0))]
