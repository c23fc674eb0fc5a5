"""A checkpoint of Stable Diffusion 1.5's UNet with random weights, for figures that need its size and not its knowledge."""

from __future__ import annotations

from pathlib import Path

import engine_loop
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from sfumato.engine.configuration import UNetConfiguration
from sfumato.engine.writing import original_tensors

NAME = "random-sd15-size"


def write_sd15_size(models: Path) -> str:
    """Write `checkpoints/random-sd15-size.safetensors` (1.8 GB, fp16) under `models` and return its name; VAE and text tower are tiny."""
    return write_size(models, engine_loop.SD15, NAME)


def write_size(models: Path, configuration: UNetConfiguration, name: str) -> str:
    """The same with a UNet of another construction."""
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, norm_num_groups=2
    )
    clip = CLIPTextModel(CLIPTextConfig(vocab_size=49408, hidden_size=768, intermediate_size=768, num_hidden_layers=1, num_attention_heads=12))
    unet = engine_loop.random_unet(configuration)
    target = models / "checkpoints" / f"{name}.safetensors"
    target.parent.mkdir(parents=True)
    save_file(original_tensors(unet, vae, clip, torch.float16), target)
    return name
