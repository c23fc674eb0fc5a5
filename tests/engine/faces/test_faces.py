"""Faces found, mended and laid back; and what is said where a file for it is not there."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import ResNetConfig, ResNetModel

from sfumato.engine.device import choose
from sfumato.engine.faces.detection import Face, RetinaFaceDetector, anchors, open_detector
from sfumato.engine.faces.files import find_detector, find_restorer
from sfumato.engine.faces.mending import RESTORERS, FaceMender
from sfumato.engine.faces.retinaface import MobileNet, ResNet50, RetinaFace, network_for
from sfumato.engine.upscalers.network import ImageNetwork
from sfumato.engine.upscalers.reading import open_network
from sfumato.engine.upscalers.torchvision_functions import lent
from sfumato.protocol.errors import CorruptFile, ModelNotFound, ModelUnsupported, PickleRefused, Stopped
from tests.engine.faces.test_alignment import face_at, smooth
from tests.engine.test_upscale_job import Desk
from tests.support.tiny_upscalers import rrdb, seeded, write

CPU = choose("fp32", "cpu")


class Found:
    """A detector that was told beforehand."""

    nbytes = 0

    def __init__(self, *faces: np.ndarray) -> None:
        self.faces = [Face(landmarks) for landmarks in faces]

    def __call__(self, picture: Image.Image) -> list[Face]:
        assert picture.mode == "RGB"
        return self.faces


class Former(nn.Module):
    """Answers as the three restorers do: with what `make` makes of the face, and something besides."""

    def __init__(self, make: Any = lambda face: face) -> None:
        super().__init__()
        self.make = make
        self.asked: list[dict[str, Any]] = []

    def forward(self, face: Tensor, **asked: Any) -> tuple[Tensor, None]:
        assert face.shape == (1, 3, 512, 512)
        assert -1 <= face.min() < -0.2 < 0.2 < face.max() <= 1
        self.asked.append(asked)
        return self.make(face), None


def restorer(module: nn.Module, architecture: str = "GFPGAN") -> ImageNetwork:
    return ImageNetwork("former.safetensors", architecture, module, 1, 3, module, torch.device("cpu"), torch.float32, is_face=True)


# -- mending ---------------------------------------------------------------------------------------


@pytest.mark.rule("E79")
def test_a_restorer_that_changes_nothing_leaves_the_picture() -> None:
    picture = smooth(300, 240)
    mender = FaceMender(restorer(Former()), Found(face_at(100, 120, 150, 20), face_at(220, 100, 90, -30)))
    mended, count = mender(picture)
    assert count == 2
    assert np.abs(np.asarray(mended).astype(int) - np.asarray(picture)).max() <= 4
    # Without faces it is the very picture
    assert FaceMender(restorer(Former()), Found())(picture)[1] == 0


@pytest.mark.rule("E79")
def test_only_faces_are_mended_and_transparency_stays() -> None:
    picture = smooth(300, 240)
    picture.putalpha(smooth(300, 240, 5).convert("L"))
    mended, _ = FaceMender(restorer(Former(lambda face: -face)), Found(face_at(100, 120, 100, 0)))(picture)
    before, after = np.asarray(picture).astype(int), np.asarray(mended).astype(int)
    assert np.array_equal(after[..., 3], before[..., 3])
    assert np.array_equal(after[:, 160:], before[:, 160:])
    assert np.abs(after[110:130, 90:110, :3] - (255 - before[110:130, 90:110, :3])).max() <= 3


@pytest.mark.rule("E79")
def test_each_restorer_is_asked_as_it_wants() -> None:
    picture, found = smooth(300, 240), Found(face_at(100, 120, 150, 0))
    asked = {}
    for architecture in RESTORERS:
        former = Former()
        mender = FaceMender(restorer(former, architecture), found, fidelity=0.3)
        mender(picture)
        asked[architecture] = (former.asked, mender.takes_fidelity)
    assert asked == {"GFPGAN": ([{"return_rgb": False}], False), "CodeFormer": ([{"weight": 0.3}], True), "RestoreFormer": ([{}], False)}
    with lent():
        from spandrel.architectures.GFPGAN import GFPGAN
    assert "return_rgb" in inspect.signature(GFPGAN.forward).parameters
    with pytest.raises(ModelUnsupported, match=r"looks like ESRGAN, which enlarges pictures; Sfumato cannot mend faces with it"):
        FaceMender(restorer(rrdb(), "ESRGAN"), found)


@pytest.mark.rule("E118")
def test_cancel_is_heeded_at_every_face() -> None:
    former, checks = Former(), list[int]()

    def check() -> None:
        checks.append(1)
        if len(checks) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        FaceMender(restorer(former), Found(*[face_at(100, 100, 100, 0)] * 5), check=check)(smooth(300, 240))
    assert len(former.asked) == 1


@pytest.mark.slow
@pytest.mark.rule("E79", "E77")
def test_a_restoreformer_of_spandrel_mends_a_face(tmp_path: Path) -> None:
    with lent():
        from spandrel.architectures.RestoreFormer import RestoreFormer
    arguments = {"n_embed": 16, "embed_dim": 8, "ch": 32, "ch_mult": (1,) * 6, "num_res_blocks": 1, "z_channels": 32, "resolution": 512, "head_size": 8}
    with warnings.catch_warnings(action="ignore"):
        module = seeded(RestoreFormer(**arguments, out_ch=3, attn_resolutions=(16,), dropout=0.0, in_channels=3, double_z=False, enable_mid=True))
    network = open_network(write(module.state_dict(), tmp_path / "RestoreFormer.safetensors"), CPU)
    assert (network.architecture, network.is_face) == ("RestoreFormer", True)
    picture = smooth(300, 240)
    mended, _ = FaceMender(network, Found(face_at(100, 120, 100, 0)))(picture)
    before, after = np.asarray(picture).astype(int), np.asarray(mended).astype(int)
    assert np.array_equal(after[:, 160:], before[:, 160:])
    assert np.abs(after[100:140, 80:120] - before[100:140, 80:120]).mean() > 5


# -- finding ---------------------------------------------------------------------------------------


class Telling(nn.Module):
    """A detector's network that says what a test wants of certain anchors."""

    def __init__(self, *said: tuple[np.ndarray, float, float]) -> None:
        super().__init__()
        self.said = said
        self.seen: list[Tensor] = []

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.seen.append(pixels)
        places = anchors(pixels.shape[-1], pixels.shape[-2])
        boxes, chances, landmarks = torch.zeros(1, len(places), 4), torch.zeros(1, len(places)), torch.zeros(1, len(places), 10)
        for points, side, chance in self.said:
            middle = torch.tensor(points.mean(0), dtype=torch.float32)
            nearest = int(((places[:, :2] - middle).norm(dim=1) + (places[:, 2] - side).abs()).argmin())
            while chances[0, nearest]:  # a second opinion of the same face
                nearest += 1
            x, y, anchor = places[nearest].tolist()
            boxes[0, nearest] = torch.tensor([(middle[0] - x) / anchor * 10, (middle[1] - y) / anchor * 10, *[np.log(side / anchor) * 5] * 2])
            landmarks[0, nearest] = torch.tensor(((points - (x, y)) / anchor * 10).reshape(-1), dtype=torch.float32)
            chances[0, nearest] = chance
        return boxes, chances, landmarks


def detect(network: nn.Module, picture: Image.Image) -> list[Face]:
    return RetinaFaceDetector(network, torch.device("cpu"))(picture)


@pytest.mark.rule("E79")
def test_faces_are_read_off_anchors_the_surest_of_each_and_only_sure_ones() -> None:
    near, far = face_at(80, 90, 70, 5), face_at(250, 100, 40, -10)
    said = [(near, 50, 0.98), (near + 2, 50, 0.999), (far, 28, 0.99), (face_at(150, 180, 40, 0), 30, 0.9)]
    faces = detect(Telling(*said), smooth(300, 240))
    assert [round(face.score, 3) for face in faces] == [0.999, 0.99]
    assert np.allclose(faces[0].landmarks, near + 2, atol=1e-3)
    assert np.allclose(faces[1].landmarks, far, atol=1e-3)
    # One from the side has its eyes in one place
    turned = near.copy()
    turned[1] = turned[0] + 3
    assert detect(Telling((turned, 50, 0.99)), smooth(300, 240)) == []


@pytest.mark.rule("E79")
def test_large_pictures_are_looked_at_small_and_their_faces_are_where_they_are() -> None:
    network = Telling((face_at(320, 320, 200, 0), 150, 0.99))
    faces = detect(network, Image.new("RGB", (1280, 1920), (10, 20, 30)))
    assert network.seen[0].shape == (1, 3, 960, 640)
    # Blue comes first, less its mean
    assert network.seen[0][0, :, 0, 0].tolist() == [30 - 104, 20 - 117, 10 - 123]
    assert np.allclose(faces[0].landmarks, (face_at(320, 320, 200, 0) + 0.5) * 2 - 0.5, atol=0.01)
    detect(network, Image.new("RGB", (100, 8000)))
    assert max(network.seen[-1].shape) <= 2150


def test_anchors_lie_in_the_middle_of_the_places_of_three_grids() -> None:
    found = anchors(40, 20)
    assert len(found) == 2 * (5 * 3 + 3 * 2 + 2 * 1)
    assert found[:4].tolist() == [[4, 4, 16], [4, 4, 32], [12, 4, 16], [12, 4, 32]]
    assert found[-2:].tolist() == [[48, 16, 256], [48, 16, 512]]


@pytest.mark.slow
@pytest.mark.rule("E79")
def test_the_deep_detector_sees_as_transformers_resnet_50_does() -> None:
    torch.manual_seed(0)
    theirs, ours = ResNetModel(ResNetConfig()).eval(), ResNet50().eval()
    weights = theirs.state_dict()
    named = dict(zip(ours.state_dict(), _in_order(weights, ours), strict=True))
    ours.load_state_dict(named)
    pixels = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        expected = theirs(pixels, output_hidden_states=True).hidden_states[2:]
        for one, other in zip(ours(pixels), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def _in_order(theirs: dict[str, Tensor], ours: ResNet50) -> list[Tensor]:
    """Their tensors in the order of ours."""
    found = []
    for name in ours.state_dict():
        parts = name.split(".")
        if not name.startswith("layer"):
            layer = {"conv1": "embedder.embedder.convolution", "bn1": "embedder.embedder.normalization"}[parts[0]]
        else:
            place = f"encoder.stages.{int(parts[0][5:]) - 1}.layers.{parts[1]}"
            if parts[2] == "downsample":
                layer = f"{place}.shortcut.{('convolution', 'normalization')[int(parts[3])]}"
            else:
                layer = f"{place}.layer.{int(parts[2][-1]) - 1}.{'convolution' if parts[2].startswith('conv') else 'normalization'}"
        found.append(theirs[f"{layer}.{parts[-1]}"])
    return found


@pytest.fixture(scope="module")
def detector_weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return RetinaFace(MobileNet(), 64).state_dict()


@pytest.mark.rule("E79", "E120")
def test_detectors_are_known_by_their_headers(tmp_path: Path, detector_weights: dict[str, Tensor]) -> None:
    wrapped = {f"module.{name}": tensor for name, tensor in detector_weights.items()}
    found = open_detector(write(wrapped, tmp_path / "detection.safetensors"), CPU)
    assert found.nbytes == sum(tensor.nbytes for tensor in detector_weights.values())
    assert found(smooth(64, 64)) == []
    assert network_for({"fpn.output1.0.weight": (256, 512, 1, 1), "LandmarkHead.0.conv1x1.weight": (20, 256, 1, 1)}) is None
    with pytest.raises(ModelUnsupported, match="no RetinaFace detector; Sfumato cannot find faces with it"):
        open_detector(write(rrdb().state_dict(), tmp_path / "other.safetensors"), CPU)
    lacking = {name: tensor for name, tensor in detector_weights.items() if name != "ssh1.conv3X3.0.weight"}
    with pytest.raises(CorruptFile):
        open_detector(write(lacking, tmp_path / "lacking.safetensors"), CPU)


@pytest.mark.rule("E120", "E79")
def test_a_missing_file_is_named_with_its_folder_and_where_to_get_it(tmp_path: Path, detector_weights: dict[str, Tensor]) -> None:
    folders = [tmp_path]
    with pytest.raises(
        ModelNotFound, match=r"There is no face detector .*detection_Resnet50_Final.* facexlib .* into models/faces.* sfumato convert"
    ) as absent:
        find_detector(folders)
    assert absent.value.path == "face_detector"
    with pytest.raises(ModelNotFound, match=r"No face restorer named 'CodeFormer' .*GFPGANv1\.4.* into models/faces"):
        find_restorer(folders, "CodeFormer")
    # One that has only to be converted is named
    (tmp_path / "GFPGAN").mkdir()
    torch.save(detector_weights, tmp_path / "GFPGAN" / "detection_Resnet50_Final.pth")
    with pytest.raises(PickleRefused, match=r"sfumato convert \"detection_Resnet50_Final\.pth\""):
        find_detector(folders)
    write(rrdb().state_dict(), tmp_path / "GFPGAN" / "another.safetensors")
    path = write(detector_weights, tmp_path / "faces" / "mobile.safetensors")
    assert find_detector(folders) == find_detector(folders, "mobile") == path
    with pytest.raises(ModelNotFound, match="Closest: 'mobile'"):
        find_detector(folders, "mobil")


# -- the job ---------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A job whose models folder has a detector's and a restorer's names, and which finds the faces of `desk.faces`."""
    made = Desk(tmp_path)
    made.faces = [face_at(60, 60, 60, 0)]  # type: ignore[attr-defined]
    for name in ("gfpgan", "codeformer", "detector"):
        write({"weight": torch.ones(1)}, made.models / "faces" / f"{name}.safetensors")

    def open_any(path: Path, device: object, check: object) -> Any:
        architecture = {"gfpgan": "GFPGAN", "codeformer": "CodeFormer"}[path.stem]
        return restorer(Former(lambda face: -face if path.stem == "gfpgan" else torch.zeros_like(face)), architecture)

    monkeypatch.setattr("sfumato.engine.upscalers.kept.open_network", open_any)
    monkeypatch.setattr("sfumato.engine.tasks.upscale.open_detector", lambda *_: Found(*made.faces))  # type: ignore[attr-defined]
    return made


@pytest.mark.rule("E79")
def test_faces_are_mended_after_enlarging_by_their_visibility(desk: Desk) -> None:
    picture = smooth(120, 120)
    fields: dict[str, Any] = {"face_detector": "detector", "scale": 1, "upscaler": "Nearest"}
    plain = np.asarray(desk.one(picture, **fields)).astype(int)
    inverted = np.asarray(desk.one(picture, **fields, face_model="gfpgan")).astype(int)
    middle = (slice(55, 65), slice(55, 65))
    assert np.abs(inverted[middle] - (255 - plain[middle])).max() <= 3
    half = np.asarray(desk.one(picture, **fields, face_model="gfpgan", face_visibility=0.5)).astype(int)
    assert np.abs(half - (plain + inverted) / 2).max() <= 1
    # The second restorer sees what the first one made
    both = np.asarray(desk.one(picture, **fields, face_model="gfpgan", face_model_2="codeformer", face_visibility_2=0.25, face_fidelity=0.7)).astype(int)
    assert np.abs(both[middle] - (inverted[middle] * 0.75 + 127.5 * 0.25)).max() <= 2
    assert desk.result.images[0].faces == 1
    text = desk.result.images[0].postprocessing
    assert text.endswith("Postprocess upscaler: Nearest, GFPGAN visibility: 1, CodeFormer visibility: 0.25, CodeFormer weight: 0.7")
    assert desk.recording.stages() == ["load", "upscale", "detail", "save"]
    desk.one(picture, **fields, face_model="gfpgan", faces_first=True)
    assert desk.recording.stages() == ["load", "detail", "upscale", "save"]
    # Nothing of it is asked for where nothing of it would be seen
    assert np.array_equal(np.asarray(desk.one(picture, scale=1, upscaler="Nearest", face_model="absent", face_visibility=0)).astype(int), plain)


@pytest.mark.rule("E120")
def test_a_face_restorer_is_no_upscaler_and_an_upscaler_no_restorer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"weight": torch.ones(1)}, desk.models / "upscalers" / "gfpgan.safetensors")
    with pytest.raises(ModelUnsupported, match="GFPGAN, which mends single faces; Sfumato cannot enlarge pictures with it") as caught:
        desk.run(smooth(60, 60), upscaler="gfpgan")
    assert caught.value.path == "upscaler"
    monkeypatch.setattr("sfumato.engine.upscalers.kept.open_network", lambda *_: restorer(rrdb(), "ESRGAN"))
    with pytest.raises(ModelUnsupported, match="cannot mend faces with it") as caught:
        desk.run(smooth(60, 60), face_model="codeformer", face_detector="detector")
    assert caught.value.path == "face_model"


@pytest.mark.rule("E119", "E79")
def test_a_picture_without_faces_is_told(desk: Desk) -> None:
    desk.faces = []  # type: ignore[attr-defined]
    desk.run(smooth(60, 60), smooth(80, 60), face_model="gfpgan", face_detector="detector")
    assert [(warning.code, warning.path) for warning in desk.result.warnings] == [("no_face", "face_model")]
    assert [image.faces for image in desk.result.images] == [0, 0]
    assert "detail" in desk.recording.stages()
