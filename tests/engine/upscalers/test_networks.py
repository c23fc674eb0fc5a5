"""Files of upscalers: every spelling of the built-in networks, all of spandrel's without torchvision, and what is said where a package is absent."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from sfumato.engine.device import choose
from sfumato.engine.upscalers import spandrel_models
from sfumato.engine.upscalers.reading import open_network
from sfumato.engine.upscalers.torchvision_functions import InterpolationMode, lent, normalize, rotate
from sfumato.protocol.errors import CorruptFile, MissingPackage, ModelUnsupported, PickleRefused, Stopped
from tests.support.tiny_upscalers import bsrgan, compact, first_release, rrdb, seeded, write

CPU = choose("fp32", "cpu")


def pixels(height: int = 13, width: int = 10) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(5))


def of_spandrel(weights: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
    return spandrel_models.load("theirs", weights)


@pytest.mark.rule("E77")
@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("spelt", [dict, bsrgan, lambda weights: {f"params_ema.{name}": tensor for name, tensor in weights.items()}])
def test_esrgan_files_of_every_spelling_run_as_spandrel_runs_them(tmp_path: Path, scale: int, spelt: Callable[..., dict[str, Tensor]]) -> None:
    network = rrdb(scale, growth=32)  # the only growth that spandrel knows
    found = open_network(write(spelt(network.state_dict()), tmp_path / "x.safetensors"), CPU)
    assert (found.scale, found.channels, found.is_tiled, found.is_face) == (scale, 3, True, False)
    given = pixels(12, 8)
    out = found(given)
    assert out.std() > 0.05
    torch.testing.assert_close(out, of_spandrel(network.state_dict())(given), rtol=0, atol=1e-6)
    # Sides that are no multiple of what is unshuffled are continued by their mirror image
    assert found(pixels(13, 10)).shape == (1, 3, 13 * scale, 10 * scale)


@pytest.mark.rule("E77")
def test_esrgan_of_the_first_release_and_compact_networks_run_as_spandrel_runs_them(tmp_path: Path) -> None:
    old = first_release(rrdb(growth=32).state_dict())
    found = open_network(write(old, tmp_path / "old.safetensors"), CPU)
    assert (found.architecture, found.scale) == ("ESRGAN", 4)
    torch.testing.assert_close(found(pixels()), of_spandrel(old)(pixels()), rtol=0, atol=1e-6)
    for scale in (1, 2, 4):
        weights = compact(scale).state_dict()
        small = open_network(write(weights, tmp_path / f"{scale}.safetensors"), CPU)
        assert (small.architecture, small.scale) == ("Real-ESRGAN Compact", scale)
        torch.testing.assert_close(small(pixels()), of_spandrel(weights)(pixels()), rtol=0, atol=1e-6)


def swinir() -> nn.Module:
    """A tiny SwinIR x2, built by spandrel's own module."""
    with lent():
        from spandrel.architectures.SwinIR import SwinIR
    arguments = {"img_size": 16, "window_size": 8, "depths": [2], "num_heads": [2], "embed_dim": 8, "upscale": 2, "upsampler": "pixelshuffledirect"}
    with warnings.catch_warnings(action="ignore"):
        return seeded(SwinIR(**arguments, mlp_ratio=2.0))


@pytest.mark.rule("E77")
def test_an_architecture_of_spandrel_runs_without_torchvision(tmp_path: Path) -> None:
    network = swinir()
    weights = dict(network.state_dict())
    found = open_network(write(weights, tmp_path / "swin.safetensors"), CPU)
    assert (found.architecture, found.scale) == ("SwinIR", 2)
    given = pixels(16, 24)
    with torch.inference_mode():
        torch.testing.assert_close(found(given), network(given).clamp(0, 1), rtol=0, atol=1e-5)
    # A side that its windows do not divide is padded and cut
    assert found(pixels(13, 10)).shape == (1, 3, 26, 20)


@pytest.mark.rule("E77")
def test_without_spandrel_the_built_in_networks_work_and_others_name_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swin = write(swinir().state_dict(), tmp_path / "swin.safetensors")
    for name in [name for name in sys.modules if name.split(".")[0] == "spandrel"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "spandrel", None)
    for name, weights in (
        ("a", rrdb().state_dict()),
        ("b", bsrgan(rrdb().state_dict())),
        ("c", first_release(rrdb().state_dict())),
        ("d", compact().state_dict()),
    ):
        assert open_network(write(weights, tmp_path / f"{name}.safetensors"), CPU)(pixels()).std() > 0.05
    with pytest.raises(MissingPackage, match=r"'swin\.safetensors' needs the Python package 'spandrel'"):
        open_network(swin, CPU)


@pytest.mark.rule("E77", "E120")
def test_what_cannot_be_run_is_one_sentence(tmp_path: Path) -> None:
    ones = torch.ones(2, 2)
    strange = write({"strange.weight": ones}, tmp_path / "strange.safetensors")
    with pytest.raises(ModelUnsupported, match=r"'strange\.safetensors' looks like no upscaler that is known; Sfumato cannot enlarge"):
        open_network(strange, CPU)
    weights = rrdb().state_dict()
    lacking = write({**weights, "conv_hr.weight": weights["conv_hr.weight"][:4]}, tmp_path / "lacking.safetensors")
    with pytest.raises(CorruptFile, match=r"'lacking\.safetensors' is damaged"):
        open_network(lacking, CPU)
    # Of an architecture that spandrel knows, but cut short
    swin = {name: tensor for name, tensor in swinir().state_dict().items() if "conv_after_body" not in name}
    with pytest.raises(CorruptFile):
        open_network(write(swin, tmp_path / "cut.safetensors"), CPU)
    pickled = tmp_path / "4x.pth"
    torch.save(weights, pickled)
    with pytest.raises(PickleRefused, match=r"sfumato convert"):
        open_network(pickled, CPU)
    former = dict.fromkeys(("position_emb", "idx_pred_layer.1.weight", "quantize.embedding.weight"), ones)
    with pytest.raises(MissingPackage, match="CodeFormer, needs the Python package 'spandrel_extra_arches'"):
        open_network(write(former, tmp_path / "codeformer.safetensors"), CPU)


@pytest.mark.rule("E118")
def test_cancel_is_heeded_at_every_tensor(tmp_path: Path) -> None:
    weights = rrdb().state_dict()
    path = write(weights, tmp_path / "x.safetensors")
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if len(checks) == 5:
            raise Stopped

    with pytest.raises(Stopped):
        open_network(path, CPU, check)
    checks.append(0)
    open_network(path, CPU, lambda: checks.append(1))
    assert len(checks) == 6 + len(weights)


def test_half_precision_is_kept_where_it_is_asked_for_and_stood(tmp_path: Path) -> None:
    half, swin = choose("bf16", "cpu"), write(swinir().state_dict(), tmp_path / "swin.safetensors")
    found = open_network(write({name: tensor.half() for name, tensor in rrdb().state_dict().items()}, tmp_path / "x.safetensors"), half)
    assert {weight.dtype for weight in found.module.parameters()} == {torch.bfloat16}
    assert found(pixels()).dtype == torch.float32
    # float16 would overflow there
    assert open_network(swin, choose("fp16", "cpu")).dtype == torch.float32


def test_grey_networks_and_those_with_alpha_take_colours(tmp_path: Path) -> None:
    from sfumato.engine.upscalers.compact import Compact

    for channels in (1, 4):
        network = seeded(Compact(channels, channels, 8, 1, 2))
        found = open_network(write(network.state_dict(), tmp_path / f"{channels}.safetensors"), CPU)
        given = pixels()
        assert found.channels == channels
        out = found(given)
        with torch.inference_mode():
            alone = network(given[:, :1]) if channels == 1 else network(torch.cat([given, torch.ones_like(given[:, :1])], 1))
        assert torch.equal(out[:, : min(channels, 3)], alone[:, : min(channels, 3)].clamp(0, 1))
        assert out.shape == (1, 3, 26, 20)


# -- the functions lent to spandrel ------------------------------------------------------------------------


def test_nothing_else_can_take_the_lent_functions_for_torchvision() -> None:
    before = {name for name in sys.modules if name.startswith("torchvision")}
    with lent():
        from torchvision.transforms import functional

        assert functional.normalize is not None
    assert {name for name in sys.modules if name.startswith("torchvision")} == before


def test_a_torchvision_of_another_torch_counts_as_none_and_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    broken = ModuleType("torchvision.extension")
    monkeypatch.setitem(sys.modules, "torchvision.extension", broken)
    with lent():
        from torchvision.transforms.functional import rotate as theirs

        assert theirs is rotate
        assert "torchvision.extension" not in sys.modules
    assert sys.modules["torchvision.extension"] is broken
    assert "torchvision.transforms" not in sys.modules


def test_a_working_torchvision_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "torchvision" / "transforms"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "functional.py").write_text("normalize = 'its own'")
    monkeypatch.syspath_prepend(tmp_path)
    with lent():
        from torchvision.transforms.functional import normalize as theirs

        assert theirs == "its own"
    for name in [name for name in sys.modules if name.startswith("torchvision")]:
        monkeypatch.delitem(sys.modules, name)


def test_the_lent_functions_compute_what_their_names_say() -> None:
    picture = pixels(6, 9)
    for turns in range(4):
        square = picture[..., :6]
        torch.testing.assert_close(rotate(square, 90 * turns, InterpolationMode.BILINEAR), torch.rot90(square, turns, (2, 3)), atol=1e-5, rtol=0)
    torch.testing.assert_close(rotate(picture, torch.tensor(180.0)), picture.flip(2, 3), atol=1e-5, rtol=0)
    turned = rotate(picture, 45, InterpolationMode.BILINEAR, fill=0.25)
    assert torch.allclose(turned[..., 0, 0], torch.tensor(0.25))
    assert turned[..., 3, 4].std() > 0
    mean, spread = [0.1, 0.2, 0.3], [0.5, 0.25, 2.0]
    expected = torch.stack([(picture[0, index] - mean[index]) / spread[index] for index in range(3)])[None]
    assert torch.equal(normalize(picture, mean, spread), expected)
    assert torch.equal(normalize(picture, mean, spread, inplace=True), expected)
    assert torch.equal(picture, expected)


@pytest.mark.rule("E77")
@pytest.mark.parametrize("scale", [1, 2])
def test_a_picture_of_a_pixel_has_something_to_be_padded_with(scale: int) -> None:
    assert rrdb(scale)(pixels(1, 2)).shape == (1, 3, scale, 2 * scale)
