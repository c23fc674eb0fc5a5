"""Weights arrive exactly, in one copy, or with a sentence about what is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.configuration import Middle, UNetConfiguration
from sfumato.engine.device import choose
from sfumato.engine.families import recognise
from sfumato.engine.family import LatentFormat, Model
from sfumato.engine.layouts import original
from sfumato.engine.layouts.clip import PROJECTION
from sfumato.engine.memory import Loaded
from sfumato.engine.modules import build_unet, clip_body
from sfumato.protocol.errors import CorruptFile, ModelIncomplete, ModelUnsupported, Stopped
from tests.engine.conftest import load
from tests.support.tiny_models import WIDTH, Kind, TinyFiles, TinyModules, tiny_modules, write_folder, write_single_file

SOURCE = Path(__file__).parents[2] / "source"


def states(model: Model) -> dict[str, dict[str, torch.Tensor]]:
    """Part -> canonical name -> weight in memory."""
    found: dict[str, dict[str, torch.Tensor]] = {"unet": model.unet.state_dict(), "vae": model.vae.state_dict()}
    for encoder in model.encoders:
        projection = {} if encoder.projection is None else {PROJECTION: encoder.projection}
        found[encoder.part] = {**clip_body(encoder.tower).state_dict(), **projection}
    return found


def assert_equal(model: Model, expected: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
    """Every weight in memory is float32 and has exactly this value; towers may lack their last layer."""
    found = states(model)
    assert found.keys() == expected.keys()
    for part, state in found.items():
        assert state.keys() == expected[part].keys() or (part == "clip_h" and state.keys() < expected[part].keys())
        assert all(tensor.dtype == torch.float32 and torch.equal(tensor, expected[part][name].float()) for name, tensor in state.items())


@pytest.mark.rule("E9", "E12", "R43")
@pytest.mark.parametrize("layout", ["single file", "folder", "novelai"])
def test_R43_every_layout_gives_the_exact_weights(tmp_path: Path, modules: TinyModules, layout: str) -> None:
    # Given
    if layout == "folder":
        path = write_folder(modules, tmp_path / "model")
    else:
        path = write_single_file(modules, tmp_path / "model.safetensors")
    if layout == "novelai":
        tensors = {key.replace("transformer.text_model.", "transformer."): tensor for key, tensor in load_file(path).items()}
        save_file(tensors, path, metadata={"modelspec.resolution": "64x64"})
    # When
    model = load(path)
    # Then a float32 file has its exact values in memory
    assert_equal(model, modules.parts())
    assert model.native_px == 64
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in model.unet.parameters())
    assert not any(buffer.is_meta for module in (model.unet, model.vae, model.encoders[0].tower) for buffer in module.buffers())


@pytest.mark.rule("E9", "E17", "E20", "E121", "R43")
@pytest.mark.parametrize(("kind", "family"), [("sd1", "sd1"), ("sd2", "sd2"), ("sdxl", "sdxl"), ("refiner", "sdxl_refiner")])
def test_both_layouts_of_every_family_give_the_same_weights(tiny_files: TinyFiles, kind: Kind, family: str) -> None:
    expected = {part: {name: tensor.half().float() for name, tensor in state.items()} for part, state in tiny_files.modules(kind).parts().items()}
    for path in (tiny_files.single(kind), tiny_files.folder(kind)):
        model = load(path)
        assert model.family.name == family
        assert_equal(model, expected)
        assert model.unused == 0
        assert [encoder.part for encoder in model.encoders] == [part for part in expected if part.startswith("clip")]
        assert (model.vector is not None) == (kind in ("sdxl", "refiner"))


@pytest.mark.rule("E6")
@pytest.mark.parametrize(("kind", "scale"), [("sd1", 0.18215), ("sd2", 0.18215), ("sdxl", 0.13025), ("refiner", 0.13025)])
def test_latents_are_four_channels_an_eighth_of_the_side_scaled_by_family(tiny_files: TinyFiles, kind: Kind, scale: float) -> None:
    model = load(tiny_files.single(kind))
    assert model.latent == model.family.latent == LatentFormat(4, 8, scale)
    with torch.inference_mode():
        assert model.vae.encode(torch.zeros(1, 3, 64, 64)).latent_dist.mean.shape == (1, 4, 8, 8)


@pytest.mark.rule("E6")
def test_a_folder_may_have_a_scale_of_its_own(tmp_path: Path, modules: TinyModules) -> None:
    path = write_folder(modules, tmp_path / "model")
    config = path / "vae" / "config.json"
    config.write_text(config.read_text().replace("0.18215", "0.25"))
    assert load(path).latent.scale == 0.25


def test_tiny_files_are_small(tiny_files: TinyFiles) -> None:
    assert sum(tiny_files.single(kind).stat().st_size for kind in get_args(Kind)) < 30_000_000


@pytest.mark.rule("E20", "E68")
@pytest.mark.parametrize(
    ("kind", "channels", "variant"), [("sd1", 9, "inpainting"), ("sd1", 8, "pix2pix"), ("sd2", 9, "inpainting"), ("sdxl", 9, "inpainting")]
)
def test_variants_load(tiny_files: TinyFiles, kind: Kind, channels: int, variant: str) -> None:
    model = load(tiny_files.single(kind, channels))
    assert (model.variant, model.unet.conv_in.weight.shape[1], model.latent.channels) == (variant, channels, 4)


@pytest.mark.rule("E26")
def test_layers_of_an_sd2_tower_are_counted_as_if_the_last_were_there(tiny_files: TinyFiles) -> None:
    (whole,), (cut,) = load(tiny_files.single("sd2")).encoders, load(tiny_files.folder("sd2")).encoders
    assert (whole.layers, whole.absent, [whole.blocks(layer) for layer in (1, 2)]) == (2, 0, [2, 1])
    assert (cut.layers, cut.absent, [cut.blocks(layer) for layer in (1, 2)]) == (2, 1, [1, 1])


@pytest.mark.rule("E18")
@pytest.mark.parametrize(
    ("depths", "up_depths", "middle", "middle_depth", "layers"),
    [
        (((1,), (0,)), ((0, 0), (1, 1)), "none", 0, (1, 1)),
        (((0, 0), (2, 2)), ((4, 1, 2), (0, 0, 0)), "residual", 0, (2, 2)),
        (((1, 1), (0, 0)), ((0, 0, 0), (1, 1, 1)), "attention", 3, (2, 2)),
        (((1,), (0, 0, 0)), ((0, 0, 0, 0), (1, 1)), "attention", 1, (1, 3)),
    ],
    ids=["no middle", "one block in the middle", "deeper middle", "levels of different length"],
)
def test_distilled_networks_load_and_run(
    tmp_path: Path,
    tiny_files: TinyFiles,
    depths: tuple[tuple[int, ...], ...],
    up_depths: tuple[tuple[int, ...], ...],
    middle: Middle,
    middle_depth: int,
    layers: tuple[int, ...],
) -> None:
    # Given a UNet with blocks missing, in the original layout
    shape = UNetConfiguration(4, 4, (32, 64), layers, depths, up_depths, middle, middle_depth, WIDTH, False, (8, 8), 8)
    unet = build_unet(shape).to_empty(device="cpu")
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.normal_(0, 0.05)
    modules = replace(tiny_files.modules("sd1"), unet=unet)
    # When
    model = load(write_single_file(modules, tmp_path / "small.safetensors"))
    # Then
    assert_equal(model, modules.parts())
    latent, context = torch.randn(1, 4, 8, 8), torch.randn(1, 77, WIDTH)
    with torch.inference_mode():
        # not bit for bit: the weights lie in memory in another order
        torch.testing.assert_close(model.unet(latent, 5, context).sample, unet.eval()(latent, 5, context).sample, atol=1e-6, rtol=1e-5)


@pytest.mark.rule("E9")
@pytest.mark.parametrize("suffix", ["scale_weight", "weight_scale"])
def test_scaled_8_bit_weights_are_what_they_were(tmp_path: Path, tiny_files: TinyFiles, suffix: str) -> None:
    # Given a file whose matrices are stored in 8 bits with a number beside each, as ComfyUI writes them
    tensors = load_file(tiny_files.single("sdxl"))
    expected = {}
    for key in [key for key, tensor in tensors.items() if key.startswith("model.diffusion_model.") and tensor.dim() == 2 and key.endswith(".weight")]:
        scale = tensors[key].abs().max().float() / 448
        tensors[key] = (tensors[key].float() / scale).to(torch.float8_e4m3fn)
        tensors[f"{key.removesuffix('weight')}{suffix}"] = scale
        expected[key] = tensors[key].float() * scale
    tensors["model.diffusion_model.scaled_fp8"] = torch.zeros(0, dtype=torch.float8_e4m3fn)
    save_file(tensors, tmp_path / "scaled.safetensors", metadata={"modelspec.resolution": "64x64"})
    # When
    model = load(tmp_path / "scaled.safetensors")
    # Then
    state = model.unet.state_dict()
    assert len(expected) > 50
    for name, place in original.sort_keys(tensors)["unet"].items():
        if place.key in expected:
            assert torch.equal(state[name], expected[place.key])
    assert model.unused == 1  # the marker


@pytest.mark.rule("E9")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_every_stored_number_format_is_read(tmp_path: Path, modules: TinyModules, dtype: torch.dtype) -> None:
    path = write_single_file(modules, tmp_path / "model.safetensors", dtype)
    assert_equal(load(path), {part: {name: tensor.to(dtype).float() for name, tensor in state.items()} for part, state in modules.parts().items()})


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


@pytest.mark.rule("E118", "R84")
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
def test_R135_loading_takes_little_more_memory_than_the_file(tmp_path: Path, single_file: Path) -> None:
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
        [sys.executable, "-c", _MEASURE, str(single_file), str(big)],
        env={"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    # Then
    assert 0.9 < float(answer.stdout) < 1.15
