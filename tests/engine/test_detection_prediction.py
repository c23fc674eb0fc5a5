"""What an SD2 network predicts where its file does not say, and what a request may say instead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sfumato.engine.catalog import describe
from sfumato.engine.device import choose
from sfumato.engine.families import recognise
from sfumato.engine.family import Model
from sfumato.engine.findings import Findings
from sfumato.engine.memory import Loaded
from sfumato.engine.prediction import probe
from sfumato.jobs.places import Places
from tests.engine.conftest import load
from tests.support.tiny_models import TinyFiles, write_folder, write_single_file


class _Network(torch.nn.Module):
    """Answers with a part of what it is given. `finite_in`: the only number format in which its answers are numbers."""

    def __init__(self, factor: float, finite_in: torch.dtype | None = None) -> None:
        super().__init__()
        self.config = {"cross_attention_dim": 32, "in_channels": 4}
        self.weight = torch.nn.Parameter(torch.tensor(factor))
        self._finite_in = finite_in
        self.seen: list[tuple[float, float, torch.dtype]] = []

    def forward(self, x: Tensor, time: Tensor, encoder_hidden_states: Tensor, return_dict: bool) -> tuple[Tensor]:
        self.seen.append((float(time), float(encoder_hidden_states.float().mean()), x.dtype))
        overflows = self._finite_in is not None and x.dtype != self._finite_in
        return (x * self.weight + (float("nan") if overflows else 0.0),)


@pytest.fixture(scope="module")
def sd2(tiny_files: TinyFiles) -> Model:
    return load(tiny_files.single("sd2"))


# What networks answer to a constant 0.5 at the last time: noise gives it back, velocity minus more than it.
@pytest.mark.rule("E24")
@pytest.mark.parametrize(("factor", "expected"), [(1.0, "eps"), (0.0, "eps"), (-0.9, "eps"), (-1.1, "v"), (-2.0, "v")])
def test_the_probe_tells_velocity_from_noise(sd2: Model, factor: float, expected: str) -> None:
    network = _Network(factor)
    assert probe(replace(sd2, unet=network)) == expected  # type: ignore[arg-type]  a network of one number
    assert network.seen == [(999.0, 0.5, torch.float32)]


@pytest.mark.rule("E24")
def test_the_probe_is_repeated_in_float32_where_halves_overflow(sd2: Model) -> None:
    network = _Network(-2.0, finite_in=torch.float32).half()
    assert probe(replace(sd2, unet=network, device=choose("fp16", "cpu"))) == "v"  # type: ignore[arg-type]
    assert [dtype for _, _, dtype in network.seen] == [torch.float16, torch.float32]
    assert network.weight.dtype == torch.float16


@pytest.mark.rule("E24", "R47")
@pytest.mark.parametrize(
    ("metadata", "markers", "expected"),
    [
        ({"modelspec.prediction_type": "v", "modelspec.resolution": "64x64"}, (), "v"),
        ({"modelspec.prediction_type": "epsilon"}, ("v_pred",), "eps"),
        ({}, ("v_pred",), "v"),
        ({"ss_v_parameterization": "true"}, (), "v"),
    ],
)
def test_R47_nothing_is_probed_where_the_file_tells(
    tmp_path: Path, tiny_files: TinyFiles, monkeypatch: pytest.MonkeyPatch, metadata: dict[str, str], markers: tuple[str, ...], expected: str
) -> None:
    import sfumato.engine.families.sd2 as family

    def refuse(model: Model) -> str:
        pytest.fail("probed")

    monkeypatch.setattr(family, "_ASSEMBLY", replace(family._ASSEMBLY, unsure=refuse))
    path = write_single_file(tiny_files.modules("sd2"), tmp_path / "model.safetensors", metadata=metadata, markers=markers)
    model = load(path)
    assert model.prediction == expected
    if "modelspec.resolution" not in metadata:
        assert model.native_px == (768 if expected == "v" else 512)


@pytest.mark.rule("E24")
def test_the_finding_shapes_the_native_size(tmp_path: Path, tiny_files: TinyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    import sfumato.engine.families.sd2 as family

    path = write_single_file(tiny_files.modules("sd2"), tmp_path / "model.safetensors", metadata={})
    assert load(path).native_px == 512  # a random network gives no velocity
    monkeypatch.setattr(family, "_ASSEMBLY", replace(family._ASSEMBLY, unsure=lambda model: "v"))
    model = load(path)
    assert (model.prediction, model.native_px) == ("v", 768)


@pytest.mark.rule("E4", "E24")
@pytest.mark.parametrize(("markers", "prediction", "sigma_max"), [((), "eps", 14.6146), (("v_pred",), "v", 14.6146), (("v_pred", "ztsnr"), "v", 4518.764)])
def test_keys_of_sdxl_files_say_velocity_and_zero_terminal(
    tmp_path: Path, tiny_files: TinyFiles, markers: tuple[str, ...], prediction: str, sigma_max: float
) -> None:
    model = load(write_single_file(tiny_files.modules("sdxl"), tmp_path / "model.safetensors", markers=markers))
    assert (model.family.name, model.prediction) == ("sdxl", prediction)
    assert model.table.sigma_max == pytest.approx(sigma_max, rel=1e-5)
    # The request has the first word, the file the second.
    assert model.adapted().prediction == prediction
    assert model.adapted(prediction="eps").prediction == "eps"
    assert model.adapted(zero_terminal="off").table.sigma_max == pytest.approx(14.6146, rel=1e-5)
    assert model.adapted(zero_terminal="on").table.sigma_max == pytest.approx(4518.764, rel=1e-5)
    assert model.adapted().table.aligned == recognise(model.checkpoint).aligned


@pytest.mark.rule("E4", "E24")
def test_folders_say_it_in_their_scheduler(tmp_path: Path, tiny_files: TinyFiles) -> None:
    scheduler = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    model = load(write_folder(tiny_files.modules("sd2"), tmp_path / "model", scheduler=scheduler))
    assert (model.prediction, model.table.zero_terminal) == ("v", True)
    assert model.native_px == 64


@pytest.mark.rule("E24")
def test_the_finding_is_kept_and_shown(tmp_path: Path, tiny_files: TinyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    import sfumato.engine.families.sd2 as family

    asked: list[Model] = []

    def ask(model: Model) -> str:
        asked.append(model)
        return "eps"

    monkeypatch.setattr(family, "_ASSEMBLY", replace(family._ASSEMBLY, unsure=ask))
    places = Places(tmp_path / "data", tmp_path / "outputs", (tmp_path / "models",))
    path = write_single_file(tiny_files.modules("sd2"), tmp_path / "models" / "checkpoints" / "model.safetensors", metadata={})

    def told() -> tuple[int, str | None]:
        return describe(places)["choices"]["models"][0]["width"], Findings(places.data).prediction(path)

    def load_with_findings() -> Model:
        return Loaded().load(path, choose("fp32", "cpu"), lambda done, total: None, findings=Findings(places.data))

    # Given a file that says nothing, of which the larger size is expected
    assert told() == (768, None)
    # When it is loaded in two lives of the program
    first, second = load_with_findings(), load_with_findings()
    # Then it was asked once, and the list knows
    assert len(asked) == 1
    assert (first.prediction, first.is_probed, second.prediction, second.is_probed) == ("eps", True, "eps", False)
    assert (second.native_px, told()) == (512, (512, "eps"))
    # When another file takes its place, it is asked again
    write_single_file(tiny_files.modules("sd2"), path, torch.float16, metadata={})
    assert told() == (768, None)
    load_with_findings()
    assert len(asked) == 2
    # and a damaged memory is an empty one
    (places.data / "findings.json").write_text("{bad")
    assert Findings(places.data).prediction(path) is None
