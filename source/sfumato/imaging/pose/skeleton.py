"""The joints of a person, in the order and colours OpenPose gave them and ControlNets were trained with (Cao et al. 2019; COCO-18).

A joint is (x, y) in pixels of the map, or None where it is not known.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Joint(NamedTuple):
    x: float
    y: float


Joints = Sequence[Joint | None]
Colour = tuple[int, int, int]

BODY = (
    "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist", "right hip", "right knee", "right ankle",
    "left hip", "left knee", "left ankle", "right eye", "left eye", "right ear", "left ear",
)  # fmt: skip
HAND_JOINTS, FACE_JOINTS = 21, 70

# Pairs of joints, in the order they are drawn; the limb at place n has colour n.
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
# Around the circle of hues in eighteen steps, as they were published.
COLOURS: tuple[Colour, ...] = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255),
    (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
HAND_JOINT: Colour = (0, 0, 255)
FACE_JOINT: Colour = (255, 255, 255)

# A finger is four bones from the wrist, which is joint 0.
FINGERS = tuple(bone for finger in range(5) for bone in ((0, 4 * finger + 1), *((4 * finger + n, 4 * finger + n + 1) for n in (1, 2, 3))))


def bone_colour(number: int) -> Colour:
    """The colour of a hand's bone: its hue goes around with the number."""
    red, green, blue = colorsys.hsv_to_rgb(number / len(FINGERS), 1, 1)
    return int(red * 255), int(green * 255), int(blue * 255)


@dataclass(frozen=True, slots=True)
class Person:
    """Joints of one person: 18 of the body, 21 of each hand, up to 70 of the face; empty where nothing is known of them."""

    body: Joints = ()
    left_hand: Joints = ()
    right_hand: Joints = ()
    face: Joints = ()

    def placed(self, scale: tuple[float, float], shift: tuple[float, float]) -> Person:
        """Every coordinate times `scale`, plus `shift`."""

        def all_of(joints: Joints) -> Joints:
            return tuple(joint and Joint(joint.x * scale[0] + shift[0], joint.y * scale[1] + shift[1]) for joint in joints)

        return Person(*map(all_of, self.groups()))

    def groups(self) -> Iterator[Joints]:
        yield from (self.body, self.left_hand, self.right_hand, self.face)
