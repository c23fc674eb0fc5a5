"""Changes of a pose by hand: each takes a pose and gives another, so that the one before is there to go back to. No Qt.

What is moved are the 18 joints of bodies; a hand goes with its wrist and the face with the nose, turned and sized as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from statistics import median

from sfumato.imaging.pose.keypoints import Pose
from sfumato.imaging.pose.skeleton import BODY, LIMBS, Joint, Joints, Person

Node = tuple[int, int]  # place of a person, place of a joint of the body
Change = Callable[[Joint], Joint]

NOSE, NECK, RIGHT_WRIST, LEFT_WRIST = 0, 1, 4, 7
# Joint -> the one it hangs on; everything hangs on the neck.
PARENTS = {second: first for first, second in LIMBS}
# Joints that a reflection exchanges.
SIDES = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)
PEOPLE_AT_MOST = 100
_CARRIED = {RIGHT_WRIST: "right_hand", LEFT_WRIST: "left_hand", NOSE: "face"}
# Someone who stands and faces us: shares of the height from the crown to the ankles, the neck at 0.
STANDING = (
    (0, -0.12), (0, 0), (-0.105, 0.005), (-0.15, 0.19), (-0.165, 0.36), (0.105, 0.005), (0.15, 0.19), (0.165, 0.36), (-0.065, 0.37), (-0.075, 0.6),
    (-0.08, 0.82), (0.065, 0.37), (0.075, 0.6), (0.08, 0.82), (-0.025, -0.145), (0.025, -0.145), (-0.055, -0.13), (0.055, -0.13),
)  # fmt: skip
_TALL = 0.8  # share of the canvas that a new person is high


def nodes(pose: Pose) -> list[Node]:
    """Every known joint of every body."""
    return [(number, place) for number, person in enumerate(pose.people) for place, joint in enumerate(person.body) if joint]


def joint_at(pose: Pose, node: Node) -> Joint | None:
    number, place = node
    body = pose.people[number].body if number < len(pose.people) else ()
    return body[place] if place < len(body) else None


def below(place: int) -> list[int]:
    """The joints that hang on one, near ones first, without itself."""
    found, todo = [], [place]
    while todo:
        at = todo.pop(0)
        held = [child for child, parent in PARENTS.items() if parent == at]
        found += held
        todo += held
    return found


def changed(pose: Pose, chosen: Collection[Node], change: Change) -> Pose:
    """`change` applied to the chosen joints and to what they carry."""
    return _each(pose, {number: {place: change for at, place in chosen if at == number} for number, _ in chosen})


def moved(pose: Pose, chosen: Collection[Node], across: float, down: float) -> Pose:
    return changed(pose, chosen, lambda joint: Joint(joint.x + across, joint.y + down))


def turned(pose: Pose, chosen: Collection[Node], middle: Joint, angle: float) -> Pose:
    """Clockwise, in radians."""
    return changed(pose, chosen, _turn(middle, angle))


def scaled(pose: Pose, chosen: Collection[Node], pivot: Joint, across: float, down: float) -> Pose:
    return changed(pose, chosen, lambda joint: Joint(pivot.x + (joint.x - pivot.x) * across, pivot.y + (joint.y - pivot.y) * down))


def flipped(pose: Pose, chosen: Collection[Node], *, upright: bool = True) -> Pose:
    """Mirrored in the middle of what is chosen, left for right if `upright`, else top for bottom.

    Of a person who is chosen as a whole left and right are exchanged, as an annotator would name them in the mirrored photo.
    """
    left, top, right, bottom = bounds(pose, chosen)

    def mirrored(joint: Joint) -> Joint:
        return Joint(left + right - joint.x, joint.y) if upright else Joint(joint.x, top + bottom - joint.y)

    made = changed(pose, chosen, mirrored)
    whole = {number for number, person in enumerate(pose.people) if all((number, place) in chosen for place, joint in enumerate(person.body) if joint)}
    return replace(made, people=tuple(_sides_exchanged(person) if number in whole else person for number, person in enumerate(made.people)))


def bent(pose: Pose, node: Node, to: Joint, *, keeps_length: bool = False, keeps_angle: bool = False) -> Pose:
    """Bring a joint to `to`, turning what hangs on it by the angle that its limb turns; lengths below it stay.

    Args:
        keeps_length: only the angle of the limb changes.
        keeps_angle: only its length changes.
    """
    number, place = node
    joint = joint_at(pose, node)
    if joint is None:
        return pose
    parent = _holder(pose.people[number].body, place)
    chain = [(number, under) for under in below(place)]
    if parent is None:
        return moved(pose, [node, *chain], to.x - joint.x, to.y - joint.y)
    before, after = (joint.x - parent.x, joint.y - parent.y), (to.x - parent.x, to.y - parent.y)
    long, far = math.hypot(*before), math.hypot(*after)
    if keeps_angle and long:
        share = max((before[0] * after[0] + before[1] * after[1]) / long, 0.0) / long
        after = (before[0] * share, before[1] * share)
    elif keeps_length and far:
        after = (after[0] * long / far, after[1] * long / far)
    end = Joint(parent.x + after[0], parent.y + after[1])
    angle = math.atan2(after[1], after[0]) - math.atan2(before[1], before[0]) if any(after) and any(before) else 0.0
    turn = _turn(joint, angle if not keeps_angle else 0.0)

    def follow(at: Joint) -> Joint:
        around = turn(at)
        return Joint(around.x + end.x - joint.x, around.y + end.y - joint.y)

    return changed(pose, [node, *chain], follow)


def children_turned(pose: Pose, node: Node, angle: float) -> Pose:
    """Turn what hangs on a joint around it, clockwise in radians."""
    joint = joint_at(pose, node)
    return pose if joint is None else turned(pose, [(node[0], under) for under in below(node[1])], joint, angle)


def removed(pose: Pose, chosen: Collection[Node]) -> Pose:
    """Without these joints and what they carry; a person of whom no joint is left goes."""
    gone = set(chosen)
    people = []
    for number, person in enumerate(pose.people):
        places = {place for at, place in gone if at == number}
        if not places:
            people.append(person)
            continue
        body = tuple(None if place in places else joint for place, joint in enumerate(person.body))
        if any(body):
            people.append(replace(person, body=body, **{name: () for place, name in _CARRIED.items() if place in places}))
    return replace(pose, people=tuple(people))


def attached(pose: Pose, missing: Iterable[Node]) -> Pose:
    """Put joints where those of someone who stands would be, beside the nearest known ones; known joints stay."""
    people = list(pose.people)
    for number, place in missing:
        body = list(people[number].body) or [None] * len(BODY)
        if body[place] is None:
            body[place] = _guessed(pose, people[number].body, place)
            people[number] = replace(people[number], body=tuple(body))
    return replace(pose, people=tuple(people))


def missing_of(pose: Pose, people: Iterable[int]) -> list[Node]:
    """The joints that people lack, those near the neck first."""
    order = [NECK, *below(NECK)]
    return [(number, place) for number in people for place in order if joint_at(pose, (number, place)) is None]


def with_person(pose: Pose) -> Pose:
    """One more, standing in the middle, each a little beside the last."""
    if len(pose.people) >= PEOPLE_AT_MOST:
        return pose
    tall = min(pose.height * _TALL, pose.width * 2.0)
    beside = tall * 0.36 * ((len(pose.people) + 1) // 2) * (-1 if len(pose.people) % 2 else 1)
    middle = min(max(pose.width / 2 + beside, tall * 0.17), pose.width - tall * 0.17)
    neck = pose.height / 2 - (STANDING[10][1] + STANDING[14][1]) / 2 * tall
    person = Person(tuple(Joint(round(middle + x * tall, 2), round(neck + y * tall, 2)) for x, y in STANDING))
    return replace(pose, people=(*pose.people, person))


def bounds(pose: Pose, chosen: Iterable[Node]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the chosen joints; all 0 without any."""
    joints = [joint for node in chosen if (joint := joint_at(pose, node))]
    if not joints:
        return 0.0, 0.0, 0.0, 0.0
    return min(joint.x for joint in joints), min(joint.y for joint in joints), max(joint.x for joint in joints), max(joint.y for joint in joints)


def nearest(pose: Pose, at: Joint, within: float) -> Node | None:
    """The joint nearest to a point, the frontmost of several at one place; None if all are farther than `within`."""
    found = [(math.dist(joint, at), -number, place) for number, place in nodes(pose) if (joint := joint_at(pose, (number, place)))]
    distance, number, place = min(found, default=(math.inf, 0, 0))
    return (-number, place) if distance <= within else None


def person_at(pose: Pose, at: Joint, within: float) -> int | None:
    """Whose limb or joint is at a point, the frontmost; None for nobody's."""
    for number in reversed(range(len(pose.people))):
        body = pose.people[number].body
        limbs = [(body[first], body[second]) for first, second in LIMBS] if body else []
        for begin, end in (*limbs, *((joint, joint) for joint in body)):
            if begin and end and _distance(at, begin, end) <= within:
                return number
    return None


def _each(pose: Pose, changes: dict[int, dict[int, Change]]) -> Pose:
    people = list(pose.people)
    for number, of_person in changes.items():
        person = people[number]
        body = tuple(of_person[place](joint) if joint and place in of_person else joint for place, joint in enumerate(person.body))
        carried: dict[str, Joints] = {
            name: tuple(joint and of_person[place](joint) for joint in getattr(person, name)) for place, name in _CARRIED.items() if place in of_person
        }
        people[number] = replace(person, body=body, **carried)
    return replace(pose, people=tuple(people))


def _turn(middle: Joint, angle: float) -> Change:
    cosine, sine = math.cos(angle), math.sin(angle)

    def turn(joint: Joint) -> Joint:
        across, down = joint.x - middle.x, joint.y - middle.y
        return Joint(middle.x + across * cosine - down * sine, middle.y + across * sine + down * cosine)

    return turn


def _sides_exchanged(person: Person) -> Person:
    body = tuple(person.body[place] for place in SIDES) if person.body else ()
    return replace(person, body=body, left_hand=person.right_hand, right_hand=person.left_hand)


def _holder(body: Joints, place: int) -> Joint | None:
    """The nearest known joint that one hangs on."""
    while place in PARENTS:
        place = PARENTS[place]
        if joint := body[place]:
            return joint
    return None


def _guessed(pose: Pose, body: Joints, place: int) -> Joint:
    known = [at for at, joint in enumerate(body) if joint]
    if not known:
        joint = with_person(Pose((), pose.width, pose.height)).people[0].body[place]
        assert joint is not None
        return joint
    lengths = [
        math.dist(begin, end) / math.dist(STANDING[first], STANDING[second])
        for first, second in LIMBS
        if (begin := body[first]) and (end := body[second]) and begin != end
    ]
    tall = median(lengths) if lengths else min(pose.height * _TALL, pose.width * 2.0)
    anchor = min(known, key=lambda at: len(_way(at, place)))
    held = body[anchor]
    assert held is not None
    across, down = (STANDING[place][side] - STANDING[anchor][side] for side in (0, 1))
    return Joint(min(max(held.x + across * tall, 0.0), float(pose.width)), min(max(held.y + down * tall, 0.0), float(pose.height)))


def _way(begin: int, end: int) -> set[int]:
    """The joints between two along the limbs."""
    return _up(begin) ^ _up(end)


def _up(place: int) -> set[int]:
    found = {place}
    while place in PARENTS:
        place = PARENTS[place]
        found.add(place)
    return found


def _distance(at: Joint, begin: Joint, end: Joint) -> float:
    wide, high = end.x - begin.x, end.y - begin.y
    length = wide * wide + high * high
    share = min(max(((at.x - begin.x) * wide + (at.y - begin.y) * high) / length, 0.0), 1.0) if length else 0.0
    return math.hypot(at.x - begin.x - share * wide, at.y - begin.y - share * high)
