"""Upscalers as people have them: pickled, in the folders of other programs, listed with their scale, run by the job over the contract."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine.catalog import describe
from sfumato.engine.device import choose
from sfumato.engine.faces.retinaface import MobileNet, RetinaFace
from sfumato.engine.upscalers.reading import open_network
from sfumato.engine.upscalers.rows import network_row
from sfumato.engine.upscaling import named_upscaler
from sfumato.jobs.builtin import REGISTRAR
from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.library.models import UPSCALER, scan
from sfumato.library.pickles.conversion import convert
from sfumato.protocol.errors import ModelNotFound
from sfumato.protocol.messages import Artifact, Cancel, Cancelled, Failed, Finished, Progress, Submit
from sfumato.transport.endpoint import InProcess
from tests.support.listening import Listening
from tests.support.painting import encoded
from tests.support.studio import gradient
from tests.support.tiny_upscalers import bsrgan, compact, rrdb, write

CPU = choose("fp32", "cpu")


@pytest.mark.rule("X6", "E77")
@pytest.mark.parametrize("wrapper", ["", "params_ema", "params", "state_dict"])
def test_a_pickled_upscaler_is_converted_and_runs(tmp_path: Path, wrapper: str) -> None:
    network = rrdb(2)
    weights = dict(network.state_dict())
    other = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    # Trainers keep both the last and the averaged weights; the averaged ones are meant
    saved = {"params": other, "params_ema": weights, "iter": 5} if wrapper == "params_ema" else {wrapper: weights} if wrapper else weights
    torch.save(saved, tmp_path / "RealESRGAN_x2plus.pth")
    found = open_network(convert(tmp_path / "RealESRGAN_x2plus.pth").path, CPU)
    pixels = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(found(pixels), network(pixels).clamp(0, 1))
    assert found.scale == 2


def test_of_weights_flattened_with_their_wrappers_the_averaged_are_taken(tmp_path: Path) -> None:
    weights = rrdb(2).state_dict()
    both = {f"params.{name}": torch.zeros_like(tensor) for name, tensor in weights.items()}
    found = open_network(write({**both, **{f"params_ema.module.{name}": tensor for name, tensor in weights.items()}}, tmp_path / "x.safetensors"), CPU)
    assert torch.equal(found.module.state_dict()["conv_first.weight"], weights["conv_first.weight"])


@pytest.mark.rule("E16", "E77")
def test_the_catalog_lists_upscalers_with_their_scale_and_faces_by_what_they_do(tmp_path: Path) -> None:
    models = tmp_path / "models"
    write(rrdb(4).state_dict(), models / "ESRGAN" / "4x-old.safetensors")
    write(bsrgan(rrdb(2).state_dict()), models / "RealESRGAN" / "2x-plus.safetensors")
    write(compact(2).state_dict(), models / "upscale_models" / "2x-compact.safetensors")
    write({"strange.weight": torch.ones(1)}, models / "upscalers" / "other.safetensors")
    (models / "upscalers" / "old.pth").write_bytes(b"PK\x03\x04" + bytes(50))
    write(RetinaFace(MobileNet(), 64).state_dict(), models / "GFPGAN" / "detection.safetensors")
    write(dict.fromkeys(("toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight"), torch.ones(1)), models / "GFPGAN" / "GFPGANv1.4.safetensors")
    choices = describe(Places(tmp_path, tmp_path / "outputs", (models,)))["choices"]
    rows = {row["value"]: (row["kind"], row.get("architecture"), row.get("scale"), row.get("state")) for row in choices["upscalers"]}
    assert rows["Lanczos"] == ("pixels", None, None, None)
    assert rows["4x-old"] == ("model", "ESRGAN", 4, "ready")
    assert rows["2x-plus"] == ("model", "Real-ESRGAN", 2, "ready")
    assert rows["2x-compact"] == ("model", "Real-ESRGAN Compact", 2, "ready")
    # What only opening would tell is offered all the same, with the scale of its name
    assert rows["other"] == ("model", "", 0, "ready")
    assert [_scale_of(name) for name in ("4x-Foo", "SwinIR_x2plus", "003_realSR_X4_GAN", "1xDeNoise", "model512x512", "fix")] == [4, 2, 4, 1, 0, 0]
    assert rows["old"][3] == "unusable"
    assert "sfumato convert" in next(row["reason"] for row in choices["upscalers"] if row["value"] == "old")
    assert {row["value"] for row in choices["upscalers"]} - {row["value"] for row in choices["picture_upscalers"]} == {
        name for name, row in rows.items() if row[0] == "latent"
    }
    assert [(row["value"], row["architecture"]) for row in choices["face_restorers"]] == [("GFPGANv1.4", "GFPGAN")]
    assert [(row["value"], row["architecture"]) for row in choices["face_detectors"]] == [("detection", "RetinaFace")]


def _scale_of(name: str) -> int:
    """What a row says of a file that only opening would tell of."""
    with tempfile.TemporaryDirectory() as folder:
        path = write({"strange.weight": torch.ones(1)}, Path(folder) / "upscalers" / f"{name}.safetensors")
        return network_row(next(entry for entry in scan([Path(folder)], UPSCALER) if entry.path == path))["scale"]


@pytest.mark.rule("E77")
def test_rows_and_files_are_found_by_name_and_latents_only_where_there_are_any(tmp_path: Path) -> None:
    path = write(compact().state_dict(), tmp_path / "upscalers" / "Tiny.safetensors")
    assert named_upscaler(" lanczos ", [tmp_path], "upscaler").pixels is not None
    assert named_upscaler("latent", [tmp_path], "hr_upscaler").latent == "bilinear"
    assert named_upscaler("tiny.safetensors", [tmp_path], "upscaler").model == path
    with pytest.raises(ModelNotFound):
        named_upscaler("Latent", [tmp_path], "upscaler", latents=False)
    # A file may be called as a filter is; then the filter is meant
    write(compact().state_dict(), tmp_path / "upscalers" / "Lanczos.safetensors")
    assert named_upscaler("Lanczos", [tmp_path], "upscaler").model is None


@pytest.mark.rule("E79", "E118", "E120")
def test_the_job_keeps_the_contract(tmp_path: Path) -> None:
    """Over an endpoint: progress, pictures, one ending; cancelled between tiles; failed with the field."""
    write(rrdb(4).state_dict(), tmp_path / "models" / "upscalers" / "4x-tiny.safetensors")
    torch.save(rrdb(4).state_dict(), tmp_path / "models" / "upscalers" / "old.pth")
    endpoint = InProcess(filled([REGISTRAR]), Places(tmp_path, tmp_path / "outputs", (tmp_path / "models",)))
    heard = Listening()
    endpoint.open(heard.hear)
    blobs = {"a": encoded(gradient(40, 30)), "b": encoded(gradient(20, 30))}
    try:
        endpoint.send(Submit(job="1", kind="upscale", params={"images": ["a", "b"], "upscaler": "4x-tiny", "scale": 3}, blobs=blobs))
        ending = heard.ending("1")
        assert isinstance(ending, Finished)
        assert [(image["width"], image["height"]) for image in ending.result["images"]] == [(120, 90), (60, 90)]
        made = [event for event in heard.of("1") if isinstance(event, Artifact)]
        assert [Image.open(io.BytesIO(event.data)).size for event in made] == [(120, 90), (60, 90)]
        assert {event.stage for event in heard.of("1") if isinstance(event, Progress)} == {"load", "upscale", "save"}
        # A pickle there is converted by name, as a checkpoint is
        endpoint.send(Submit(job="2", kind="convert", params={"file": "old.pth"}))
        assert isinstance(converted := heard.ending("2"), Finished)
        assert converted.result["name"] == "old.safetensors"
        endpoint.send(Submit(job="3", kind="upscale", params={"images": ["a"], "upscaler": "4x-tony"}, blobs=blobs))
        failed = heard.ending("3")
        assert isinstance(failed, Failed)
        assert (failed.code, failed.path) == ("model_not_found", "upscaler")
        endpoint.send(Submit(job="4", kind="upscale", params={"images": ["a"], "upscaler": "4x-tiny", "scale": 16, "tile": 16}, blobs=blobs))
        heard.wait(lambda event: isinstance(event, Progress) and event.job == "4" and event.stage == "upscale")
        endpoint.send(Cancel(job="4"))
        assert isinstance(heard.ending("4"), Cancelled)
        assert not any(isinstance(event, Artifact) for event in heard.of("4"))
    finally:
        endpoint.close()


@pytest.mark.slow
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
def test_half_precision_on_a_graphics_card_is_near_float32(tmp_path: Path) -> None:
    path = write(rrdb(4, growth=32, features=64).state_dict(), tmp_path / "x.safetensors")
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    half, full = open_network(path, choose("auto")), open_network(path, choose("fp32", "cpu"))
    assert half.dtype == torch.float16
    assert np.abs(half(pixels).numpy() - full(pixels).numpy()).mean() < 1 / 255
