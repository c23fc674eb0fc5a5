"""Pictures to latents through the VAE, one at a time, as `decoding` is the way back."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from sfumato.engine.family import Model
from sfumato.protocol.errors import NumbersInvalid

_STREAM = "sfumato-encode"
_STREAM_BYTES = 8


def to_tensor(picture: Image.Image, device: torch.device) -> Tensor:
    """ "RGB" -> (1, 3, H, W) float32 in -1..1."""
    pixels = torch.from_numpy(np.array(picture, np.uint8)).to(device)
    return pixels.permute(2, 0, 1)[None].float().div(127.5).sub(1)


def encode_pixels(model: Model, pixels: Tensor, sample_seed: int | None = None, *, is_scaled: bool = True) -> Tensor:
    """(1, 3, H, W) in -1..1 -> latent (1, C, H / factor, W / factor) float32; sides that are no whole multiples lose what is over.

    Args:
        sample_seed: draw from the distribution the VAE gives, by a generator that this seed begins and that is nobody else's; None takes its mean.
        is_scaled: False leaves out the family's scale, as instruct-pix2pix models want it.

    Numbers that are not finite are encoded once more in float32, as in decoding; raises `NumbersInvalid` if that does not help.
    """
    mean, spread = _encoded(model, pixels)
    if not bool(mean.isfinite().all()) and model.vae.dtype != torch.float32:
        model.vae.to(torch.float32)
        mean, spread = _encoded(model, pixels)
    if not bool(mean.isfinite().all()):
        raise NumbersInvalid("encoding the picture")
    latent = mean if sample_seed is None else mean + spread * _drawn(mean, sample_seed)
    return latent * model.latent.scale if is_scaled else latent


def encode_picture(model: Model, picture: Image.Image, sample_seed: int | None = None) -> Tensor:
    """ "RGB" -> latent (1, C, h, w) float32; as `encode_pixels`."""
    return encode_pixels(model, to_tensor(picture, model.device.torch), sample_seed)


def stretched(latent: Tensor, size: tuple[int, int]) -> Tensor:
    """The latent at another size (h, w), bilinear (E62, mode latent)."""
    return latent if tuple(latent.shape[-2:]) == size else functional.interpolate(latent, size=size, mode="bilinear")


def _encoded(model: Model, pixels: Tensor) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        found = model.vae.encode(pixels.to(model.vae.dtype), return_dict=False)[0]
        return found.mean.float(), found.std.float()


def _drawn(like: Tensor, seed: int) -> Tensor:
    # Not the picture's own generator: its noise must not depend on whether the encoding draws.
    begin = hashlib.sha256(f"{_STREAM} {seed}".encode()).digest()[:_STREAM_BYTES]
    generator = torch.Generator("cpu").manual_seed(int.from_bytes(begin, "little"))
    return torch.randn(like.shape, generator=generator, dtype=torch.float32).to(like.device)
