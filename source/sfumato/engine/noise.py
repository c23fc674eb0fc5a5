"""Noise, reproducible picture by picture: each image draws from a generator of its own.

So image k of a batch with seed s has exactly the noise of a single image with seed s + k; from the sources `cpu` and `nv` it has it on every device.
The rules for variations, seed resize and re-seeding are AUTOMATIC1111's, because people carry seeds from there.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sfumato.engine import philox
from sfumato.engine.brownian import BrownianPath

SEED_LIMIT = 2**63
# Drawn seeds stay below this, so that other programs can read them.
DRAWN_LIMIT = 2**32 - 2
_GENERATOR_LIMIT = 2**64
# Every level a table may hold lies in here.
_ALL_LEVELS = (0.0, 16384.0)
# Noises closer than this (mean cosine) are mixed linearly: the angle between them says nothing.
_PARALLEL = 0.9995

Rng = Literal["cpu", "nv", "gpu"]
Shape = tuple[int, int, int]
# The next float32 noise of a shape (C, h, w); calls continue one generator.
Draw = Callable[[Shape], Tensor]


@dataclass(frozen=True)
class ImageSeed:
    """What one image's noise is made from.

    Attributes:
        seed: 0..2^63-1.
        variation_seed: the seed of a second noise that is mixed in.
        variation_strength: 0..1, 0 = the first noise alone, 1 = the second alone.
    """

    seed: int
    variation_seed: int = 0
    variation_strength: float = 0.0


@dataclass(frozen=True)
class NoiseSettings:
    """How a job's noise is drawn.

    Attributes:
        rng: where the numbers come from, a key of `GENERATORS`.
        ensd: after the initial noise each generator starts anew at seed + this, if it is not 0.
        resize_from: latent (h, w) whose noise is pasted centred into the target's; None draws at the target's size.
    """

    rng: Rng = "cpu"
    ensd: int = 0
    resize_from: tuple[int, int] | None = None


def resolve_seed(seed: int) -> int:
    """The seed itself, or a fresh one for -1."""
    return random.SystemRandom().randrange(DRAWN_LIMIT) if seed == -1 else seed


def image_seeds(seed: int, count: int) -> list[int]:
    """The seeds of `count` images: seed, seed + 1, ... wrapping at the end of the range."""
    return [(seed + index) % SEED_LIMIT for index in range(count)]


def job_seeds(seed: int, count: int, variation_seed: int = 0, variation_strength: float = 0.0) -> list[ImageSeed]:
    """The seeds of a job's images, both resolved: image i counts on from the seed, or with variations from the variation seed under one seed."""
    if variation_strength == 0:
        return [ImageSeed(each) for each in image_seeds(seed, count)]
    return [ImageSeed(seed, each, variation_strength) for each in image_seeds(variation_seed, count)]


def _on_cpu(seed: int, device: torch.device) -> Draw:
    del device
    generator = torch.Generator("cpu").manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float32)


def _on_device(seed: int, device: torch.device) -> Draw:
    generator = torch.Generator(device).manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float32, device=device)


def _as_nvidia(seed: int, device: torch.device) -> Draw:
    del device
    made = 0

    def draw(shape: Shape) -> Tensor:
        nonlocal made
        made += 1
        return torch.from_numpy(philox.normal(seed, made - 1, math.prod(shape))).view(shape)

    return draw


GENERATORS: Mapping[Rng, Callable[[int, torch.device], Draw]] = {"cpu": _on_cpu, "nv": _as_nvidia, "gpu": _on_device}


class NoiseSource:
    """Draws (B, C, h, w) float32 noise on `device`, row k from the generator of image k.

    The first call gives the initial noise, later calls continue each image's generator.
    """

    def __init__(self, seeds: Sequence[ImageSeed], shape: Shape, device: torch.device, settings: NoiseSettings | None = None) -> None:
        self._seeds = seeds
        self._shape = shape
        self._device = device
        self._settings = settings or NoiseSettings()
        self._draws = [self._generator(image.seed) for image in seeds]
        self._is_first = True
        self._span = _ALL_LEVELS
        self._paths: list[BrownianPath] = []

    def __call__(self) -> Tensor:
        if not self._is_first:
            return self._stacked([draw(self._shape) for draw in self._draws])
        self._is_first = False
        rows = [self._initial(image, draw) for image, draw in zip(self._seeds, self._draws, strict=True)]
        if self._settings.ensd:
            self._draws = [self._generator(image.seed + self._settings.ensd) for image in self._seeds]
        return self._stacked(rows)

    def cover(self, sigmas: Sequence[float]) -> None:
        """Lay each image's Brownian path over the levels of a pass, the lowest above 0 to the highest, as AUTOMATIC1111 does; forgets paths laid before.

        Without it a path lies over all levels that there are: other noise, as good.
        """
        levels = [sigma for sigma in sigmas if sigma > 0]
        low, high = (min(levels), max(levels)) if levels else _ALL_LEVELS
        self._span, self._paths = (low if low < high else 0.0, high), []

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """(B, C, h, w) noise of unit variance: the increment of each image's path from one level to the next over the root of their distance.

        Depends on the seeds, the levels covered and this interval only, not on what was asked before.
        """
        if not self._paths:
            low, high = self._span
            self._paths = [BrownianPath(image.seed, low, high, self._from_seed) for image in self._seeds]
        scale = 1 / math.sqrt(abs(sigma - sigma_next))
        return self._stacked([(path(sigma, sigma_next) * scale).float() for path in self._paths])

    def _generator(self, seed: int) -> Draw:
        return GENERATORS[self._settings.rng](seed % _GENERATOR_LIMIT, self._device)

    def _from_seed(self, seed: int) -> Tensor:
        noise = self._generator(seed)(self._shape)
        return noise.cpu() if noise.device.type == "mps" else noise  # paths are float64, which Apple's devices do not have

    def _stacked(self, rows: Sequence[Tensor]) -> Tensor:
        noise = torch.stack(list(rows))
        # From ordinary memory the copy would wait for all that the card has still to do.
        is_crossing = noise.device.type == "cpu" and self._device.type == "cuda"
        return (noise.pin_memory() if is_crossing else noise).to(self._device, non_blocking=is_crossing)

    def _initial(self, image: ImageSeed, draw: Draw) -> Tensor:
        """(C, h, w): the image's own noise, mixed with its variation's, at another size first if the settings say so."""
        channels, height, width = self._shape
        is_resized = self._settings.resize_from not in (None, (height, width))
        shape = (channels, *self._settings.resize_from) if self._settings.resize_from else self._shape
        noise = self._generator(image.seed)(shape) if is_resized else draw(shape)
        if image.variation_strength:
            noise = slerp(image.variation_strength, noise, self._generator(image.variation_seed)(shape))
        return _pasted(noise, draw(self._shape)) if is_resized else noise


def slerp(t: float, start: Tensor, end: Tensor) -> Tensor:
    """Mix two noises (C, h, w) on the arc between them, so that the variance stays: one angle for each channel and column.

    Shoemake 1985. Nearly parallel noises are mixed linearly, and there AUTOMATIC1111's operands stand the other way round.
    """
    cosine = (start / start.norm(dim=1, keepdim=True) * (end / end.norm(dim=1, keepdim=True))).sum(1)  # (C, w)
    if float(cosine.mean()) > _PARALLEL:
        return start * t + end * (1 - t)
    angle = torch.acos(cosine.clamp(-1, 1))
    sine = torch.sin(angle)
    # A column whose noises are parallel has no arc; sine is 0 there.
    from_start = torch.where(sine > 0, torch.sin((1 - t) * angle) / sine, 1 - t).unsqueeze(1)
    from_end = torch.where(sine > 0, torch.sin(t * angle) / sine, t).unsqueeze(1)
    return from_start * start + from_end * end


def _pasted(noise: Tensor, onto: Tensor) -> Tensor:
    """`onto` (C, h, w) with the noise laid over its middle, as far as it reaches. Odd differences are halved as in AUTOMATIC1111."""
    target, source = [], []
    for size, wanted in zip(noise.shape[1:], onto.shape[1:], strict=True):
        margin = (wanted - size) // 2
        shown = size if margin >= 0 else size + 2 * margin
        target.append(slice(max(margin, 0), max(margin, 0) + shown))
        source.append(slice(max(-margin, 0), max(-margin, 0) + shown))
    pasted = onto.clone()
    pasted[:, target[0], target[1]] = noise[:, source[0], source[1]]
    return pasted
