"""Weights arrive exactly, in one copy, or with a sentence about what is wrong."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.device import choose
from sfumato.engine.families import recognise
from sfumato.engine.family import Model
from sfumato.engine.memory import Loaded
from sfumato.engine.modules import clip_body
from sfumato.protocol.errors import CorruptFile, ModelIncomplete, ModelUnsupported, Stopped
from tests.engine.conftest import load
from tests.support.tiny_models import TinyModules, tiny_modules, write_folder, write_single_file

SOURCE = Path(__file__).parents[2] / "source"


def states(model: Model) -> dict[str, dict[str, torch.Tensor]]:
    return {"unet": model.unet.state_dict(), "vae": model.vae.state_dict(), "clip": clip_body(model.encoders[0].tower).state_dict()}


@pytest.mark.rule("E9", "E12", "R43")
@pytest.mark.parametrize("layout", ["single file", "folder", "novelai"])
def test_every_layout_gives_the_exact_weights(tmp_path: Path, modules: TinyModules, layout: str) -> None:
    # Given
    if layout == "folder":
        path = write_folder(modules, tmp_path / "model")
    else:
        path = write_single_file(modules, tmp_path / "model.safetensors")
    if layout == "novelai":
        with safe_open(path, "pt") as file:
            tensors = {key.replace("transformer.text_model.", "transformer."): file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
        save_file(tensors, path, metadata={"modelspec.resolution": "64x64"})
    # When
    model = load(path)
    # Then a float32 file has its exact values in memory
    expected = {"unet": modules.unet.state_dict(), "vae": modules.vae.state_dict(), "clip": clip_body(modules.clip).state_dict()}
    for part, state in states(model).items():
        assert state.keys() == expected[part].keys()
        assert all(torch.equal(tensor, expected[part][name]) and tensor.dtype == torch.float32 for name, tensor in state.items())
    assert model.native_px == 64
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in model.unet.parameters())
    assert not any(buffer.is_meta for module in (model.unet, model.vae, model.encoders[0].tower) for buffer in module.buffers())


@pytest.mark.rule("E107")
def test_precision_is_the_requests(single_file: Path) -> None:
    checkpoint = open_checkpoint(single_file)
    for precision, dtype in {"fp16": torch.float16, "bf16": torch.bfloat16, "auto": torch.float32}.items():
        model = recognise(checkpoint).load(checkpoint, choose(precision, "cpu"), lambda: None)  # type: ignore[arg-type]  a literal in a loop
        assert {tensor.dtype for state in states(model).values() for tensor in state.values()} == {dtype}


@pytest.mark.rule("E12", "E126")
def test_missing_weights_are_counted_and_named(tmp_path: Path, single_file: Path) -> None:
    with safe_open(single_file, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
    cases = {
        "text encoder": [key for key in tensors if key.endswith("mlp.fc2.weight")],
        "VAE": [key for key in tensors if key.startswith("first_stage_model.decoder.up.")],
        "denoising network": [key for key in tensors if ".out_layers.3." in key],
    }
    for title, dropped in cases.items():
        path = tmp_path / "part.safetensors"
        save_file({key: tensor for key, tensor in tensors.items() if key not in dropped}, path)
        with pytest.raises(ModelIncomplete, match=title) as caught:
            load(path)
        assert "part.safetensors" in caught.value.message
        assert 1 <= len(caught.value.detail.split(", ")) <= 5
    path = tmp_path / "no-vae.safetensors"
    save_file({key: tensor for key, tensor in tensors.items() if not key.startswith("first_stage_model.")}, path)
    with pytest.raises(ModelIncomplete, match="VAE"):
        load(path)


@pytest.mark.rule("E12")
def test_a_tensor_of_another_shape_or_format_is_named(tmp_path: Path, single_file: Path) -> None:
    with safe_open(single_file, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
    key = "model.diffusion_model.time_embed.0.weight"
    path = tmp_path / "odd.safetensors"
    save_file({**tensors, key: torch.zeros(3, 5)}, path)
    with pytest.raises(CorruptFile, match=r"time_embed\.0\.weight.*3x5"):
        load(path)
    save_file({**tensors, key: tensors[key].to(torch.complex64)}, path)
    with pytest.raises(CorruptFile, match=r"time_embed\.0\.weight.*C64"):
        load(path)


def test_another_vocabulary_is_refused_before_it_can_crash(tmp_path: Path, single_file: Path) -> None:
    with safe_open(single_file, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
    key = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    save_file({**tensors, key: tensors[key][:100].clone()}, tmp_path / "small.safetensors")
    with pytest.raises(ModelUnsupported, match="vocabulary"):
        load(tmp_path / "small.safetensors")


@pytest.mark.rule("E118")
def test_loading_stops_between_tensors(single_file: Path) -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise Stopped

    with pytest.raises(Stopped):
        load(single_file, check)
    assert calls == 10


@pytest.mark.rule("E13", "E112")
def test_a_model_is_kept_until_its_file_changes(tmp_path: Path, modules: TinyModules) -> None:
    # Given a loaded model
    path = write_single_file(modules, tmp_path / "model.safetensors")
    loaded, device, reports = Loaded(), choose("fp32", "cpu"), []
    first = loaded.load(path, device, lambda done, total: reports.append((done, total)))
    assert reports[0] == (0, len(reports))
    # When asked again, nothing is read
    reports.clear()
    assert loaded.load(path, device, lambda done, total: reports.append((done, total))) is first
    assert reports == []
    # When another file takes its place, it is read
    write_single_file(tiny_modules(seed=7), path)
    second = loaded.load(path, device, lambda done, total: None)
    assert second is not first
    assert not torch.equal(second.unet.conv_in.weight, first.unet.conv_in.weight)
    # When its precision is another, too; and when the file is gone it is not held
    assert loaded.held(path, choose("bf16", "cpu")) is None
    path.unlink()
    assert loaded.held(path, device) is None


@pytest.mark.rule("E118")
def test_a_stopped_load_holds_nothing(single_file: Path) -> None:
    loaded = Loaded()

    def stop(done: int, total: int) -> None:
        if done == 20:
            raise Stopped

    with pytest.raises(Stopped):
        loaded.load(single_file, choose("fp32", "cpu"), stop)
    assert loaded.held(single_file, choose("fp32", "cpu")) is None
    assert loaded.load(single_file, choose("fp32", "cpu"), lambda done, total: None).native_px == 64


_MEASURE = """
import sys
from pathlib import Path
from sfumato.engine import modules
from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.device import choose
from sfumato.engine.families import recognise
def load(path):
    checkpoint = open_checkpoint(Path(path))
    return recognise(checkpoint).load(checkpoint, choose("fp32", "cpu"), lambda: None)
def memory(name):
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
load(sys.argv[1])  # whatever the first use of the libraries takes
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
before = memory("VmRSS")
model = load(sys.argv[2])
print((memory("VmHWM") - before) / Path(sys.argv[2]).stat().st_size)
"""


@pytest.mark.slow
@pytest.mark.rule("E12", "R135")
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from Linux's accounting")
def test_loading_takes_little_more_memory_than_the_file(tmp_path: Path, single_file: Path) -> None:
    # Given a file of 100 MB: the tiny model with a wide UNet
    big = tmp_path / "big.safetensors"
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(
            block_out_channels=(192, 384),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            cross_attention_dim=32,
        )
    wide = replace(tiny_modules(), unet=unet.to_empty(device="cpu"))
    with torch.no_grad():
        for parameter in wide.unet.parameters():
            parameter.fill_(0.01)
    write_single_file(wide, big)
    assert big.stat().st_size > 80_000_000
    # When
    answer = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(single_file), str(big)], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True
    )
    # Then
    assert 0.9 < float(answer.stdout) < 1.2
