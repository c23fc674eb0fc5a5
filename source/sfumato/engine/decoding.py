"""Latents to pictures through the VAE, one picture at a time: bits do not depend on the batch, memory is that of one picture, a cancel waits for one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sfumato.engine.family import Model
from sfumato.protocol.errors import NumbersInvalid

Pixels = NDArray[np.uint8]


def decode(model: Model, latent: Tensor) -> Pixels:
    """One latent (1, C, h, w) float32 -> pixels (H, W, 3).

    Numbers that are not finite are decoded once more in float32, which the model's VAE then keeps (its stored values fit, only results overflow);
    raises `NumbersInvalid` if that does not help. A black picture is never returned silently.
    """
    picture = _decoded(model, latent)
    if not bool(picture.isfinite().all()) and model.vae.dtype != torch.float32:
        model.vae.to(torch.float32)
        picture = _decoded(model, latent)
    if not bool(picture.isfinite().all()):
        raise NumbersInvalid("decoding")
    return to_pixels(picture[0])


def _decoded(model: Model, latent: Tensor) -> Tensor:
    scaled = (latent / model.latent.scale).to(model.vae.dtype)
    with torch.inference_mode():
        return model.vae.decode(scaled, return_dict=False)[0].float()


def to_pixels(picture: Tensor) -> Pixels:
    """(3, H, W) in -1..1 -> (H, W, 3) bytes, rounded to nearest."""
    return picture.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
