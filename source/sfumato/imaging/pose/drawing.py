"""Joints to the picture a pose ControlNet knows: limbs as ellipses in six tenths of their colour, joints as discs. The same pose gives the same bytes (D72).

Every shape is convex, so a row of it is one run of pixels: its ends are calculated, then settled by the rule that says which pixels belong to the shape.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable

from sfumato.imaging.pose.keypoints import PNG_KEY, Pose, write_pose
from sfumato.imaging.pose.skeleton import COLOURS, FACE_JOINT, FINGERS, HAND_JOINT, LIMBS, Colour, Joint, Joints, Person, bone_colour

PARTS = ("body", "hands", "face")
# In pixels, whatever the size of the map: so were the pictures that the ControlNets saw.
LIMB_HALF_WIDTH, BODY_RADIUS, HAND_RADIUS, FACE_RADIUS, BONE_HALF_WIDTH = 4.0, 4, 4, 3, 1.0
LIMB_SHADE = 0.6


def limb_colour(number: int) -> Colour:
    """The colour of the limb at a place of `LIMBS`."""
    red, green, blue = COLOURS[number]
    return int(red * LIMB_SHADE), int(green * LIMB_SHADE), int(blue * LIMB_SHADE)


def draw_people(people: Iterable[Person], width: int, height: int, parts: Iterable[str] = PARTS) -> bytearray:
    """Red, green, blue of each pixel, row after row; black where nobody is; of two people the later is in front.

    Args:
        parts: what is drawn of `PARTS`.
    """
    canvas = _Canvas(width, height)
    wanted = set(parts)
    for person in people:
        if "body" in wanted:
            _draw_body(canvas, person.body)
        if "hands" in wanted:
            _draw_hand(canvas, person.left_hand)
            _draw_hand(canvas, person.right_hand)
        if "face" in wanted:
            for joint in filter(None, person.face):
                canvas.disc(joint, FACE_RADIUS, FACE_JOINT)
    return canvas.pixels


def as_png(pose: Pose) -> bytes:
    """The map of a pose as a PNG that carries the pose itself, so that it can be opened and changed again."""
    from PIL import Image, PngImagePlugin  # late: nothing else here needs Pillow

    info = PngImagePlugin.PngInfo()
    info.add_text(PNG_KEY, write_pose(pose))
    held = io.BytesIO()
    Image.frombytes("RGB", (pose.width, pose.height), bytes(draw_people(pose.people, pose.width, pose.height))).save(held, "PNG", pnginfo=info)
    return held.getvalue()


def _draw_body(canvas: _Canvas, joints: Joints) -> None:
    if not joints:
        return
    for number, (first, second) in enumerate(LIMBS):
        begin, end = joints[first], joints[second]
        if begin and end:
            canvas.ellipse(begin, end, limb_colour(number))
    for joint, colour in zip(joints, COLOURS, strict=True):
        if joint:
            canvas.disc(joint, BODY_RADIUS, colour)


def _draw_hand(canvas: _Canvas, joints: Joints) -> None:
    if not joints:
        return
    for number, (first, second) in enumerate(FINGERS):
        begin, end = joints[first], joints[second]
        if begin and end:
            canvas.line(begin, end, bone_colour(number))
    for joint in joints:
        if joint:
            canvas.disc(joint, HAND_RADIUS, HAND_JOINT)


class _Canvas:
    """Pixels being drawn on."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.pixels = bytearray(3 * width * height)

    def disc(self, joint: Joint, radius: int, colour: Colour) -> None:
        x, y = int(joint.x), int(joint.y)

        def holds(across: float, down: float) -> bool:
            return (across - x) * (across - x) + (down - y) * (down - y) <= radius * radius

        def run(down: float) -> tuple[float, float]:
            half = math.sqrt(max(radius * radius - (down - y) * (down - y), 0.0))
            return x - half, x + half

        self._shape(y - radius, y + radius, run, holds, colour)

    def ellipse(self, begin: Joint, end: Joint, colour: Colour) -> None:
        """An ellipse with the joints at the ends of its long axis."""
        x, y = (begin.x + end.x) / 2, (begin.y + end.y) / 2
        half = max(math.hypot(end.x - begin.x, end.y - begin.y) / 2, 0.5)
        cosine, sine = (end.x - begin.x) / (2 * half), (end.y - begin.y) / (2 * half)
        if not cosine and not sine:
            cosine = 1.0

        def holds(across: float, down: float) -> bool:
            along = ((across - x) * cosine + (down - y) * sine) / half
            beside = ((down - y) * cosine - (across - x) * sine) / LIMB_HALF_WIDTH
            return along * along + beside * beside <= 1

        # The rule as a square of the distance across: square * d * d + 2 * mixed * d + rest <= 0.
        square = (cosine / half) ** 2 + (sine / LIMB_HALF_WIDTH) ** 2

        def run(down: float) -> tuple[float, float]:
            away = down - y
            mixed = away * cosine * sine * (1 / half**2 - 1 / LIMB_HALF_WIDTH**2)
            rest = away * away * ((sine / half) ** 2 + (cosine / LIMB_HALF_WIDTH) ** 2) - 1
            root = math.sqrt(max(mixed * mixed - square * rest, 0.0))
            return x + (-mixed - root) / square, x + (-mixed + root) / square

        reach = math.hypot(half * sine, LIMB_HALF_WIDTH * cosine)
        self._shape(y - reach, y + reach, run, holds, colour)

    def line(self, begin: Joint, end: Joint, colour: Colour) -> None:
        wide, high = end.x - begin.x, end.y - begin.y
        length = wide * wide + high * high

        def holds(across: float, down: float) -> bool:
            place = min(max(((across - begin.x) * wide + (down - begin.y) * high) / length, 0.0), 1.0) if length else 0.0
            x, y = across - begin.x - place * wide, down - begin.y - place * high
            return x * x + y * y <= BONE_HALF_WIDTH * BONE_HALF_WIDTH

        def run(down: float) -> tuple[float, float]:
            # Around the part of the line that is near this row; wide enough, the rule takes the ends in.
            if high:
                shares = sorted(min(max((down + side - begin.y) / high, 0.0), 1.0) for side in (-BONE_HALF_WIDTH, BONE_HALF_WIDTH))
            else:
                shares = [0.0, 1.0]
            ends = sorted(begin.x + share * wide for share in shares)
            return ends[0] - BONE_HALF_WIDTH, ends[1] + BONE_HALF_WIDTH

        top, bottom = sorted((begin.y, end.y))
        self._shape(top - BONE_HALF_WIDTH, bottom + BONE_HALF_WIDTH, run, holds, colour)

    def _shape(self, top: float, bottom: float, run: Callable[[float], tuple[float, float]], holds: Callable[[float, float], bool], colour: Colour) -> None:
        """Fill each row from the first to the last pixel of `run` that the shape `holds`; a run may be a pixel too narrow or any number too wide."""
        for down in range(max(math.floor(top), 0), min(math.ceil(bottom) + 1, self.height)):
            left, right = run(down)
            first, last = max(math.floor(left) - 1, 0), min(math.ceil(right) + 1, self.width - 1)
            while first <= last and not holds(first, down):
                first += 1
            while first <= last and not holds(last, down):
                last -= 1
            if first <= last:
                begin = 3 * (down * self.width + first)
                self.pixels[begin : begin + 3 * (last - first + 1)] = bytes(colour) * (last - first + 1)
