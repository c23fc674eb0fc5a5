"""What a mask does while a picture is painted: at every call the original holds its ground outside the mask (E66, E67).

A blend is asked before and after each call of the denoiser and once when the last step is done. Masks are 1 where the picture is repainted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

from torch import Tensor

from sfumato.engine.inputs.soft_inpainting import differential_mask, soft_blend, soft_mask
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import PairDenoiser
from sfumato.engine.tiled.grid import Tile


class Blend(Protocol):
    """Latents are (B, C, h, w)."""

    def before(self, x: Tensor, sigma: float) -> Tensor:
        """What the denoiser is to see."""
        ...

    def after(self, denoised: Tensor, sigma: float) -> Tensor:
        """What the sampler is to see of a prediction."""
        ...

    def final(self, x: Tensor) -> Tensor:
        """The finished latent."""
        ...

    def of(self, tile: Tile) -> Blend:
        """The same for a part of the latents."""
        ...


@dataclass(frozen=True)
class Hard:
    """Outside the mask every prediction is the original.

    Attributes:
        original: (B or 1, C, h, w).
        mask: (B or 1, 1, h, w) in 0..1.
        is_before: blend what goes in instead of what comes out, as AUTOMATIC1111 does for DDIM, PLMS and UniPC. Their own x is ours over
            sqrt(1 + sigma^2), and there the original is laid in without noise.
    """

    original: Tensor
    mask: Tensor
    is_before: bool = False

    def before(self, x: Tensor, sigma: float) -> Tensor:
        return self._laid(x, self.original * math.sqrt(1 + sigma**2)) if self.is_before else x

    def after(self, denoised: Tensor, sigma: float) -> Tensor:
        return denoised if self.is_before else self._laid(denoised, self.original)

    def final(self, x: Tensor) -> Tensor:
        return self._laid(x, self.original)

    def of(self, tile: Tile) -> Hard:
        return replace(self, original=tile.of(self.original), mask=tile.of(self.mask))

    def _laid(self, new: Tensor, old: Tensor) -> Tensor:
        return self.mask * new + (1 - self.mask) * old


@dataclass(frozen=True)
class Soft:
    """Half-open places keep less and less of the original as the noise falls. `power`, `scale`, `contrast`: as `inputs.soft_inpainting`."""

    original: Tensor
    mask: Tensor
    power: float = 1.0
    scale: float = 0.5
    contrast: float = 4.0

    def before(self, x: Tensor, sigma: float) -> Tensor:
        return x

    def after(self, denoised: Tensor, sigma: float) -> Tensor:
        return soft_blend(self.original, denoised, soft_mask(self.mask, sigma, self.power, self.scale), self.contrast)

    def final(self, x: Tensor) -> Tensor:
        # What is new is found from the latent afterwards; a last blend would hide it.
        return x

    def of(self, tile: Tile) -> Soft:
        return replace(self, original=tile.of(self.original), mask=tile.of(self.mask))


@dataclass(frozen=True)
class Differential:
    """Grey places join in later than white ones. `sigmas` are the levels of the pass."""

    original: Tensor
    mask: Tensor
    table: NoiseTable
    sigmas: tuple[float, ...]

    def before(self, x: Tensor, sigma: float) -> Tensor:
        return x

    def after(self, denoised: Tensor, sigma: float) -> Tensor:
        times = [self.table.fractional_t(level) for level in self.sigmas if level > 0]
        opened = differential_mask(self.mask, self.table.fractional_t(sigma), times[0], times[-1])
        return self._laid(denoised, opened.to(denoised.dtype))

    def final(self, x: Tensor) -> Tensor:
        return self._laid(x, (self.mask > 0).to(x.dtype))

    def of(self, tile: Tile) -> Differential:
        return replace(self, original=tile.of(self.original), mask=tile.of(self.mask))

    def _laid(self, new: Tensor, mask: Tensor) -> Tensor:
        return mask * new + (1 - mask) * self.original


class Blended:
    """A denoiser under a blend."""

    def __init__(self, denoise: PairDenoiser, blend: Blend) -> None:
        self._denoise = denoise
        self._blend = blend

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return self._blend.after(self._denoise(self._blend.before(x, sigma), sigma), sigma)

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        # The negative side too: then the difference of both drives nothing outside the mask.
        denoised, negative = self._denoise.pair(self._blend.before(x, sigma), sigma)
        return self._blend.after(denoised, sigma), self._blend.after(negative, sigma)
