"""A loaded network that makes pictures larger, or mends them, whoever's architecture it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Call = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ImageNetwork:
    """A network from pictures to pictures.

    Attributes:
        name: of its file, for people.
        architecture: as its authors call it.
        module: what holds the weights, in evaluation mode.
        scale: how many times larger each side becomes; 1 for what only mends.
        channels: of the pictures it takes: 1 grey, 3 RGB, 4 RGB and alpha.
        call: (1, channels, h, w) in 0..1 of `dtype` on `device` -> (1, any channels, h * scale, w * scale); pads what it must.
        is_tiled: whether it may be given pieces of a picture; False for what looks at all of it.
        is_face: whether it expects one aligned face.
    """

    name: str
    architecture: str
    module: nn.Module
    scale: int
    channels: int
    call: Call
    device: torch.device
    dtype: torch.dtype
    is_tiled: bool = True
    is_face: bool = False

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.module.parameters(), *self.module.buffers()))

    def __call__(self, pixels: Tensor) -> Tensor:
        """RGB (1, 3, h, w) float32 in 0..1 -> (1, 3, h * scale, w * scale) float32 in 0..1, on the CPU."""
        given = pixels.to(self.device, self.dtype)
        with torch.inference_mode():
            if self.channels == 1:
                # A grey network sees each colour for itself.
                out = torch.cat([self.call(colour)[:, :1] for colour in given.split(1, dim=1)], dim=1)
            else:
                out = self.call(given if self.channels == 3 else torch.cat([given, torch.ones_like(given[:, :1])], dim=1))
        out = out[:, :3] if out.shape[1] >= 3 else out[:, :1].expand(-1, 3, -1, -1)
        # What is no number in half precision is black, never an undefined byte.
        return torch.nan_to_num(out.float().cpu(), 0.0, 1.0, 0.0).clamp(0, 1)
