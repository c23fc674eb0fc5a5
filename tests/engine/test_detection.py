"""Families are told from headers alone, and what is no checkpoint is named."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.configuration import ClipConfiguration, UNetConfiguration, VaeConfiguration, clip_configuration, unet_configuration, vae_configuration
from sfumato.engine.families import FAMILIES, recognise
from sfumato.engine.layouts import original
from sfumato.engine.modules import build_clip, build_unet, build_vae, clip_body
from sfumato.engine.prediction import is_zero_terminal, prediction_of
from sfumato.protocol.errors import CorruptFile, ModelNotFound, ModelUnsupported, PickleRefused
from tests.support.tiny_models import TinyModules, write_headers_only, write_single_file

Shapes = dict[str, tuple[int, ...]]

# Stable Diffusion 1.5 as published: the numbers of its configuration files.
SD15_UNET = UNetConfiguration.regular((320, 640, 1280, 1280), (1, 1, 1, 0), 768, heads=8, linear_projection=False)
SD15_VAE = VaeConfiguration(4, (128, 256, 512, 512), 2, 32, 0.18215)
SD15_CLIP = ClipConfiguration(49408, 77, 768, 3072, 12, 12, "quick_gelu")


@pytest.fixture(scope="module")
def sd15_shapes() -> Shapes:
    """Every key and shape of a full-size SD 1.5 file, from diffusers' own modules."""
    parts = {"unet": build_unet(SD15_UNET), "vae": build_vae(SD15_VAE), "clip_l": clip_body(build_clip(SD15_CLIP))}
    states = {part: {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()} for part, module in parts.items()}
    spelt = original.spell(states)
    return {place.key: states[part][name] for part, table in spelt.items() for name, place in table.items()}


def changed(shapes: Shapes, contains: str, dimension: int, size: int) -> Shapes:
    """The shapes with one dimension of the matching keys set to `size`."""
    return {key: (*shape[:dimension], size, *shape[dimension + 1 :]) if contains in key else shape for key, shape in shapes.items()}


@pytest.mark.rule("E17", "E18")
def test_full_size_sd15_is_recognised_and_configured_in_a_moment(tmp_path: Path, sd15_shapes: Shapes) -> None:
    # Given the header of a real file, 4 GB of weights being a hole; position ids as old files have them
    path = write_headers_only(tmp_path / "v1-5.safetensors", {**sd15_shapes, "cond_stage_model.transformer.text_model.embeddings.position_ids": (1, 77)})
    assert 1000 < len(sd15_shapes) < 1200
    # When
    times = []
    for _ in range(3):
        started = time.thread_time()  # what the work takes, whoever else is on the processor
        checkpoint = open_checkpoint(path)
        family = recognise(checkpoint)
        times.append(time.thread_time() - started)
    # Then
    assert family.name == "sd1"
    assert family.native_px(checkpoint) == 512
    assert unet_configuration(checkpoint, 8) == SD15_UNET
    assert vae_configuration(checkpoint, 0.18215) == SD15_VAE
    assert clip_configuration(checkpoint, "clip_l") == SD15_CLIP
    assert min(times) < 0.05, times


@pytest.mark.rule("E17")
def test_novelai_layout_is_the_same_family(tmp_path: Path, sd15_shapes: Shapes) -> None:
    shapes = {key.replace("transformer.text_model.", "transformer."): shape for key, shape in sd15_shapes.items()}
    assert recognise(open_checkpoint(write_headers_only(tmp_path / "nai.safetensors", shapes))).name == "sd1"


@pytest.mark.rule("E16", "E17", "E126")
@pytest.mark.parametrize(
    ("what", "looks_like"),
    [
        ("depth", "depth"),
        ("x4", "upscaling"),
        ("vae", "VAE"),
        ("lora", "LoRA"),
        ("controlnet", "ControlNet"),
        ("flux", "Flux.1"),
        ("sd3", "Stable Diffusion 3"),
        ("mismatched", "do not belong together"),
        ("embedding", "embedding"),
        ("unknown", "no kind of model"),
    ],
)
def test_what_is_not_sd1_is_refused_by_name(tmp_path: Path, sd15_shapes: Shapes, what: str, looks_like: str) -> None:
    first = "model.diffusion_model.input_blocks.0.0.weight"
    without_text = {key: shape for key, shape in sd15_shapes.items() if not key.startswith("cond_stage_model.")}
    shapes: Shapes = {
        "sd2": {**changed(without_text, "attn2.to_k", 1, 1024), "cond_stage_model.model.token_embedding.weight": (49408, 1024)},
        "sdxl": {
            **changed(without_text, "attn2.to_k", 1, 2048),
            "model.diffusion_model.label_emb.0.0.weight": (1280, 2816),
            "conditioner.embedders.1.model.ln_final.weight": (1280,),
        },
        "refiner": {**changed(without_text, "attn2.to_k", 1, 1280), "conditioner.embedders.0.model.ln_final.weight": (1280,)},
        "inpainting": changed(sd15_shapes, first, 1, 9),
        "pix2pix": changed(sd15_shapes, first, 1, 8),
        "depth": changed(sd15_shapes, first, 1, 5),
        "x4": changed(sd15_shapes, first, 1, 7),
        "vae": {key.removeprefix("first_stage_model."): shape for key, shape in sd15_shapes.items() if key.startswith("first_stage_model.")},
        "unet 2.x": changed(without_text, "attn2.to_k", 1, 1024),
        "lora": {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": (4, 320)},
        "controlnet": {"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)},
        "flux": {"double_blocks.0.img_attn.norm.key_norm.scale": (128,), "img_in.weight": (3072, 64)},
        "sd3": {"model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias": (9216,)},
        "mismatched": changed(sd15_shapes, "attn2.to_k", 1, 640),
        "embedding": {"emb_params": (4, 768)},
        "unknown": {"weight": (3, 3)},
    }[what]
    checkpoint = open_checkpoint(write_headers_only(tmp_path / "file.safetensors", shapes))
    assert not any(family.match(checkpoint) for family in FAMILIES)
    with pytest.raises(ModelUnsupported, match=looks_like) as caught:
        recognise(checkpoint)
    assert caught.value.path == "model"
    assert "'file.safetensors'" in caught.value.message


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
