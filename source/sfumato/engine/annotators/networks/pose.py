"""People in a picture by OpenPose's networks: bodies by joints and the fields that join them, then hands and faces where bodies say they are.

Cao, Simon, Wei and Sheikh 2017 (bodies: confidence maps and part affinity fields); Simon et al. 2017 (hands, faces: convolutional pose machines).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from sfumato.engine.annotators.networks.files import NetworkFile, Networks
from sfumato.engine.annotators.networks.joining import Found, joined, peaks_of
from sfumato.engine.annotators.networks.seeing import scaled
from sfumato.engine.annotators.row import Bytes, Seen
from sfumato.imaging.pose.skeleton import FACE_JOINTS, HAND_JOINTS, Joint, Joints, Person

_PROJECT = "the project lllyasviel/Annotators"
_STRIDE = 8
_BODY_SIDE = 184  # the height at which bodies are looked for: half of what the network was trained at
_HAND_SIDES = (184, 368, 552, 736)
_HAND_MAP, _FACE_SIDE = 128, 384
_SURE = 0.05
_SMALLEST_BOX = 20


def _vgg(widths: Sequence[int | None], channels: int = 3) -> nn.Sequential:
    """3x3 convolutions with ReLU; None halves the resolution."""
    layers: list[nn.Module] = []
    for wide in widths:
        layers += [nn.MaxPool2d(2)] if wide is None else [nn.Conv2d(channels, wide, 3, padding=1), nn.ReLU()]
        channels = wide or channels
    return nn.Sequential(*layers)


def _stage(channels: int, sides: Sequence[int], widths: Sequence[int]) -> nn.Sequential:
    """Convolutions with ReLU between them, none behind the last."""
    layers: list[nn.Module] = []
    for side, wide in zip(sides, widths, strict=True):
        layers += [nn.Conv2d(channels, wide, side, padding=side // 2), nn.ReLU()]
        channels = wide
    return nn.Sequential(*layers[:-1])


_LATER_SIDES, _LATER = (7, 7, 7, 7, 7, 1), (128,) * 6
_CPM_VGG = (64, 64, None, 128, 128, None, 256, 256, 256, 256, None, 512, 512, 512, 512, 512, 512, 128)
_BODY_VGG = (64, 64, None, 128, 128, None, 256, 256, 256, 256, None, 512, 512, 256, 128)


class BodyNetwork(nn.Module):
    """(B, 3, H, W), channels blue, green, red in -0.5..0.5 -> fields (B, 38, H/8, W/8) and joints with the background (B, 19, H/8, W/8)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = _vgg(_BODY_VGG)
        first = (3, 3, 3, 1, 1), (128, 128, 128, 512)
        self.fields = nn.ModuleList([_stage(128, first[0], (*first[1], 38)), *(_stage(185, (*_LATER_SIDES, 1), (*_LATER, 38)) for _ in range(5))])
        self.joints = nn.ModuleList([_stage(128, first[0], (*first[1], 19)), *(_stage(185, (*_LATER_SIDES, 1), (*_LATER, 19)) for _ in range(5))])

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.features(values)
        given = seen
        fields = joints = seen
        for find_fields, find_joints in zip(self.fields, self.joints, strict=True):
            fields, joints = find_fields(given), find_joints(given)
            given = torch.cat([fields, joints, seen], 1)
        # As it was published: nothing below 0 is sure.
        return fields, joints.relu()


class PartNetwork(nn.Module):
    """(B, 3, H, W), as for bodies -> joints with the background (B, `count`, H/8, W/8), of one hand or face that fills the picture."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.features = _vgg(_CPM_VGG)
        self.stages = nn.ModuleList([_stage(128, (1, 1), (512, count)), *(_stage(128 + count, (*_LATER_SIDES, 1), (*_LATER, count)) for _ in range(5))])

    def forward(self, values: Tensor) -> Tensor:
        seen = self.features(values)
        given, found = seen, seen
        for stage in self.stages:
            found = stage(given)
            given = torch.cat([found, seen], 1)
        return found


# Published names: conv<block>_<number> of the features; conv5_<n>_CPM_L<1|2> and Mconv<n>_stage<s>_L<1|2> of bodies' stages, conv6_<n>_CPM and
# Mconv<n>_stage<s> of the others'.
_BODY_NAMES = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv3_4", "conv4_1", "conv4_2", "conv4_3_CPM", "conv4_4_CPM")
_PART_NAMES = (*_BODY_NAMES[:10], "conv4_3", "conv4_4", "conv5_1", "conv5_2", "conv5_3_CPM")


def _names(features: Sequence[str], widths: Sequence[int | None], stages: dict[str, tuple[str, int]]) -> dict[str, str]:
    """Published name of a convolution -> ours. `stages`: our prefix -> the published names' pattern, and how many convolutions it has."""
    places, place = [], 0
    for wide in widths:
        if wide is not None:
            places.append(place)
        place += 1 if wide is None else 2
    found = {name: f"features.{place}" for name, place in zip(features, places, strict=True)}
    for ours, (pattern, count) in stages.items():
        found |= {pattern.format(number + 1): f"{ours}.{2 * number}" for number in range(count)}
    return found


_BODY_STAGES = {
    f"{ours}.{stage}": (f"conv5_{{}}_CPM_L{branch}", 5) if stage == 0 else (f"Mconv{{}}_stage{stage + 1}_L{branch}", 7)
    for branch, ours in ((1, "fields"), (2, "joints"))
    for stage in range(6)
}
_PART_STAGES = {f"stages.{stage}": ("conv6_{}_CPM", 2) if stage == 0 else (f"Mconv{{}}_stage{stage + 1}", 7) for stage in range(6)}
BODY_NAMES = _names(_BODY_NAMES, _BODY_VGG, _BODY_STAGES)
PART_NAMES = _names(_PART_NAMES, _CPM_VGG, _PART_STAGES)


def _renamed(names: dict[str, str], name: str) -> str:
    module, _, parameter = name.rpartition(".")
    module = module.rsplit(".", 1)[-1]
    return f"{names.get(module, module)}.{parameter}"


BODY_FILE = NetworkFile("body_pose_model", "OpenPose body network", _PROJECT, BodyNetwork, lambda name: _renamed(BODY_NAMES, name))
HAND_FILE = NetworkFile("hand_pose_model", "OpenPose hand network", _PROJECT, lambda: PartNetwork(HAND_JOINTS + 1), lambda name: _renamed(PART_NAMES, name))
FACE_FILE = NetworkFile("facenet", "OpenPose face network", _PROJECT, lambda: PartNetwork(FACE_JOINTS + 1), lambda name: _renamed(PART_NAMES, name))


_FILES = {"body": BODY_FILE, "hands": HAND_FILE, "face": FACE_FILE}


def find_files(networks: Networks, parts: frozenset[str]) -> list[Path]:
    """The files for the wanted parts; bodies are needed for all. Raises `ModelNotFound` if one is not there."""
    return [networks.find(file) for part, file in _FILES.items() if part in {"body", *parts}]


def people_of(seen: Seen) -> tuple[Person, ...]:
    """The people in a picture; hands and faces as far as they are wanted, whose files must be there then."""
    body, hand, face = (seen.networks.open(file) if part in {"body", *seen.parts} else None for part, file in _FILES.items())
    assert body is not None, "hands and faces are found by bodies"
    people = []
    for joints in _bodies(seen, body):
        seen.check()
        hands = [_hand(seen, hand, box) if hand is not None and box else () for box in (_hand_box(joints, (5, 6, 7)), _hand_box(joints, (2, 3, 4)))]
        people.append(Person(joints, hands[0], hands[1], _face(seen, face, _face_box(joints)) if face is not None else ()))
    return tuple(people)


def _shown(pixels: Bytes, size: tuple[int, int], device: torch.device) -> Tensor:
    """Pixels at a size as a network wants them, grey at the right and below up to a multiple of its stride."""
    values = torch.from_numpy(np.ascontiguousarray(pixels[..., ::-1])).to(device).permute(2, 0, 1)[None].float()
    small = nnf.interpolate(values, size, mode="bilinear", align_corners=False, antialias=True)
    grey = nnf.pad(small, (0, -size[1] % _STRIDE, 0, -size[0] % _STRIDE), value=128.0)
    return grey / 256 - 0.5


def _maps(values: Tensor, shown: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """What a network says, at the size (h, w) of the picture, what was added at its sides cut off; on the CPU."""
    grey = values.shape[-2] * _STRIDE, values.shape[-1] * _STRIDE
    whole = scaled(values, (round(size[0] * grey[0] / shown[0]), round(size[1] * grey[1] / shown[1])), "bicubic")
    return whole[0, :, : size[0], : size[1]].cpu()


def _bodies(seen: Seen, network: nn.Module) -> list[Joints]:
    height, width, _ = seen.pixels.shape
    small = _BODY_SIDE, max(_STRIDE, round(width * _BODY_SIDE / height))
    with torch.inference_mode():
        fields, joints = (_maps(each, small, (height, width)) for each in network(_shown(seen.pixels, small, seen.device)))
    seen.check()
    return joined(Found(peaks_of(joints[:18].double().numpy()), fields.double().numpy()))


def _hand_box(joints: Joints, places: tuple[int, int, int]) -> tuple[float, float, float] | None:
    """Left, top and side of the square a hand is in, of shoulder, elbow and wrist (the rule of OpenPose); None if one is not known."""
    shoulder, elbow, wrist = (joints[place] for place in places)
    if not (shoulder and elbow and wrist):
        return None
    reach, upper = np.hypot(wrist.x - elbow.x, wrist.y - elbow.y), np.hypot(elbow.x - shoulder.x, elbow.y - shoulder.y)
    side = float(1.5 * max(reach, 0.9 * upper))
    return wrist.x + 0.33 * (wrist.x - elbow.x) - side / 2, wrist.y + 0.33 * (wrist.y - elbow.y) - side / 2, side


def _face_box(joints: Joints) -> tuple[float, float, float] | None:
    """The same of a face, of the nose and how far eyes (three times) and ears (one and a half) are from it."""
    nose = joints[0]
    others = [(joints[place], factor) for place, factor in ((14, 3.0), (15, 3.0), (16, 1.5), (17, 1.5))]
    if nose is None or not any(joint for joint, _ in others):
        return None
    half = max(max(abs(joint.x - nose.x), abs(joint.y - nose.y)) * factor for joint, factor in others if joint)
    return nose.x - half, nose.y - half, 2 * half


def _cut(pixels: Bytes, box: tuple[float, float, float]) -> tuple[Bytes, int, int] | None:
    """What of a square is inside the picture, and where it begins; None if it is too small to see anything in."""
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    part = pixels[top : max(0, int(box[1] + box[2])), left : max(0, int(box[0] + box[2]))]
    return (part, left, top) if min(part.shape[:2]) >= _SMALLEST_BOX else None


def _hand(seen: Seen, network: nn.Module, box: tuple[float, float, float]) -> Joints:
    if (cut := _cut(seen.pixels, box)) is None:
        return ()
    part, left, top = cut
    total = torch.zeros(HAND_JOINTS, _HAND_MAP, _HAND_MAP)
    with torch.inference_mode():
        for side in _HAND_SIDES:
            total += _maps(network(_shown(part, (side, side), seen.device))[:, :HAND_JOINTS], (side, side), (_HAND_MAP, _HAND_MAP)) / len(_HAND_SIDES)
    return _strongest(total, part.shape[1] / _HAND_MAP, part.shape[0] / _HAND_MAP, left, top)


def _face(seen: Seen, network: nn.Module, box: tuple[float, float, float] | None) -> Joints:
    if box is None or (cut := _cut(seen.pixels, box)) is None:
        return ()
    part, left, top = cut
    with torch.inference_mode():
        said = network(_shown(part, (_FACE_SIDE, _FACE_SIDE), seen.device))[:, :FACE_JOINTS]
        found = scaled(said, (part.shape[0], part.shape[1]))[0].cpu()
    return _strongest(found, 1, 1, left, top)


def _strongest(maps: Tensor, across: float, down: float, left: int, top: int) -> Joints:
    """The strongest place of each map (n, h, w), None where none is sure, in pixels of the picture."""
    joints: list[Joint | None] = []
    for values in maps:
        place = int(values.argmax())
        y, x = divmod(place, values.shape[1])
        joints.append(Joint(x * across + left, y * down + top) if float(values[y, x]) > _SURE else None)
    return tuple(joints)
