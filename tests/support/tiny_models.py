"""Tiny random Stable Diffusion 1 models, made from a seed in a fraction of a second, in the layouts that files have."""

from __future__ import annotations

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from sfumato.engine.modules import clip_body
from sfumato.engine.writing import original_tensors

VOCABULARY = 49408
WIDTH = 32


@dataclass(frozen=True)
class TinyModules:
    """The modules a file was written from."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    clip: CLIPTextModel


def tiny_modules(seed: int = 0) -> TinyModules:
    """UNet of 32 and 64 channels and 8 heads; VAE of four levels, 8 to 16 channels; text tower of two layers, width 32, with CLIP's vocabulary."""
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=2,
        attention_head_dim=8,
        cross_attention_dim=WIDTH,
        norm_num_groups=8,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=64,
    )
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=1,
            max_position_embeddings=77,
            hidden_act="quick_gelu",
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=49407,
        )
    )
    # Fresh towers have unit norms and weights so small that every prompt looks alike; larger ones make texts differ.
    with torch.no_grad():
        for parameter in clip.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    for module in (unet, vae, clip):
        module.requires_grad_(False).eval()
    return TinyModules(unet, vae, clip)


def write_single_file(modules: TinyModules, path: Path, dtype: torch.dtype = torch.float32, metadata: dict[str, str] | None = None) -> Path:
    """One safetensors file in the original layout, native size 64."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = original_tensors(modules.unet, modules.vae, modules.clip, dtype)
    save_file(tensors, path, metadata={"modelspec.resolution": "64x64"} if metadata is None else metadata)
    return path


def write_folder(modules: TinyModules, path: Path, variant: str = "") -> Path:
    """A diffusers folder with the text tower's keys wrapped in `text_model.`, as published ones have them."""
    suffix = f".{variant}" if variant else ""
    parts: dict[str, tuple[nn.Module, str, str, dict[str, object]]] = {
        "unet": (modules.unet, f"diffusion_pytorch_model{suffix}.safetensors", "", {"attention_head_dim": 8, "norm_num_groups": 8, "sample_size": 8}),
        "vae": (modules.vae, f"diffusion_pytorch_model{suffix}.safetensors", "", {"norm_num_groups": 2, "scaling_factor": 0.18215}),
        "text_encoder": (clip_body(modules.clip), f"model{suffix}.safetensors", "text_model.", {"num_attention_heads": 1, "hidden_act": "quick_gelu"}),
    }
    for folder, (module, name, prefix, config) in parts.items():
        (path / folder).mkdir(parents=True, exist_ok=True)
        save_file({prefix + key: tensor.contiguous() for key, tensor in module.state_dict().items()}, path / folder / name)
        (path / folder / "config.json").write_text(json.dumps(config))
    (path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    return path


def write_headers_only(path: Path, shapes: dict[str, tuple[int, ...]], metadata: dict[str, str] | None = None) -> Path:
    """A safetensors file with the given tensors whose bytes are a hole: detection of a full-size model without its weights."""
    place = 0
    header: dict[str, object] = {"__metadata__": metadata or {}}
    for key, shape in shapes.items():
        count = 2
        for side in shape:
            count *= side
        header[key] = {"dtype": "F16", "shape": list(shape), "data_offsets": [place, place + count]}
        place += count
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + place)
    return path
