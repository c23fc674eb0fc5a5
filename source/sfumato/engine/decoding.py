"""Latents to pictures through the VAE, one picture at a time: bits do not depend on the batch, memory is that of one picture, a cancel waits for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sfumato.engine.family import Model
from sfumato.engine.offload import weights_below
from sfumato.engine.vae_tiling import OVERLAP_PX, common_norms, smaller, tiled
from sfumato.engine.workplace import Work
from sfumato.protocol.errors import NumbersInvalid

Pixels = NDArray[np.uint8]
T = TypeVar("T", Tensor, tuple[Tensor, Tensor])

# To what a format is widened whose numbers overflowed, in this order.
_WIDER: dict[torch.dtype, tuple[torch.dtype, ...]] = {
    torch.float16: (torch.bfloat16, torch.float32),
    torch.bfloat16: (torch.float32,),
    torch.float32: (),
}


def decode(model: Model, latent: Tensor) -> Pixels:
    """One latent (1, C, h, w) float32 -> pixels (H, W, 3).

    Numbers that are not finite are decoded once more in wider formats, which the job's workplace remembers of this VAE; raises `NumbersInvalid` if that does
    not help. A black picture is never returned silently.
    """
    return model.workplace.attempt("vae", lambda: to_pixels(in_range(model, lambda: decoded(model, latent), "decoding")[0]))


def decoded(model: Model, latent: Tensor) -> Tensor:
    """Latents (1, C, h, w) -> (1, 3, H, W) float32, about -1..1; tile by tile where the workplace says so. What overflows is not finite."""
    factor = model.latent.factor
    size = latent.shape[-1] * factor, latent.shape[-2] * factor
    tile_px = model.workplace.tile_px(size, is_decoding=True)
    work = Work("decode", (min(tile_px or size[0], size[0]), min(tile_px or size[1], size[1])))

    def whole(part: Tensor) -> Tensor:
        return model.vae.decode((part / model.latent.scale).to(model.vae.dtype), return_dict=False)[0].float()

    with torch.inference_mode(), model.workplace.using(model.vae, work):
        if tile_px:
            with common_norms([model.vae.decoder], lambda: whole(smaller(latent, tile_px // factor))):
                return tiled(latent, whole, tile_px // factor, OVERLAP_PX // factor, factor, model.workplace.check)
        return whole(latent)


def in_range(model: Model, work: Callable[[], T], stage: str) -> T:
    """What `work` makes by the model's VAE, in the narrowest format from the VAE's own upwards in which it is finite. Raises `NumbersInvalid`."""
    vae = model.vae
    first = model.workplace.wider(vae) or vae.dtype
    for dtype in (first, *_WIDER[first]):
        with widened(vae, dtype) if dtype != vae.dtype else nullcontext():
            made = work()
        if all(bool(each.isfinite().all()) for each in (made if isinstance(made, tuple) else (made,))):
            if dtype != first:
                model.workplace.found_wider(vae, dtype)
            return made
    raise NumbersInvalid(stage)


@contextmanager
def widened(network: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """The network in another number format while inside; afterwards with the very numbers it had."""
    weights = [weight for weight in weights_below(network) if weight.now.is_floating_point()]
    try:
        with torch.inference_mode(False):
            for weight in weights:
                weight.cast(dtype)
        yield
    finally:
        for weight in weights:
            weight.leave()


def to_pixels(picture: Tensor) -> Pixels:
    """(3, H, W) in -1..1 -> (H, W, 3) bytes, rounded to nearest."""
    return picture.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
