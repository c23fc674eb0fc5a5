"""Families are told from headers alone, and what is no checkpoint is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.configuration import clip_configuration, unet_configuration, vae_configuration
from sfumato.engine.families import FAMILIES, recognise
from sfumato.engine.prediction import is_zero_terminal, prediction_of
from sfumato.engine.writing import spelt_tensors
from sfumato.protocol.errors import CorruptFile, ModelNotFound, ModelUnsupported, PickleRefused
from tests.support.tiny_models import TinyModules, write_headers_only, write_single_file


@pytest.mark.rule("E16", "E17", "E126")
def test_a_network_and_a_text_encoder_that_do_not_belong_together_are_named(tmp_path: Path, modules: TinyModules) -> None:
    shapes = {key: tuple(tensor.shape) for key, tensor in spelt_tensors(modules.parts(), torch.float16).items()}
    shapes = {key: (shape[0], 640) if "attn2.to_k" in key else shape for key, shape in shapes.items()}
    checkpoint = open_checkpoint(write_headers_only(tmp_path / "file.safetensors", shapes))
    with pytest.raises(ModelUnsupported, match="do not belong together"):
        recognise(checkpoint)


@pytest.mark.rule("E18")
def test_small_models_are_configured_from_their_shapes(single_file: Path, folder: Path, modules: TinyModules) -> None:
    for path in (single_file, folder):
        checkpoint = open_checkpoint(path)
        assert recognise(checkpoint).name == "sd1"
        unet = unet_configuration(checkpoint, 8)
        assert (unet.widths, unet.depths, unet.middle_depth, unet.groups, unet.layers) == ((32, 64), ((1, 1), (0, 0)), 1, 8, (2, 2))
        vae = vae_configuration(checkpoint, 0.18215)
        assert (vae.widths, vae.groups, vae.layers, vae.scale) == ((8, 8, 16, 16), 2, 1, 0.18215)
        clip = clip_configuration(checkpoint, "clip_l")
        assert (clip.width, clip.layers, clip.heads, clip.inner_width) == (32, 2, 1, 64)


@pytest.mark.rule("E24", "R47")
@pytest.mark.parametrize(
    ("metadata", "marker", "expected"),
    [
        ({}, None, "eps"),
        ({"modelspec.prediction_type": "epsilon"}, "v_pred", "eps"),
        ({"modelspec.prediction_type": "v"}, None, "v"),
        ({"ss_v_parameterization": "True"}, None, "v"),
        ({}, "v_pred", "v"),
    ],
)
def test_prediction_type_is_read_not_guessed(tmp_path: Path, metadata: dict[str, str], marker: str | None, expected: str) -> None:
    tensors = {marker: torch.zeros(1)} if marker else {"nothing": torch.zeros(1)}
    path = tmp_path / "file.safetensors"
    save_file(tensors, path, metadata=metadata)
    assert (prediction_of(open_checkpoint(path)) or "eps") == expected


@pytest.mark.rule("E24", "R47")
def test_folder_tells_prediction_and_terminal_in_its_scheduler(tmp_path: Path) -> None:
    (tmp_path / "model" / "scheduler").mkdir(parents=True)
    (tmp_path / "model" / "model_index.json").write_text("{}")
    (tmp_path / "model" / "scheduler" / "scheduler_config.json").write_text(json.dumps({"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}))
    checkpoint = open_checkpoint(tmp_path / "model")
    assert prediction_of(checkpoint) == "v"
    assert is_zero_terminal(checkpoint)


@pytest.mark.rule("E7")
@pytest.mark.parametrize(("text", "side"), [("64x64", 64), ("768X512", 768), ("", 512), ("63x63", 512), ("1x9", 512), ("axb", 512), ("9999999x9999999", 512)])
def test_native_size_is_in_the_header(tmp_path: Path, modules: TinyModules, text: str, side: int) -> None:
    path = write_headers_only(tmp_path / "file.safetensors", {"conv_in.weight": (1,)}, {"modelspec.resolution": text} if text else {})
    assert FAMILIES[0].native_px(open_checkpoint(path)) == side


@pytest.mark.rule("E10", "E126")
def test_damaged_files_are_named(tmp_path: Path, single_file: Path) -> None:
    data = single_file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    broken = {
        "truncated.safetensors": data[: len(data) // 2],
        "short.safetensors": data[:5],
        "lying.safetensors": (length * 1000).to_bytes(8, "little") + data[8:],
        "empty.safetensors": b"",
    }
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CorruptFile, match=name):
            open_checkpoint(tmp_path / name)


@pytest.mark.rule("E11", "E126")
def test_pickles_are_refused_by_their_first_bytes(tmp_path: Path) -> None:
    for name, start in {"model.ckpt": b"PK\x03\x04", "model.safetensors": b"\x80\x02}q\x00."}.items():
        (tmp_path / name).write_bytes(start + bytes(100))
        with pytest.raises(PickleRefused, match=name):
            open_checkpoint(tmp_path / name)
    (tmp_path / "old" / "unet").mkdir(parents=True)
    (tmp_path / "old" / "model_index.json").write_text("{}")
    (tmp_path / "old" / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"PK\x03\x04")
    with pytest.raises(PickleRefused, match="old"):
        open_checkpoint(tmp_path / "old")


@pytest.mark.rule("E126")
def test_folders_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(ModelUnsupported, match=r"model_index\.json"):
        open_checkpoint(tmp_path / "pictures")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model_index.json").write_text("not json")
    with pytest.raises(CorruptFile, match="broken"):
        open_checkpoint(tmp_path / "broken")
    (tmp_path / "climbing" / "unet").mkdir(parents=True)
    (tmp_path / "climbing" / "model_index.json").write_text("{}")
    index = {"weight_map": {"conv_in.weight": "../../secret.safetensors"}}
    (tmp_path / "climbing" / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CorruptFile, match="outside"):
        open_checkpoint(tmp_path / "climbing")
    with pytest.raises(ModelNotFound):
        open_checkpoint(tmp_path / "gone.safetensors")


@pytest.mark.rule("E9")
def test_half_precision_variants_and_shards_are_found(tmp_path: Path, modules: TinyModules, folder: Path) -> None:
    from tests.support.tiny_models import write_folder

    variant = open_checkpoint(write_folder(modules, tmp_path / "variant", "fp16"))
    assert variant.parts["unet"].keys() == modules.unet.state_dict().keys()
    # Given the same UNet cut into two files with an index
    sharded = write_folder(modules, tmp_path / "sharded")
    state = modules.unet.state_dict()
    names = sorted(state)
    halves = {"a.safetensors": names[: len(names) // 2], "b.safetensors": names[len(names) // 2 :]}
    for name, keys in halves.items():
        save_file({key: state[key] for key in keys}, sharded / "unet" / name)
    (sharded / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    index = {"weight_map": {key: name for name, keys in halves.items() for key in keys}}
    (sharded / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    # Then
    checkpoint = open_checkpoint(sharded)
    assert checkpoint.parts["unet"].keys() == state.keys()
    assert recognise(checkpoint).name == "sd1"
    (sharded / "unet" / "b.safetensors").unlink()
    with pytest.raises(CorruptFile, match=r"b\.safetensors"):
        open_checkpoint(sharded)


def test_single_file_round_trip_of_detection(tmp_path: Path, modules: TinyModules) -> None:
    checkpoint = open_checkpoint(write_single_file(modules, tmp_path / "half.safetensors", torch.float16))
    assert {stored.dtype for table in checkpoint.parts.values() for stored in table.values()} == {"F16"}
