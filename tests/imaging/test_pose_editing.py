"""Poses changed by hand: joints, whole people, limbs that bend, and what goes with them."""

from __future__ import annotations

import math

import pytest

from sfumato.imaging.pose.editing import (
    STANDING,
    attached,
    bent,
    bounds,
    changed,
    children_turned,
    flipped,
    joint_at,
    missing_of,
    moved,
    nearest,
    nodes,
    person_at,
    removed,
    scaled,
    turned,
    with_person,
)
from sfumato.imaging.pose.keypoints import Pose
from sfumato.imaging.pose.skeleton import BODY, LIMBS, Joint, Person

NOSE, NECK, SHOULDER, ELBOW, WRIST, LEFT_WRIST = 0, 1, 2, 3, 4, 7
EMPTY = Pose((), 400, 600)
ONE = with_person(EMPTY)
HAND = tuple(Joint(place, 2.0 * place) for place in range(21))
FACE = tuple(Joint(3.0 * place, 5) for place in range(70))
WITH_HAND = Pose((Person(ONE.people[0].body, left_hand=HAND, face=FACE),), 400, 600)


def at(pose: Pose, place: int, person: int = 0) -> Joint:
    found = joint_at(pose, (person, place))
    assert found is not None
    return found


def close(one: Joint, other: tuple[float, float]) -> bool:
    return math.dist(one, other) < 1e-9


@pytest.mark.rule("D71")
def test_any_number_of_people_stand_inside_the_map() -> None:
    pose = EMPTY
    for count in range(1, 101):
        pose = with_person(pose)
        assert len(pose.people) == count
    assert with_person(pose) is pose
    assert all(0 <= joint.x <= 400 and 0 <= joint.y <= 600 for person in pose.people[:2] for joint in person.body if joint)
    assert len(nodes(pose)) == 1800 and len(STANDING) == len(BODY)


@pytest.mark.rule("D71")
def test_hands_and_face_go_with_the_joint_they_hang_on() -> None:
    shifted = moved(WITH_HAND, [(0, LEFT_WRIST)], 5, -7)
    assert shifted.people[0].left_hand == tuple(Joint(joint.x + 5, joint.y - 7) for joint in HAND)
    assert shifted.people[0].face == FACE
    larger = scaled(WITH_HAND, nodes(WITH_HAND), Joint(0, 0), 2, 3)
    assert larger.people[0].face == tuple(Joint(joint.x * 2, joint.y * 3) for joint in FACE)
    assert removed(WITH_HAND, [(0, LEFT_WRIST)]).people[0].left_hand == ()
    assert removed(WITH_HAND, [(0, WRIST)]).people[0].left_hand == HAND
    # Bending the elbow brings the hand along as it turns the wrist.
    chain = bent(WITH_HAND, (0, 6), Joint(10, 10))
    before, after = at(WITH_HAND, LEFT_WRIST), at(chain, LEFT_WRIST)
    assert math.isclose(math.dist(before, HAND[9]), math.dist(after, chain.people[0].left_hand[9] or Joint(0, 0)))


@pytest.mark.rule("D71")
def test_people_are_turned_scaled_and_mirrored() -> None:
    around = turned(ONE, nodes(ONE), at(ONE, NECK), math.pi / 2)
    nose = at(ONE, NOSE)
    assert close(at(around, NOSE), (at(ONE, NECK).x + at(ONE, NECK).y - nose.y, at(ONE, NECK).y))
    back = turned(around, nodes(around), at(around, NECK), -math.pi / 2)
    assert all(close(at(back, place), at(ONE, place)) for place in range(18))

    mirrored = flipped(bent(ONE, (0, ELBOW), Joint(20, 100)), nodes(ONE))
    left, _, right, _ = bounds(ONE, [(0, ELBOW), *nodes(ONE)])
    assert mirrored != ONE and left < right
    # The arm that was bent is the left one in the mirror.
    twice = flipped(mirrored, nodes(mirrored))
    assert all(close(at(twice, place), at(bent(ONE, (0, ELBOW), Joint(20, 100)), place)) for place in range(18))
    assert at(mirrored, 6).x > at(mirrored, 5).x + 50
    # A single arm is mirrored as it is named.
    arm = flipped(ONE, [(0, ELBOW), (0, WRIST)])
    assert close(at(arm, ELBOW), (at(ONE, WRIST).x, at(ONE, ELBOW).y))
    upside = flipped(ONE, nodes(ONE), upright=False)
    assert at(upside, NOSE).y > at(upside, 10).y
    both = flipped(WITH_HAND, nodes(WITH_HAND))
    assert both.people[0].left_hand == () and len(both.people[0].right_hand) == 21


@pytest.mark.rule("D71")
def test_a_bent_limb_takes_along_what_hangs_on_it() -> None:
    to = Joint(at(ONE, ELBOW).x - 40, at(ONE, ELBOW).y - 60)
    made = bent(ONE, (0, ELBOW), to)
    assert close(at(made, ELBOW), to) and at(made, SHOULDER) == at(ONE, SHOULDER)
    assert math.isclose(math.dist(at(made, ELBOW), at(made, WRIST)), math.dist(at(ONE, ELBOW), at(ONE, WRIST)))

    def angle(pose: Pose, first: int, second: int) -> float:
        return math.atan2(at(pose, second).y - at(pose, first).y, at(pose, second).x - at(pose, first).x)

    turn = angle(made, SHOULDER, ELBOW) - angle(ONE, SHOULDER, ELBOW)
    assert math.isclose(math.remainder(angle(made, ELBOW, WRIST) - angle(ONE, ELBOW, WRIST) - turn, math.tau), 0, abs_tol=1e-9)

    only_angle = bent(ONE, (0, ELBOW), to, keeps_length=True)
    assert math.isclose(math.dist(at(only_angle, SHOULDER), at(only_angle, ELBOW)), math.dist(at(ONE, SHOULDER), at(ONE, ELBOW)))
    assert math.isclose(angle(only_angle, SHOULDER, ELBOW), math.atan2(to.y - at(ONE, SHOULDER).y, to.x - at(ONE, SHOULDER).x))
    only_length = bent(ONE, (0, ELBOW), Joint(at(ONE, ELBOW).x - 5, at(ONE, ELBOW).y + 80), keeps_angle=True)
    assert math.isclose(angle(only_length, SHOULDER, ELBOW), angle(ONE, SHOULDER, ELBOW))
    assert math.dist(at(only_length, SHOULDER), at(only_length, ELBOW)) > math.dist(at(ONE, SHOULDER), at(ONE, ELBOW)) + 50

    # Everything hangs on the neck; a limb without its holder hangs on the next.
    everything = bent(ONE, (0, NECK), Joint(at(ONE, NECK).x + 9, at(ONE, NECK).y))
    assert all(close(at(everything, place), (at(ONE, place).x + 9, at(ONE, place).y)) for place in range(18))
    lone = removed(ONE, [(0, SHOULDER), (0, NECK)])
    assert close(at(bent(lone, (0, ELBOW), Joint(1, 1)), WRIST), (at(ONE, WRIST).x + 1 - at(ONE, ELBOW).x, at(ONE, WRIST).y + 1 - at(ONE, ELBOW).y))
    assert bent(lone, (0, NECK), Joint(1, 1)) == lone

    raised = children_turned(ONE, (0, SHOULDER), math.pi)
    assert at(raised, SHOULDER) == at(ONE, SHOULDER) and at(raised, WRIST).y < at(ONE, SHOULDER).y


@pytest.mark.rule("D71")
def test_joints_are_deleted_and_attached_where_they_would_be() -> None:
    bare = removed(ONE, [(0, place) for place in range(18) if place not in (NECK, SHOULDER)])
    assert len(missing_of(bare, [0])) == 16
    whole = attached(bare, missing_of(bare, [0]))
    assert all(math.dist(at(whole, place), at(ONE, place)) < 0.5 for place in range(18))
    assert attached(ONE, [(0, ELBOW)]) == ONE
    one_back = attached(bare, [(0, WRIST)])
    assert joint_at(one_back, (0, ELBOW)) is None and joint_at(one_back, (0, WRIST)) is not None
    assert removed(ONE, nodes(ONE)) == EMPTY
    two = with_person(ONE)
    assert removed(two, [node for node in nodes(two) if node[0] == 0]).people == (two.people[1],)
    nobody = Pose((Person((None,) * 18, face=FACE),), 400, 600)
    made = attached(nobody, missing_of(nobody, [0]))
    assert all(math.dist(at(made, place), at(ONE, place)) < 0.5 for place in range(18)) and made.people[0].face == FACE


def test_joints_and_people_are_found_by_a_point() -> None:
    two = Pose((ONE.people[0], changed(ONE, nodes(ONE), lambda joint: Joint(joint.x + 1, joint.y)).people[0]), 400, 600)
    elbow = at(ONE, ELBOW)
    assert nearest(ONE, Joint(elbow.x + 3, elbow.y), 5) == (0, ELBOW)
    assert nearest(ONE, Joint(elbow.x + 9, elbow.y - 9), 5) is None
    same = Pose((ONE.people[0], ONE.people[0]), 400, 600)
    assert nearest(same, elbow, 5) == (1, ELBOW)
    first, second = LIMBS[3]
    middle = Joint((at(ONE, first).x + at(ONE, second).x) / 2, (at(ONE, first).y + at(ONE, second).y) / 2)
    assert person_at(two, middle, 3) == 1 and person_at(ONE, Joint(1, 1), 3) is None
    assert bounds(ONE, []) == (0, 0, 0, 0)
