"""Writes trained modules as one safetensors file in the original Stable Diffusion 1 layout, half precision, like any published checkpoint."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "source"))

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel

from sfumato.engine.writing import original_tensors

SIZE_LIMIT_BYTES = 16_000_000
METADATA = {
    "format": "pt",
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": "stable-diffusion-v1",
    "modelspec.implementation": "https://github.com/CompVis/stable-diffusion",
    "modelspec.title": "Sfumato starter",
    "modelspec.description": "A tiny Stable Diffusion 1, trained on drawn shapes; it knows ten shapes and twelve colours.",
    "modelspec.license": "GPL-3.0-or-later",
    "modelspec.resolution": "64x64",
    "modelspec.prediction_type": "epsilon",
    "sfumato.training": "python models/starter/train.py",
}


def export(text: CLIPTextModel, unet: UNet2DConditionModel, autoencoder: AutoencoderKL, target: Path) -> None:
    """Write the three modules to `target`, replacing it in one step; raises `ValueError` above the size limit."""
    tensors = original_tensors(unet, autoencoder, text, torch.float16)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        save_file(tensors, temporary, metadata=METADATA)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        size = temporary.stat().st_size
        if size > SIZE_LIMIT_BYTES:
            raise ValueError(f"the model has {size} bytes; the starter may have {SIZE_LIMIT_BYTES}")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
