"""What one drag does to a pose: from the point where it began to the point where it is, always counted from the pose it began with. No Qt."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from sfumato.imaging.pose import editing
from sfumato.imaging.pose.editing import Node
from sfumato.imaging.pose.keypoints import Pose
from sfumato.imaging.pose.skeleton import Joint

SNAP = math.pi / 4
# What can be taken hold of at the box: shares of its width and height, the pivot is the place across.
HANDLES = {
    "top-left": (0.0, 0.0), "top": (0.5, 0.0), "top-right": (1.0, 0.0), "right": (1.0, 0.5),
    "bottom-right": (1.0, 1.0), "bottom": (0.5, 1.0), "bottom-left": (0.0, 1.0), "left": (0.0, 0.5),
}  # fmt: skip
TURN = "turn"
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Drag(ABC):
    """Base of all: `pose`, what is `chosen`, where it began."""

    words = ""
    pose: Pose
    chosen: frozenset[Node]
    start: Joint

    @abstractmethod
    def to(self, at: Joint, *, control: bool, shift: bool) -> Pose:
        """The pose while the pointer is at a point, with these keys held."""


class Carry(Drag):
    """Moves what is chosen."""

    words = "Move joints"

    def to(self, at: Joint, *, control: bool, shift: bool) -> Pose:
        del control, shift
        return editing.moved(self.pose, self.chosen, at.x - self.start.x, at.y - self.start.y)


@dataclass(frozen=True)
class Bend(Drag):
    """Brings one joint to the pointer, and what hangs on it along: Ctrl only turns, Shift only changes the length."""

    words = "Bend"
    node: Node = (0, 0)

    def to(self, at: Joint, *, control: bool, shift: bool) -> Pose:
        joint = editing.joint_at(self.pose, self.node)
        if joint is None:
            return self.pose
        to = Joint(joint.x + at.x - self.start.x, joint.y + at.y - self.start.y)
        return editing.bent(self.pose, self.node, to, keeps_length=control, keeps_angle=shift and not control)


@dataclass(frozen=True)
class Scale(Drag):
    """Pulls a handle of the box; Ctrl keeps the ratio."""

    words = "Scale"
    handle: str = ""

    def to(self, at: Joint, *, control: bool, shift: bool) -> Pose:
        del shift
        left, top, right, bottom = editing.bounds(self.pose, self.chosen)
        x, y = HANDLES[self.handle]
        pivot = Joint(right + (left - right) * x, bottom + (top - bottom) * y)
        held = Joint(left + (right - left) * x, top + (bottom - top) * y)
        across = _share(held.x + at.x - self.start.x - pivot.x, held.x - pivot.x) if x != 0.5 else 1.0
        down = _share(held.y + at.y - self.start.y - pivot.y, held.y - pivot.y) if y != 0.5 else 1.0
        if control:
            across = down = across if y == 0.5 else down if x == 0.5 else max(across, down, key=abs)
        return editing.scaled(self.pose, self.chosen, pivot, across, down)


class Turn(Drag):
    """Turns what is chosen around the middle of its box; Ctrl in steps of 45 degrees."""

    words = "Turn"

    def to(self, at: Joint, *, control: bool, shift: bool) -> Pose:
        del shift
        left, top, right, bottom = editing.bounds(self.pose, self.chosen)
        middle = Joint((left + right) / 2, (top + bottom) / 2)
        angle = math.atan2(at.y - middle.y, at.x - middle.x) - math.atan2(self.start.y - middle.y, self.start.x - middle.x)
        return editing.turned(self.pose, self.chosen, middle, round(angle / SNAP) * SNAP if control else angle)


@dataclass(frozen=True)
class Band(Drag):
    """Chooses what is inside; the pose stays."""

    def to(self, at: Joint, *, control: bool, shift: bool) -> Pose:
        del at, control, shift
        return self.pose

    def inside(self, at: Joint) -> frozenset[Node]:
        """What was chosen before, and every joint between the two corners."""
        left, right = sorted((self.start.x, at.x))
        top, bottom = sorted((self.start.y, at.y))
        joints = ((node, editing.joint_at(self.pose, node)) for node in editing.nodes(self.pose))
        return self.chosen | {node for node, joint in joints if joint and left <= joint.x <= right and top <= joint.y <= bottom}


def padded(box: Bounds, by: float) -> Bounds:
    """Larger on each side, so that handles do not lie on joints."""
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def places(box: Bounds, reach: float) -> dict[str, Joint]:
    """Where the handles of a box are; the one that turns is `reach` above it."""
    left, top, right, bottom = box
    found = {name: Joint(left + (right - left) * x, top + (bottom - top) * y) for name, (x, y) in HANDLES.items()}
    return {**found, TURN: Joint((left + right) / 2, top - reach)}


def _share(now: float, before: float) -> float:
    return now / before if before else 1.0
