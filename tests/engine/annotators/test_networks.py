"""Preprocessors that are networks: their files, their shapes, and what is made of what they say; with random weights of the published shapes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from sfumato.engine.annotators import PREPROCESSORS, Workshop, annotate, find_files
from sfumato.engine.annotators.networks import hed, joining, line_art, pidinet, pose, straight_lines
from sfumato.engine.annotators.networks.files import NetworkFile
from sfumato.engine.annotators.people import draw_people
from sfumato.engine.annotators.row import Seen
from sfumato.imaging.pose.skeleton import Joint
from sfumato.protocol.errors import CorruptFile, ModelIncomplete, ModelNotFound, PickleRefused, Stopped
from sfumato.protocol.requests.control import ControlUnit
from tests.engine.annotators.conftest import png
from tests.engine.annotators.test_pose import STANDING

FILES = (hed.FILE, pidinet.FILE, line_art.FILE, line_art.ANIME_FILE, straight_lines.FILE, pose.BODY_FILE, pose.HAND_FILE, pose.FACE_FILE)


def saved(file: NetworkFile, models: Path, prefix: str = "") -> Path:
    """A file of random weights under the network's published names, as far as they are ours too."""
    torch.manual_seed(0)
    module = file.build()
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(0, 0.02)
    path = models / "annotators" / f"{file.name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({prefix + name: weight.contiguous() for name, weight in module.state_dict().items()}, path)
    return path


def models_of(workshop: Workshop) -> Path:
    return workshop.networks.folders[0]


# -- shapes and names as they were published ------------------------------------------------------


@pytest.mark.rule("E84")
@pytest.mark.parametrize(
    ("file", "parameters", "names"),
    [
        (hed.FILE, 14_716_168, ["norm", "block1.convs.0.weight", "block3.convs.2.bias", "block5.projection.weight"]),
        (pidinet.FILE, 710_149, ["init_block.weight", "block2_1.shortcut.weight", "block4_4.conv1.weight", "dilations.0.conv2_4.weight",
                                 "conv_reduces.0.conv.weight", "classifier.bias"]),
        (line_art.FILE, 4_290_945, ["model0.1.weight", "model1.3.bias", "model2.2.conv_block.5.weight", "model3.3.weight", "model4.1.bias"]),
        (line_art.ANIME_FILE, 54_405_505, ["model.model.0.weight", "model.model.1.model.1.weight", "model.model.1.model.3.model.5.bias"]),
        (straight_lines.FILE, 1_533_680, ["backbone.features.0.0.weight", "backbone.features.1.conv.1.weight", "backbone.features.13.conv.3.running_mean",
                                          "block15.conv2.0.weight", "block22.conv1.1.bias", "block23.conv3.weight"]),
        (pose.BODY_FILE, 52_311_446, []),
        (pose.HAND_FILE, 36_832_324, []),
        (pose.FACE_FILE, 38_425_706, []),
    ],
    ids=lambda value: value.name if isinstance(value, NetworkFile) else "",
)  # fmt: skip
def test_a_network_has_the_published_weights(file: NetworkFile, parameters: int, names: list[str]) -> None:
    with torch.device("meta"):
        module = file.build()
    assert sum(weight.numel() for weight in module.parameters()) == parameters
    assert set(names) <= set(module.state_dict())


@pytest.mark.rule("E84")
def test_openposes_names_lead_to_our_weights() -> None:
    body = [f"conv{block}_{number}" for block, count in ((1, 2), (2, 2), (3, 4), (4, 2)) for number in range(1, count + 1)] + ["conv4_3_CPM", "conv4_4_CPM"]
    body += [f"conv5_{number}_CPM_L{branch}" for number in range(1, 6) for branch in (1, 2)]
    body += [f"Mconv{number}_stage{stage}_L{branch}" for number in range(1, 8) for stage in range(2, 7) for branch in (1, 2)]
    part = [f"conv{block}_{number}" for block, count in ((1, 2), (2, 2), (3, 4), (4, 4), (5, 2)) for number in range(1, count + 1)] + ["conv5_3_CPM"]
    part += ["conv6_1_CPM", "conv6_2_CPM"] + [f"Mconv{number}_stage{stage}" for number in range(1, 8) for stage in range(2, 7)]
    for file, published in ((pose.BODY_FILE, body), (pose.HAND_FILE, part), (pose.FACE_FILE, part)):
        with torch.device("meta"):
            ours = set(file.build().state_dict())
        assert {file.renamed(f"{name}.{parameter}") for name in published for parameter in ("weight", "bias")} == ours
        assert file.renamed("model1_0.conv1_1.weight") == "features.0.weight"
    with torch.device("meta"):
        shapes = pose.BODY_FILE.build().state_dict()
    assert shapes[pose.BODY_FILE.renamed("Mconv1_stage3_L2.weight")].shape == (128, 185, 7, 7)
    assert shapes[pose.BODY_FILE.renamed("Mconv7_stage6_L1.bias")].shape == (38,)


@pytest.mark.slow  # torch takes long to think of shapes alone the first time
def test_networks_say_as_much_as_they_are_asked() -> None:
    size = (64, 96)
    with torch.device("meta"):
        values = torch.empty(1, 3, *size)
        fields, joints = pose.BODY_FILE.build()(values)
        assert fields.shape == (1, 38, size[0] // 8, size[1] // 8) and joints.shape == (1, 19, size[0] // 8, size[1] // 8)
        assert pose.HAND_FILE.build()(values).shape[1] == 22 and pose.FACE_FILE.build()(values).shape[1] == 71
        assert hed.FILE.build()(values).shape == pidinet.FILE.build()(values).shape == line_art.FILE.build()(values).shape == (1, 1, *size)
        assert line_art.ANIME_FILE.build()(torch.empty(1, 3, 256, 512)).shape == (1, 1, 256, 512)
        assert straight_lines.FILE.build()(torch.empty(1, 4, 64, 128)).shape == (1, 9, 32, 64)


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.rule("E84", "R11")
@pytest.mark.parametrize(
    ("name", "file", "prefix"),
    [
        ("softedge_pidinet", pidinet.FILE, "state_dict.module."),
        ("mlsd", straight_lines.FILE, ""),
        ("lineart_realistic", line_art.FILE, ""),
        ("softedge_hed", hed.FILE, ""),
        ("scribble_hed", hed.FILE, ""),
    ],
)
def test_a_network_is_read_from_its_file_once_and_makes_a_map_of_any_size(
    name: str, file: NetworkFile, prefix: str, disc: NDArray[np.uint8], workshop: Workshop
) -> None:
    path = saved(file, models_of(workshop), prefix)
    made = annotate(ControlUnit(preprocessor=name), png(disc), None, workshop)
    assert made.pixels.shape == (60, 80, 3)
    kept = workshop.networks.kept
    assert kept.nbytes == sum(weight.nbytes for weight in workshop.networks.open(file).state_dict().values()) > 0
    module = workshop.networks.open(file)
    assert not module.training and not any(weight.requires_grad for weight in module.parameters())
    for size in ((33, 18), (16, 16)):
        assert annotate(ControlUnit(preprocessor=name), png(disc), size, workshop).pixels.shape == (size[1], size[0], 3)
    assert workshop.networks.open(file) is module
    again = annotate(ControlUnit(preprocessor=name), png(disc[:, ::-1]), None, workshop)
    assert again.pixels.shape == made.pixels.shape
    # A file that changed is another network, also for maps that are in memory.
    assert annotate(ControlUnit(preprocessor=name), png(disc), None, workshop) is made
    os.utime(path, ns=(1, 1))
    assert annotate(ControlUnit(preprocessor=name), png(disc), None, workshop) is not made
    workshop.clear()
    assert kept.nbytes == 0 and workshop.maps.nbytes == 0


@pytest.mark.slow  # they are large
@pytest.mark.rule("E84", "R11")
@pytest.mark.parametrize("name", ["lineart_anime", "lineart_coarse", "openpose"])
def test_the_large_networks_run_on_the_processor(name: str, disc: NDArray[np.uint8], workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfumato.engine.annotators.networks.files.Networks.open", lambda self, file: file.build().eval().requires_grad_(False))
    monkeypatch.setattr("sfumato.engine.annotators.networks.files.Networks.find", lambda self, file: Path(__file__))
    assert annotate(ControlUnit(preprocessor=name), png(disc), None, workshop).pixels.shape == (60, 80, 3)


@pytest.mark.rule("E84")
def test_a_missing_file_is_named_with_its_place_and_a_pickle_is_not_opened(disc: NDArray[np.uint8], workshop: Workshop) -> None:
    folder = models_of(workshop) / "annotators"
    for name, row in PREPROCESSORS.items():
        if not row.files:
            continue
        with pytest.raises(ModelNotFound) as caught:
            annotate(ControlUnit(preprocessor=name), png(disc), None, workshop, path="control.0.")
        with pytest.raises(ModelNotFound, match=r"published in") as early:
            find_files(ControlUnit(preprocessor=name), workshop, "control.0.")
        assert (early.value.message, early.value.path) == (caught.value.message, caught.value.path)
        assert row.files[0] in caught.value.message and "models/annotators" in caught.value.message and "published in" in caught.value.message
        assert "://" not in caught.value.message and caught.value.path == "control.0.preprocessor"
    folder.mkdir(parents=True)
    (folder / "ControlNetHED.pth").write_bytes(b"PK\x03\x04" + bytes(64))
    with pytest.raises(PickleRefused, match="sfumato convert"):
        annotate(ControlUnit(preprocessor="softedge_hed"), png(disc), None, workshop)
    (folder / "ControlNetHED.pth").unlink()
    (folder / "ControlNetHED.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(CorruptFile):
        annotate(ControlUnit(preprocessor="softedge_hed"), png(disc), None, workshop)
    other = saved(pidinet.FILE, models_of(workshop))
    other.replace(folder / "ControlNetHED.safetensors")
    with pytest.raises(ModelIncomplete, match="has no complete HED network"):
        annotate(ControlUnit(preprocessor="softedge_hed"), png(disc), None, workshop)


def test_a_cancel_while_weights_are_read_keeps_nothing(disc: NDArray[np.uint8], workshop: Workshop) -> None:
    saved(pidinet.FILE, models_of(workshop))
    asked = iter(range(20))

    def stop() -> None:
        if next(asked) == 10:
            raise Stopped

    with pytest.raises(Stopped):
        annotate(ControlUnit(preprocessor="softedge_pidinet"), png(disc), None, replace(workshop, networks=replace(workshop.networks, check=stop)))
    assert workshop.networks.kept.nbytes == 0


# -- what is special about each --------------------------------------------------------------------


def test_pixel_differences_are_those_of_the_paper() -> None:
    torch.manual_seed(1)
    weight, values = torch.randn(2, 1, 3, 3), torch.randn(1, 1, 9, 9)

    def at(row: int, column: int) -> Tensor:
        return values[0, 0, 4 + row, 4 + column]

    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    for filter_, made in zip(weight[:, 0], nnf.conv2d(values, pidinet._central(weight), padding=1)[0, :, 4, 4], strict=True):
        wanted = torch.stack([filter_[1 + row, 1 + column] * (at(row, column) - at(0, 0)) for row in (-1, 0, 1) for column in (-1, 0, 1)]).sum()
        assert torch.allclose(made, wanted, atol=1e-5)
    for filter_, made in zip(weight[:, 0], nnf.conv2d(values, pidinet._angular(weight), padding=1)[0, :, 4, 4], strict=True):
        # Each place of the ring against the next one, clockwise: their difference, weighed by the first.
        wanted = torch.stack(
            [filter_[1 + here[0], 1 + here[1]] * (at(*here) - at(*next_)) for here, next_ in zip(ring, ring[1:] + ring[:1], strict=True)]
        ).sum()
        assert torch.allclose(made, wanted, atol=1e-5)
    for filter_, made in zip(weight[:, 0], nnf.conv2d(values, pidinet._radial(weight), padding=2)[0, :, 4, 4], strict=True):
        outer = [at(2 * row, 2 * column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)]
        inner = [at(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0)]
        wanted = torch.stack([filter_.flatten()[1 + place] * (far - near) for place, (far, near) in enumerate(zip(outer, inner, strict=True))]).sum()
        assert torch.allclose(made, wanted, atol=1e-5)


@pytest.mark.rule("E84")
def test_lines_are_read_from_their_middles() -> None:
    found = torch.zeros(1, 9, 40, 60)
    found[0, 0] = -9
    for (y, x), logit, ends in (
        ((10, 20), 2.0, (-12, -4, 12, 4)),
        ((30, 40), 1.0, (0, -2, 0, 2)),
        ((11, 21), 1.9, (-9, 0, 9, 0)),
        ((20, 50), -3.0, (-9, 0, 9, 0)),
    ):
        found[0, 0, y, x] = logit
        found[0, 1:5, y, x] = torch.tensor(ends)
    assert [tuple(map(round, line)) for line in straight_lines.lines_of(found, 0.1, 10)] == [(16, 12, 64, 28)]
    # Shorter ones too; a place beside a likelier middle is none.
    assert len(list(straight_lines.lines_of(found, 0.1, 1))) == 2
    assert len(list(straight_lines.lines_of(found, 0.01, 1))) == 3


# -- people ----------------------------------------------------------------------------------------


def maps_of(people: list[tuple[tuple[float, float], ...]], height: int, width: int, sigma: float = 3.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a perfect network says of people: Gaussians at joints (19), unit vectors along limbs (38)."""
    rows, columns = np.mgrid[:height, :width]
    joints, fields = np.zeros((19, height, width)), np.zeros((38, height, width))
    for person in people:
        for place, (x, y) in enumerate(person):
            joints[place] = np.maximum(joints[place], np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)))
        for (first, second), (across, down) in zip(joining._PAIRS, joining._FIELDS, strict=True):
            (x, y), (u, v) = person[first], person[second]
            length = max(np.hypot(u - x, v - y), 1e-6)
            along = ((columns - x) * (u - x) + (rows - y) * (v - y)) / length
            beside = np.abs((columns - x) * (v - y) - (rows - y) * (u - x)) / length
            near = (along > -sigma) & (along < length + sigma) & (beside < 1.5 * sigma)
            fields[across][near], fields[down][near] = (u - x) / length, (v - y) / length
    return joints, fields


def moved(scale: float, x: float, y: float) -> tuple[tuple[float, float], ...]:
    return tuple((across * scale + x, down * scale + y) for across, down in STANDING)


@pytest.mark.rule("E84")
def test_joints_are_joined_to_the_people_they_belong_to() -> None:
    people = [moved(2, 5, 5), moved(2, 130, 20), moved(1.5, 270, 60)]
    joints, fields = maps_of(people, 260, 380)
    found = joining.joined(joining.Found(joining.peaks_of(joints[:18]), fields))
    assert len(found) == 3
    for body, person in zip(sorted(found, key=lambda body: body[1].x if body[1] else 0), people, strict=True):
        assert all(joint is not None and abs(joint.x - x) < 2 and abs(joint.y - y) < 2 for joint, (x, y) in zip(body, person, strict=True))
    joints[2:5] = 0  # no right arms: the rest of everybody is still one
    lacking = joining.joined(joining.Found(joining.peaks_of(joints[:18]), fields))
    assert len(lacking) == 3 and all(body[place] is None for body in lacking for place in (2, 3, 4)) and all(body[7] for body in lacking)
    assert joining.joined(joining.Found(joining.peaks_of(np.zeros((18, 40, 40))), np.zeros((38, 40, 40)))) == []
    noise = np.random.default_rng(0)
    joining.joined(joining.Found(joining.peaks_of(noise.random((18, 80, 80))), noise.normal(size=(38, 80, 80))))


class Seer(nn.Module):
    """Says of a picture what a test wrote, at an eighth of the size it is shown."""

    def __init__(self, said: list[NDArray[np.float64]]) -> None:
        super().__init__()
        self._said = said

    def forward(self, values: Tensor) -> Any:
        size = (values.shape[-2] // 8, values.shape[-1] // 8)
        said = [nnf.interpolate(torch.from_numpy(each)[None].float(), size, mode="bilinear", align_corners=False) for each in self._said]
        return tuple(said) if len(said) > 1 else said[0]


@pytest.mark.rule("E84", "D72")
def test_a_person_is_found_where_they_stand_with_hands_and_face(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    person = moved(3, 40, 10)
    joints, fields = maps_of([person], 368, 400, 12.0)
    hand, face = np.zeros((22, 64, 64)), np.zeros((71, 64, 64))
    hand[:21, 32, 16], face[:70, 16, 48] = 1, 1
    networks = {pose.BODY_FILE.name: Seer([fields, joints]), pose.HAND_FILE.name: Seer([hand]), pose.FACE_FILE.name: Seer([face])}
    monkeypatch.setattr("sfumato.engine.annotators.networks.files.Networks.open", lambda self, file: networks[file.name])
    monkeypatch.setattr("sfumato.engine.annotators.networks.files.Networks.find", lambda self, file: Path(__file__))
    seen = Seen(np.full((368, 400, 3), 90, np.uint8), torch.device("cpu"), workshop.networks)
    (found,) = pose.people_of(seen)
    assert all(joint is not None and np.hypot(joint.x - x, joint.y - y) < 8 for joint, (x, y) in zip(found.body, person, strict=True))
    assert len(found.left_hand) == len(found.right_hand) == 21 and len(found.face) == 70
    wrist, elbow = found.body[7], found.body[6]
    assert wrist and elbow
    # The hand's box is around what lies behind the wrist; the map's joint is in its middle third.
    finger = next(iter(found.left_hand))
    assert isinstance(finger, Joint) and np.hypot(finger.x - wrist.x, finger.y - wrist.y) < 60
    made = annotate(ControlUnit(preprocessor="openpose"), png(seen.pixels), None, workshop)
    assert made.pose is not None and np.array_equal(made.pixels, draw_people(made.pose.people, 400, 368))
    bare = annotate(ControlUnit(preprocessor="openpose", hands=False, face=False), png(seen.pixels), None, workshop)
    assert bare.pose is not None and [(len(each.left_hand), len(each.face)) for each in bare.pose.people] == [(0, 0)]


# -- depth -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def depth_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, DPTConfig, DPTForDepthEstimation

    import sfumato.engine.offline  # noqa: F401  before transformers

    models = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    dpt = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, is_hybrid=False, reassemble_factors=[4, 2, 1, 0.5],
    )  # fmt: skip
    DPTForDepthEstimation(dpt).save_pretrained(models / "annotators" / "tiny-dpt", safe_serialization=True)
    shape: dict[str, Any] = {"out_indices": [1, 2, 3, 4]}
    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=1, image_size=28, patch_size=14, **shape,
        reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    anything = DepthAnythingConfig(backbone_config=backbone, reassemble_hidden_size=16, patch_size=14, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
                                   head_hidden_size=8)  # fmt: skip
    DepthAnythingForDepthEstimation(anything).save_pretrained(models / "annotators" / "tiny-anything", safe_serialization=True)
    return models


@pytest.mark.slow
@pytest.mark.rule("E84", "R11")
@pytest.mark.parametrize("name", ["depth_dpt", "depth_anything", "normal_dpt"])
def test_depth_is_found_by_a_folder_of_transformers(name: str, depth_folders: Path, disc: NDArray[np.uint8], workshop: Workshop) -> None:
    there = replace(workshop, networks=replace(workshop.networks, folders=(depth_folders,)))
    made = annotate(ControlUnit(preprocessor=name), png(disc), (96, 64), there)
    assert made.pixels.shape == (64, 96, 3)
    if name != "normal_dpt":
        assert (made.pixels.min(), made.pixels.max()) == (0, 255) and (made.pixels[..., 0] == made.pixels[..., 1]).all()
    assert there.networks.kept.nbytes > 0
    again = annotate(ControlUnit(preprocessor=name), png(disc[::-1]), (64, 64), there)
    assert again.pixels.shape == (64, 64, 3)


@pytest.mark.slow
def test_a_folder_without_safe_weights_is_refused(depth_folders: Path, tmp_path: Path, disc: NDArray[np.uint8], workshop: Workshop) -> None:
    folder = models_of(workshop) / "annotators" / "tiny"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes((depth_folders / "annotators" / "tiny-dpt" / "config.json").read_bytes())
    (folder / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelNotFound, match=r"tiny/model\.safetensors"):
        annotate(ControlUnit(preprocessor="depth_dpt"), png(disc), None, workshop)
    (folder / "model.safetensors").write_bytes((depth_folders / "annotators" / "tiny-anything" / "model.safetensors").read_bytes())
    with pytest.raises(ModelIncomplete, match=r"'tiny/model.safetensors' has no complete depth network"):
        annotate(ControlUnit(preprocessor="depth_dpt"), png(disc), None, workshop)
    (folder / "config.json").write_text('{"architectures": ["DPTForDepthEstimation"], "model_type": "no such"}')
    with pytest.raises(CorruptFile):
        annotate(ControlUnit(preprocessor="depth_dpt"), png(disc), None, workshop)
