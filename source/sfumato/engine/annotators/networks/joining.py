"""From confidence maps and part affinity fields to bodies: which joints belong to one person (Cao et al. 2017, section 2.3, with OpenPose's thresholds)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sfumato.engine.annotators.edges import blurred
from sfumato.imaging.pose.skeleton import BODY, LIMBS, Joint, Joints

Floats = NDArray[np.float64]

# Ears and shoulders are joined too; they begin no body of their own.
_PAIRS = (*LIMBS, (2, 16), (5, 17))
# Pair -> its two fields (x, y) among the 38.
_FIELDS = (
    (12, 13), (20, 21), (14, 15), (16, 17), (22, 23), (24, 25), (0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11), (28, 29), (30, 31), (34, 35), (32, 33),
    (36, 37), (18, 19), (26, 27),
)  # fmt: skip
_PEAK, _ALONG, _ALONG_SHARE, _SAMPLES = 0.1, 0.05, 0.8, 10
_JOINTS_AT_LEAST, _SCORE_AT_LEAST = 4, 0.4
# A map of noise has thousands of peaks; more people than this are not told apart in a picture.
_PEAKS_AT_MOST = 100


class Peak(NamedTuple):
    x: int
    y: int
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """Peaks of each joint, and the fields (38, H, W) that point from joint to joint."""

    peaks: list[list[Peak]]
    fields: Floats


@dataclass(slots=True)
class _Body:
    """A body while it grows: joint -> which of its peaks."""

    joints: dict[int, int] = field(default_factory=dict)
    score: float = 0.0


def peaks_of(maps: Floats) -> list[list[Peak]]:
    """The peaks of each of the maps (18, H, W) above 0.1, the strongest first."""
    found = []
    for values in maps:
        smooth = np.pad(blurred(values, 3.0), 1)
        middle = smooth[1:-1, 1:-1]
        # Of equal neighbours the last is the peak: two would tear a body apart.
        is_top = (middle >= smooth[:-2, 1:-1]) & (middle > smooth[2:, 1:-1]) & (middle >= smooth[1:-1, :-2]) & (middle > smooth[1:-1, 2:])
        is_peak = is_top & (middle > _PEAK)
        peaks = [Peak(int(x), int(y), float(values[y, x])) for y, x in zip(*np.nonzero(is_peak), strict=True)]
        found.append(sorted(peaks, key=lambda peak: -peak.score)[:_PEAKS_AT_MOST])
    return found


def joined(found: Found) -> list[Joints]:
    """The bodies, 18 joints each, of at least four that are known."""
    bodies: list[_Body] = []
    for number, (first, second) in enumerate(_PAIRS):
        for begin, end, score in _links(found, number):
            _grow(bodies, found, (first, begin), (second, end), score, begins=number < len(LIMBS))
    told = [body for body in bodies if len(body.joints) >= _JOINTS_AT_LEAST and body.score / len(body.joints) >= _SCORE_AT_LEAST]
    return [tuple(Joint(*found.peaks[place][body.joints[place]][:2]) if place in body.joints else None for place in range(len(BODY))) for body in told]


def _links(found: Found, number: int) -> list[tuple[int, int, float]]:
    """Peaks of a pair of joints that the fields join, each peak at most once, the surest first."""
    first, second = _PAIRS[number]
    if not found.peaks[first] or not found.peaks[second]:
        return []
    starts = np.array([peak[:2] for peak in found.peaks[first]], np.float64)[:, None]  # (n, 1, 2) of x, y
    goals = np.array([peak[:2] for peak in found.peaks[second]], np.float64)[None]  # (1, m, 2)
    reach = goals - starts
    length = np.maximum(np.hypot(reach[..., 0], reach[..., 1]), 0.001)
    samples = starts[:, :, None] + reach[:, :, None] * np.linspace(0, 1, _SAMPLES)[:, None]  # (n, m, samples, 2)
    columns, rows = (samples[..., axis].round().astype(np.intp) for axis in (0, 1))
    across, down = (found.fields[place][rows, columns] for place in _FIELDS[number])
    along = (across * reach[..., :1] + down * reach[..., 1:]) / length[..., None]
    scores = along.mean(axis=2) + np.minimum(0.5 * found.fields.shape[1] / length - 1, 0)
    is_likely = ((along > _ALONG).sum(axis=2) > _ALONG_SHARE * _SAMPLES) & (scores > 0)
    candidates = [(int(begin), int(end), float(scores[begin, end])) for begin, end in zip(*np.nonzero(is_likely), strict=True)]
    links: list[tuple[int, int, float]] = []
    taken: tuple[set[int], set[int]] = set(), set()
    for begin, end, score in sorted(candidates, key=lambda each: -each[2]):
        if begin not in taken[0] and end not in taken[1]:
            links.append((begin, end, score))
            taken[0].add(begin)
            taken[1].add(end)
    return links


def _grow(bodies: list[_Body], found: Found, first: tuple[int, int], second: tuple[int, int], score: float, begins: bool) -> None:
    """Put a link into the body it belongs to: it lengthens one, joins two, or begins one."""
    (joint, begin), (other, end) = first, second
    holders = [body for body in bodies if body.joints.get(joint) == begin or body.joints.get(other) == end]
    strength = found.peaks[other][end].score
    if not holders:
        if begins:
            bodies.append(_Body({joint: begin, other: end}, found.peaks[joint][begin].score + strength + score))
        return
    body = holders[0]
    if len(holders) > 1 and not body.joints.keys() & holders[1].joints.keys():
        body.joints |= holders[1].joints
        body.score += holders[1].score + score
        bodies.remove(holders[1])
    elif body.joints.get(other) != end:
        body.joints[other] = end
        body.score += strength + score
