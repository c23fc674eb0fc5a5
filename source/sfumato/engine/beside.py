"""What some networks see beside the latent: mask and masked picture for inpainting (E68), the picture to change for instruct-pix2pix (E25)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from sfumato.engine.encoding import encode_pixels, to_tensor
from sfumato.engine.family import Model, Variant
from sfumato.engine.inputs.masks import rounded
from sfumato.engine.inputs.resizing import Size, stretch
from sfumato.engine.originals import Start
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests.generate import Generate

# (model, start, working size, request) -> (1, extra channels, h, w)
_Maker = Callable[[Model, Start | None, Size, Generate], Tensor]


def beside(model: Model, start: Start | None, size: Size, request: Generate) -> Tensor | None:
    """The extra channels for one picture, (1, E, h, w) float32; None if the network takes none.

    Args:
        start: what the picture is painted over; None = noise alone.
        size: of the pass in pixels, (width, height).
    """
    maker = _MAKERS.get(model.variant)
    return maker(model, start, size, request) if maker else None


def check_variant(model: Model, request: Generate) -> None:
    """Raises `Invalid` where the network cannot do without a picture."""
    if model.variant == "pix2pix" and not request.image:
        raise Invalid([Problem("image", f"'{model.checkpoint.name}' changes a picture as the prompt tells it to; choose one as the image.")])


def _pixels(model: Model, start: Start | None, size: Size) -> Tensor:
    """(1, 3, H, W) in -1..1; mid grey where there is no picture."""
    device = model.device.torch
    if start is None:
        return torch.zeros((1, 3, size[1], size[0]), device=device)
    return to_tensor(stretch(start.picture, size), device)


def _masked(model: Model, start: Start | None, size: Size, request: Generate) -> Tensor:
    """The mask, then the latent of the picture in which masked places are grey, as far as `mask_weight` says. Without a mask all is masked."""
    pixels = _pixels(model, start, size)
    mask = torch.ones((1, 1, size[1], size[0]), device=pixels.device)
    if start is not None and start.work is not None:
        grey = rounded(start.work.mask) if request.mask_round else start.work.mask
        mask = (to_tensor(grey.convert("RGB"), pixels.device)[:, :1] + 1) / 2
    seen = torch.lerp(pixels, pixels * (1 - mask), request.mask_weight)
    latent = encode_pixels(model, seen)
    return torch.cat([functional.interpolate(mask, size=latent.shape[-2:], mode="nearest"), latent], dim=1)


def _changed(model: Model, start: Start | None, size: Size, request: Generate) -> Tensor:
    """The latent of the whole picture, without the family's scale."""
    return encode_pixels(model, _pixels(model, start, size), is_scaled=False)


_MAKERS: Mapping[Variant, _Maker] = {"inpainting": _masked, "pix2pix": _changed}
