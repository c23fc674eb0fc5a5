"""Published files, by their headers: one family each and the right one, configured as published, in a moment; everything else is named."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sfumato.engine.checkpoint import Checkpoint, open_checkpoint
from sfumato.engine.configuration import UNetConfiguration, clip_configuration, input_channels, unet_configuration
from sfumato.engine.families import FAMILIES, recognise
from sfumato.engine.family import variant_of
from sfumato.engine.prediction import is_zero_terminal, prediction_of
from sfumato.protocol.errors import ModelUnsupported
from tests.support import published as p
from tests.support.tiny_models import write_headers_only

LIMIT_S = 0.05
# Where processors are shared, what a moment is is told by how long bare JSON takes beside it; alone, detection takes six times as long.
LIMIT_PARSES = 10


@dataclass(frozen=True)
class Published:
    """One file: its tensors, and what must be read from them. `missing`: request fields of parts it does not have."""

    shapes: Callable[[], Mapping[str, tuple[int, ...]]]
    family: str
    unet: UNetConfiguration
    variant: str = "base"
    px: int = 512
    prediction: str | None = None
    zero_terminal: bool = False
    missing: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    dtype: str = "F16"


def _novelai(channels: int = 4) -> dict[str, tuple[int, ...]]:
    return {key.replace("transformer.text_model.", "transformer."): shape for key, shape in p.sd15(channels).items()}


def _renamed(shapes: Mapping[str, tuple[int, ...]], old: str, new: str) -> dict[str, tuple[int, ...]]:
    return {key.replace(old, new): shape for key, shape in shapes.items()}


_V = {"modelspec.prediction_type": "v", "modelspec.resolution": "768x768"}
_ALONE, _ALONE_XL = ("vae", "clip"), ("vae", "clip", "clip_2")

FILES: dict[str, Published] = {
    "v1-5-pruned-emaonly": Published(p.sd15, "sd1", p.SD15),
    "v1-5-pruned": Published(lambda: p.training_leftovers(p.sd15()), "sd1", p.SD15, dtype="F32"),
    "nai": Published(_novelai, "sd1", p.SD15),
    "nai-inpainting": Published(lambda: _novelai(9), "sd1", p.SD15, "inpainting"),
    "sd-v1-5-inpainting": Published(lambda: p.sd15(9), "sd1", p.SD15, "inpainting"),
    "instruct-pix2pix": Published(lambda: p.training_leftovers(p.sd15(8)), "sd1", p.SD15, "pix2pix"),
    "sd1 bf16": Published(p.sd15, "sd1", p.SD15, dtype="BF16"),
    "sd1 fp8": Published(p.sd15, "sd1", p.SD15, dtype="F8_E4M3"),
    "sd1 without VAE": Published(lambda: p.unet(p.SD15) | p.clip_l(), "sd1", p.SD15, missing=("vae",)),
    "sd1 trained with v": Published(
        p.sd15, "sd1", p.SD15, prediction="v", metadata={"ss_v_parameterization": "True", "ss_zero_terminal_snr": "True"}, zero_terminal=True
    ),
    "sd1 UNet": Published(lambda: p.unet(p.SD15), "sd1", p.SD15, missing=_ALONE),
    "sd1 UNet of ComfyUI": Published(lambda: p.unet(p.SD15, "diffusion_model."), "sd1", p.SD15, missing=_ALONE),
    "sd1 UNet without prefix": Published(lambda: p.unet(p.SD15, ""), "sd1", p.SD15, missing=_ALONE),
    "sd1 UNet of diffusers": Published(lambda: p.diffusers_unet(p.SD15), "sd1", p.SD15, missing=_ALONE),
    "sd1 inpainting UNet of diffusers": Published(lambda: p.diffusers_unet(p.SD15, 9), "sd1", p.SD15, "inpainting", missing=_ALONE),
    "bk-sdm-base": Published(lambda: p.unet(p.BK_BASE) | p.vae() | p.clip_l(), "sd1", p.BK_BASE),
    "bk-sdm-small, small-sd": Published(lambda: p.unet(p.BK_SMALL) | p.vae() | p.clip_l(), "sd1", p.BK_SMALL),
    "bk-sdm-tiny, tiny-sd": Published(lambda: p.unet(p.BK_TINY) | p.vae() | p.clip_l(), "sd1", p.BK_TINY),
    "512-base-ema": Published(p.sd2, "sd2", p.SD2, px=512, prediction="eps", metadata={"modelspec.prediction_type": "epsilon"}),
    "v2-1_768-ema-pruned": Published(p.sd2, "sd2", p.SD2, px=768, prediction="v", metadata=_V),
    "v2-1 without a word": Published(lambda: p.training_leftovers(p.sd2()), "sd2", p.SD2, px=768),
    "v2-1 without its last layer": Published(lambda: p.sd2(layers=23), "sd2", p.SD2, px=768),
    "512-inpainting-ema": Published(lambda: p.sd2(9), "sd2", p.SD2, "inpainting", px=768),
    "sd2 UNet of diffusers": Published(lambda: p.diffusers_unet(p.SD2), "sd2", p.SD2, px=768, missing=_ALONE),
    "bk-sdm-v2-small": Published(lambda: p.diffusers_unet(p.BK_V2_SMALL), "sd2", p.BK_V2_SMALL, px=768, missing=_ALONE),
    "sd_xl_base_1.0": Published(p.sdxl, "sdxl", p.SDXL, px=1024, metadata={"modelspec.resolution": "1024x1024"}),
    "sdxl with sigmas": Published(lambda: {**p.sdxl(), "denoiser.sigmas": (1000,)}, "sdxl", p.SDXL, px=1024),
    "noobai v-prediction": Published(lambda: {**p.sdxl(), "v_pred": (0,), "ztsnr": (0,)}, "sdxl", p.SDXL, px=1024, prediction="v", zero_terminal=True),
    "sdxl v-prediction alone": Published(lambda: {**p.sdxl(), "v_pred": (0,)}, "sdxl", p.SDXL, px=1024, prediction="v"),
    "sdxl fp8": Published(p.sdxl, "sdxl", p.SDXL, px=1024, dtype="F8_E4M3"),
    "sdxl scaled fp8": Published(lambda: p.scaled(p.unet(p.SDXL)), "sdxl", p.SDXL, px=1024, dtype="F8_E4M3", missing=_ALONE_XL),
    "sdxl inpainting": Published(lambda: p.sdxl(channels=9), "sdxl", p.SDXL, "inpainting", px=1024),
    "sdxl pix2pix": Published(lambda: p.sdxl(channels=8), "sdxl", p.SDXL, "pix2pix", px=1024),
    "sdxl inpainting UNet of diffusers": Published(lambda: p.diffusers_unet(p.SDXL, 9), "sdxl", p.SDXL, "inpainting", px=1024, missing=_ALONE_XL),
    "sdxl UNet of ComfyUI": Published(lambda: p.unet(p.SDXL, "diffusion_model."), "sdxl", p.SDXL, px=1024, missing=_ALONE_XL),
    "ssd-1b": Published(lambda: p.sdxl(p.SSD_1B), "sdxl", p.SSD_1B, px=1024),
    "segmind-vega": Published(lambda: p.sdxl(p.VEGA), "sdxl", p.VEGA, px=1024),
    "koala-700m": Published(lambda: p.diffusers_unet(p.KOALA_700M), "sdxl", p.KOALA_700M, px=1024, missing=_ALONE_XL),
    "koala-1b": Published(lambda: p.sdxl(p.KOALA_1B), "sdxl", p.KOALA_1B, px=1024),
    "sd_xl_refiner_1.0": Published(p.refiner, "sdxl_refiner", p.REFINER, px=1024),
    "refiner UNet of diffusers": Published(lambda: p.diffusers_unet(p.REFINER), "sdxl_refiner", p.REFINER, px=1024, missing=("vae", "clip_2")),
}

_SD15_LORA = {f"lora_unet_down_blocks_0_attentions_0_proj_in.{leaf}": (4, 320) for leaf in ("lora_down.weight", "lora_up.weight", "alpha")}
_DIFFUSERS_CONTROL = {key: shape for key, shape in p.diffusers_unet(p.SD15).items() if not key.startswith(("up_blocks", "conv_out", "conv_norm_out"))}

# What a file looks like -> (words of the sentence, its tensors).
FOREIGN: dict[str, tuple[str, Callable[[], Mapping[str, tuple[int, ...]]]]] = {
    "512-depth-ema": ("a depth-to-image model", lambda: p.sd2(5)),
    "x4-upscaler-ema": ("an upscaling model (x4)", lambda: p.sd2(7)),
    "sd21-unclip-h": ("an unCLIP model", lambda: {**p.sd2(), "model.diffusion_model.label_emb.0.0.weight": (1280, 2048), "noise_augmentor.betas": (1000,)}),
    "playground-v2.5": ("another noise parametrisation", lambda: {**p.sdxl(), "edm_mean": (4,), "edm_std": (4,)}),
    "cosxl": ("another noise parametrisation", lambda: {**p.sdxl(), "edm_vpred.sigma_max": (), "edm_vpred.sigma_min": ()}),
    "vae-ft-mse-840000": ("a VAE on its own", lambda: p.vae("")),
    "sdxl_vae": ("a VAE on its own", p.vae),
    "sd-vae-ft-mse of diffusers": ("a VAE on its own", p.diffusers_vae),
    "clip_l": ("a text encoder on its own", lambda: p.clip_l("text_model.")),
    "clip_g": ("a text encoder on its own", lambda: p.transformers_clip(p.CLIP_G)),
    "open_clip vit-h": ("a text encoder on its own", lambda: p.open_clip("", 1024, 24)),
    "kohya LoRA": ("a LoRA", lambda: _SD15_LORA),
    "diffusers LoRA": ("a LoRA", lambda: {"unet.down_blocks.0.attentions.0.to_q.lora_A.weight": (4, 320)}),
    "control_v11p": (
        "a ControlNet",
        lambda: {"control_model.input_blocks.0.0.weight": (320, 4, 3, 3), "control_model.input_hint_block.0.weight": (16, 3, 3, 3)},
    ),
    "ControlNet of diffusers": ("a ControlNet", lambda: {**_DIFFUSERS_CONTROL, "controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3)}),
    "t2i-adapter": ("a T2I adapter", lambda: {"adapter.body.0.block1.weight": (320, 320, 3, 3), "adapter.conv_in.weight": (320, 768, 3, 3)}),
    "ip-adapter": ("an IP adapter", lambda: {"image_proj.proj.weight": (3072, 1024), "ip_adapter.1.to_k_ip.weight": (320, 768)}),
    "textual inversion": ("an embedding", lambda: {"emb_params": (4, 768)}),
    "SDXL textual inversion": ("an embedding", lambda: {"clip_l": (4, 768), "clip_g": (4, 1280)}),
    "4x-UltraSharp": ("an upscaler", lambda: {"model.0.weight": (64, 3, 3, 3)}),
    "RealESRGAN": ("an upscaler", lambda: {"conv_first.weight": (64, 3, 3, 3)}),
    "taesd decoder": ("a tiny VAE", lambda: {"decoder.layers.0.weight": (64, 4, 3, 3), "encoder.layers.0.weight": (64, 3, 3, 3)}),
    "sd3_medium": ("Stable Diffusion 3", lambda: {"model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias": (9216,)}),
    "flux1-dev": ("Flux.1", lambda: {"double_blocks.0.img_attn.norm.key_norm.scale": (128,), "guidance_in.in_layer.weight": (3072, 256)}),
    "chroma": ("Chroma", lambda: {"double_blocks.0.img_attn.norm.key_norm.scale": (128,), "distilled_guidance_layer.in_proj.weight": (5120, 64)}),
    "flux2-dev": ("Flux.2", lambda: {"double_blocks.0.img_attn.norm.key_norm.scale": (128,), "single_stream_modulation.lin.weight": (9, 9)}),
    "z-image": ("Z-Image", lambda: {"cap_embedder.0.weight": (2560,), "layers.0.adaLN_modulation.0.weight": (15360, 256)}),
    "qwen-image": ("Qwen-Image", lambda: {"txt_in.weight": (3072, 3584), "txt_norm.weight": (3584,), "img_in.weight": (3072, 64)}),
    "stable cascade": ("Stable Cascade", lambda: {"clip_txt_mapper.weight": (2048, 1280), "down_blocks.0.0.channelwise.0.weight": (8192, 2048)}),
    "nothing known": ("no kind of model", lambda: {"weight": (3, 3)}),
}


def _parse_seconds(path: Path) -> float:
    started = time.thread_time()
    with path.open("rb") as file:
        json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return time.thread_time() - started


def _matching(checkpoint: Checkpoint) -> list[str]:
    return [family.name for family in FAMILIES if family.match(checkpoint)]


@pytest.mark.rule("E16", "E17", "E18", "E20", "E24", "E68", "E121", "R47")
@pytest.mark.parametrize("name", FILES)
def test_a_published_file_is_claimed_by_one_family_and_configured(tmp_path: Path, name: str) -> None:
    told = FILES[name]
    path = write_headers_only(tmp_path / "file.safetensors", told.shapes(), told.metadata, told.dtype)
    # When
    times, parses = [], []
    for _ in range(5):
        started = time.thread_time()
        checkpoint = open_checkpoint(path)
        family = recognise(checkpoint)
        times.append(time.thread_time() - started)
        parses.append(_parse_seconds(path))
    # Then
    assert _matching(checkpoint) == [told.family]
    assert family.name == told.family
    assert variant_of(input_channels(checkpoint), family.latent.channels) == told.variant
    assert family.native_px(checkpoint) == told.px
    assert prediction_of(checkpoint) == told.prediction
    assert is_zero_terminal(checkpoint) is told.zero_terminal
    assert tuple(field for field, part in family.roles.items() if part not in checkpoint.parts) == told.missing
    read = unet_configuration(checkpoint, 8 if told.family == "sd1" else None)
    assert (read.widths, read.layers, read.depths, read.up_depths, read.middle, read.middle_depth, read.heads, read.vector_width) == (
        told.unet.widths,
        told.unet.layers,
        told.unet.depths,
        told.unet.up_depths,
        told.unet.middle,
        told.unet.middle_depth,
        told.unet.heads,
        told.unet.vector_width,
    )
    assert (read.context_width, read.linear_projection, read.groups) == (told.unet.context_width, told.unet.linear_projection, 32)
    assert min(times) < max(LIMIT_S, LIMIT_PARSES * min(parses)), (times, parses)


@pytest.mark.rule("E16", "E17", "E126", "R144")
@pytest.mark.parametrize("name", FOREIGN)
def test_a_wrong_file_is_claimed_by_no_family_and_named(tmp_path: Path, name: str) -> None:
    looks_like, shapes = FOREIGN[name]
    checkpoint = open_checkpoint(write_headers_only(tmp_path / "file.safetensors", shapes()))
    assert _matching(checkpoint) == []
    with pytest.raises(ModelUnsupported) as caught:
        recognise(checkpoint)
    assert looks_like in caught.value.message
    assert "'file.safetensors'" in caught.value.message
    assert caught.value.path == "model"


@pytest.mark.rule("R144")
def test_R144_ten_kinds_of_wrong_file_have_ten_sentences() -> None:
    assert len({words for words, _ in FOREIGN.values()}) >= 10


@pytest.mark.rule("E121")
def test_there_are_forty_headers_of_real_files() -> None:
    assert len(FILES) + len(FOREIGN) >= 40
    assert len(p.sd15()) == 1131
    assert len(p.sdxl()) == 2515


@pytest.mark.rule("E17", "E18")
def test_towers_are_told_from_their_headers(tmp_path: Path) -> None:
    base = open_checkpoint(write_headers_only(tmp_path / "base.safetensors", p.sdxl()))
    assert clip_configuration(base, "clip_l") == p.CLIP_L
    assert clip_configuration(base, "clip_g") == p.CLIP_G
    sd2 = open_checkpoint(write_headers_only(tmp_path / "sd2.safetensors", p.sd2()))
    assert clip_configuration(sd2, "clip_h") == p.CLIP_H


def _folder(path: Path, parts: Mapping[str, tuple[Mapping[str, tuple[int, ...]], dict[str, object]]], variant: str = "") -> Path:
    path.mkdir()
    (path / "model_index.json").write_text("{}")
    for folder, (shapes, config) in parts.items():
        stem = "model" if folder.startswith("text") else "diffusion_pytorch_model"
        write_headers_only(path / folder / f"{stem}{variant}.safetensors", shapes)
        (path / folder / "config.json").write_text(json.dumps(config))
    return path


_HEADS = {"sd1": 8, "sd2": [5, 10, 20, 20], "sdxl": [5, 10, 20], "sdxl_refiner": [6, 12, 24, 24]}
_ACTIVATION = {"hidden_act": "gelu"}
FOLDERS = {
    "sd1": (p.SD15, 64, {"text_encoder": (lambda: p.transformers_clip(p.CLIP_L), {"hidden_act": "quick_gelu"})}, 512),
    "sd2": (p.SD2, 96, {"text_encoder": (lambda: p.transformers_clip(p.CLIP_H, 23), _ACTIVATION)}, 768),
    "sdxl": (
        p.SDXL,
        128,
        {"text_encoder": (lambda: p.transformers_clip(p.CLIP_L), {}), "text_encoder_2": (lambda: p.transformers_clip(p.CLIP_G), _ACTIVATION)},
        1024,
    ),
    "sdxl_refiner": (p.REFINER, 128, {"text_encoder_2": (lambda: p.transformers_clip(p.CLIP_G), _ACTIVATION)}, 1024),
}


@pytest.mark.rule("E9", "E16", "E17")
@pytest.mark.parametrize("variant", ["", ".fp16", ".bf16"])
@pytest.mark.parametrize("family", FOLDERS)
def test_a_published_folder_is_claimed_by_one_family(tmp_path: Path, family: str, variant: str) -> None:
    shape, sample_size, towers, px = FOLDERS[family]
    parts = {"unet": (p.diffusers_unet(shape), {"attention_head_dim": _HEADS[family], "sample_size": sample_size}), "vae": (p.diffusers_vae(), {})}
    checkpoint = open_checkpoint(_folder(tmp_path / "model", {**parts, **{folder: (made(), config) for folder, (made, config) in towers.items()}}, variant))
    assert _matching(checkpoint) == [family]
    row = recognise(checkpoint)
    assert row.native_px(checkpoint) == px
    assert unet_configuration(checkpoint, None).heads == shape.heads
    assert all(part in checkpoint.parts for part in row.roles.values())
    if family == "sd2":
        assert clip_configuration(checkpoint, "clip_h").layers == 23
