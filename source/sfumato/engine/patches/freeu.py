"""FreeU (Si et al. 2023): the network's up side trusts its own features more, and the coarse part of what it is handed across less.

Acts where the features entering a block have one of the two greatest channel counts (1280 and 640 in SD and SDXL), as in the authors' code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

Hook = Callable[[nn.Module, tuple[Any, ...]], "tuple[Any, ...] | None"]


@dataclass(frozen=True)
class FreeUSettings:
    """Factors of half the features' channels (b1, b2) and of the skips' lowest frequencies (s1, s2), at the widest and the next level; 1 is off."""

    b1: float = 1.0
    b2: float = 1.0
    s1: float = 1.0
    s2: float = 1.0

    @property
    def is_off(self) -> bool:
        return (self.b1, self.b2, self.s1, self.s2) == (1.0, 1.0, 1.0, 1.0)


class FreeU:
    """While inside, and `is_on`, the up side of a UNet works so."""

    def __init__(self, unet: nn.Module, settings: FreeUSettings) -> None:
        self.is_on = False
        entering = list(_entering(unet))
        widths = sorted({features for _, features in entering}, reverse=True)
        factors = dict(zip(widths, ((settings.b1, settings.s1), (settings.b2, settings.s2)), strict=False))
        self._places = [(block, features, *factors[features]) for block, features in entering if features in factors]
        self._handles: list[Any] = []

    def __enter__(self) -> FreeU:
        self._handles = [block.register_forward_pre_hook(self._reweighed(features, b, s)) for block, features, b, s in self._places]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.is_on = False

    def _reweighed(self, features: int, b: float, s: float) -> Hook:
        def before(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            if not self.is_on:
                return None
            joined = args[0]
            half, rest, skip = joined.split((features // 2, features - features // 2, joined.shape[1] - features), dim=1)
            return torch.cat([half * b, rest, scaled_low_frequencies(skip, s)], dim=1), *args[1:]

        return before


def _entering(unet: nn.Module) -> list[tuple[nn.Module, int]]:
    """The residual blocks of the up side, which take features and skip as one tensor, and how many of its channels are features."""
    places = []
    features = unet.up_blocks[0].resnets[0].in_channels - _last_width(unet)  # type: ignore[index, union-attr]
    for level in unet.up_blocks:  # type: ignore[union-attr]
        for block in level.resnets:
            places.append((block, features))
            features = block.out_channels
    return places


def _last_width(unet: nn.Module) -> int:
    """Channels of the innermost skip."""
    return unet.down_blocks[-1].resnets[-1].out_channels  # type: ignore[index, union-attr]


def scaled_low_frequencies(x: Tensor, scale: float) -> Tensor:
    """x (B, C, h, w) with its frequencies -1 and 0 along both sides multiplied by `scale`."""
    if scale == 1:
        return x
    height, width = x.shape[-2:]
    waves = _waves(height, width, x.device)
    flat = x.float().flatten(2)
    low = (flat @ waves.T) @ waves
    return (flat + (scale - 1) * low).view(x.shape).to(x.dtype)


@lru_cache(maxsize=16)
def _waves(height: int, width: int, device: torch.device) -> Tensor:
    """Rows (n, h * w) whose products with a picture and back give its part at these frequencies: 1, and cosine and sine of the three others."""
    y = torch.arange(height, dtype=torch.float64)[:, None] * (2 * math.pi / height)
    x = torch.arange(width, dtype=torch.float64)[None, :] * (2 * math.pi / width)
    turns = {(v, u) for v in range(min(height, 2)) for u in range(min(width, 2))} - {(0, 0)}
    angles = [v * y + u * x for v, u in sorted(turns)]
    rows = [torch.ones((height, width), dtype=torch.float64), *[wave for angle in angles for wave in (torch.cos(angle), torch.sin(angle))]]
    return (torch.stack(rows).flatten(1) / math.sqrt(height * width)).float().to(device)
