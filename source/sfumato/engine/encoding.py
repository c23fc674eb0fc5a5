"""Pictures to latents through the VAE, one at a time, as `decoding` is the way back."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from sfumato.engine.decoding import in_range
from sfumato.engine.family import Model
from sfumato.engine.vae_tiling import OVERLAP_PX, common_norms, smaller, tiled
from sfumato.engine.workplace import Work

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

    Numbers that are not finite are encoded once more in wider formats, as in decoding; raises `NumbersInvalid` if that does not help. What a VAE made of a
    picture is kept, for the job that starts from it once more.
    """
    mean, spread = model.workplace.attempt("vae", lambda: _kept(model, pixels))
    latent = mean if sample_seed is None else mean + spread * _drawn(mean, sample_seed)
    return latent * model.latent.scale if is_scaled else latent


def encode_picture(model: Model, picture: Image.Image, sample_seed: int | None = None) -> Tensor:
    """ "RGB" -> latent (1, C, h, w) float32; as `encode_pixels`."""
    return encode_pixels(model, to_tensor(picture, model.device.torch), sample_seed)


def stretched(latent: Tensor, size: tuple[int, int]) -> Tensor:
    """The latent at another size (h, w), bilinear (E62, mode latent)."""
    return latent if tuple(latent.shape[-2:]) == size else functional.interpolate(latent, size=size, mode="bilinear")


def _kept(model: Model, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread of the distribution (1, C, h, w), computed once for the same pixels."""
    workplace, size = model.workplace, (pixels.shape[-1], pixels.shape[-2])
    files = {str(stored.file) for stored in model.checkpoint.parts.get("vae", {}).values()}
    identity = tuple(entry for entry in model.checkpoint.identity if entry[0] in files) or id(model.vae)
    digest = hashlib.sha256(np.ascontiguousarray(pixels.float().cpu().numpy()).tobytes()).digest()
    tile_px, form = workplace.tile_px(size, is_decoding=False), workplace.wider(model.vae) or model.vae.dtype
    key = (identity, str(model.device.torch), form, tile_px, size, _padding(model), digest)
    return workplace.encoded(key, lambda: in_range(model, lambda: _encoded(model, pixels, tile_px), "encoding the picture"))


def _padding(model: Model) -> str:
    """How the VAE's convolutions see the picture's edges, which a patch may change (E73)."""
    return str(model.vae.encoder.conv_in.padding)


def _encoded(model: Model, pixels: Tensor, tile_px: int) -> tuple[Tensor, Tensor]:
    factor = model.latent.factor

    def whole(part: Tensor) -> Tensor:
        found = model.vae.encode(part.to(model.vae.dtype), return_dict=False)[0]
        return torch.cat([found.mean.float(), found.std.float()], dim=1)

    work = Work("encode", (min(tile_px or pixels.shape[-1], pixels.shape[-1]), min(tile_px or pixels.shape[-2], pixels.shape[-2])))
    with torch.inference_mode(), model.workplace.using(model.vae, work):
        if tile_px:
            height, width = (side // factor * factor for side in pixels.shape[-2:])
            source = pixels[..., :height, :width]
            with common_norms([model.vae.encoder], lambda: whole(smaller(source, tile_px))):
                made = tiled(source, whole, tile_px, OVERLAP_PX, 1 / factor, model.workplace.check).to(pixels.device)
        else:
            made = whole(pixels)
    mean, spread = made.chunk(2, dim=1)
    return mean, spread


def _drawn(like: Tensor, seed: int) -> Tensor:
    # Not the picture's own generator: its noise must not depend on whether the encoding draws.
    begin = hashlib.sha256(f"{_STREAM} {seed}".encode()).digest()[:_STREAM_BYTES]
    generator = torch.Generator("cpu").manual_seed(int.from_bytes(begin, "little"))
    return torch.randn(like.shape, generator=generator, dtype=torch.float32).to(like.device)
