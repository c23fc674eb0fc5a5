"""The finished starter model as modules that stay as they are, for the trainings of what is added to it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from construction import build_unet
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from training import HERE, LATENT_SCALE, as_tensor
from transformers import CLIPTextModel

from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.device import Device
from sfumato.engine.families import sd1
from sfumato.engine.family import read_anew

CHECKPOINT = HERE.parent / "checkpoints" / "sfumato-starter.safetensors"
ADDITION_LIMIT_BYTES = 3_000_000


class Starter(NamedTuple):
    """The model that ships, in float32, without gradients of its own."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text: CLIPTextModel

    def context(self, rows: Tensor) -> Tensor:
        """What (B, 77) tokens mean to the UNet: (B, 77, 64). Equal rows are read once."""
        distinct, where = torch.unique(rows, dim=0, return_inverse=True)
        return self.text(input_ids=distinct).last_hidden_state[where]

    @torch.no_grad()
    def latents(self, pictures: Sequence[Image.Image]) -> Tensor:
        """(N, 4, 8, 8) on the CPU, of about unit variance."""
        pixels = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
        device = self.vae.device
        means = [self.vae.encode(as_tensor(batch).to(device)).latent_dist.mean.cpu() for batch in np.array_split(pixels, max(1, len(pixels) // 64))]
        return torch.cat(means) * LATENT_SCALE


def starter(device: torch.device) -> Starter:
    """Load it by the engine's own reader."""
    model = sd1.FAMILY.load(open_checkpoint(CHECKPOINT), Device(device, torch.float32, device.type), lambda: None, read_anew)
    text = model.encoders[0].tower
    assert isinstance(text, CLIPTextModel)
    unet = build_unet().to(device).requires_grad_(False).eval()  # the engine's has its settings per level, which diffusers' ControlNet cannot copy
    unet.load_state_dict(model.unet.state_dict())
    return Starter(unet, model.vae, text)


def ship(tensors: dict[str, Tensor], target: Path, metadata: dict[str, str]) -> None:
    """Write an addition in half precision, replacing `target` in one step; raises `ValueError` above the size limit."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    halves = {key: tensor.detach().to("cpu", torch.float16).clone(memory_format=torch.contiguous_format) for key, tensor in tensors.items()}
    try:
        save_file(halves, temporary, metadata={"format": "pt", "modelspec.sai_model_spec": "1.0.0", "modelspec.license": "GPL-3.0-or-later"} | metadata)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        size = temporary.stat().st_size
        if size > ADDITION_LIMIT_BYTES:
            raise ValueError(f"{target.name} has {size} bytes; what is added to the starter may have {ADDITION_LIMIT_BYTES}")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    print(f"wrote {target}: {size} bytes")
