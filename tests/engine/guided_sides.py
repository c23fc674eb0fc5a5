"""A network whose sides are known exactly, and scripts of a few parts, for tests of guidance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sfumato.engine.attachments import BEGINNING, Moment
from sfumato.engine.conditioning import Conditioning
from sfumato.engine.denoiser import Row
from sfumato.engine.script import ImageState, Script, State, Voice
from sfumato.prompts import PassSpan

SHAPE = (4, 8, 8)


def said(seed: int, chunks: int = 1) -> Conditioning:
    """Conditioning that the network below understands as the picture of this seed."""
    return Conditioning(torch.full((1, 77 * chunks, 2), float(seed)))


def picture(seed: int) -> Tensor:
    """(C, h, w) float64."""
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class ExactNetwork:
    """For pictures around `picture(seed)` with unit variance: the best denoised picture, computed in float64. Records the rows of every call."""

    def __init__(self) -> None:
        self.rows: list[list[Row]] = []
        self.prepared = 0

    def prepare(self, rows: Sequence[Row], batch: int) -> list[Row]:
        self.prepared += 1
        return list(rows)

    def __call__(self, x: Tensor, sigma: float, evaluation: list[Row], moment: Moment = BEGINNING) -> Tensor:
        self.rows.append(evaluation)
        return torch.stack([exact(x[row.image], sigma, row) for row in evaluation]).to(x.dtype)


def exact(x: Tensor, sigma: float, row: Row) -> Tensor:
    """The denoised (C, h, w) of a row in float64."""
    return exact_of(x, sigma, int(row.conditioning.context[0, 0, 0]), row.is_blind, row.perturbation)


def exact_of(x: Tensor, sigma: float, seed: int, is_blind: bool = False, perturbation: str = "") -> Tensor:
    mean = picture(seed + 1000 * is_blind + {"": 0, "pag": 2000, "seg": 3000}[perturbation])
    return (x.double() + sigma**2 * mean) / (1 + sigma**2)


def image(positive: Sequence[int], negative: Sequence[int] = (90,), weights: Sequence[float] = (), masks: Sequence[Tensor | None] = ()) -> ImageState:
    """An image whose parts are the pictures of these seeds; the negative's parts weigh 1, 2, ..."""
    voices = [Voice(weights[number] if weights else 1.0, said(seed), masks[number] if number < len(masks) else None) for number, seed in enumerate(positive)]
    return ImageState(tuple(voices), tuple(Voice(number + 1.0, said(seed)) for number, seed in enumerate(negative)), said(99))


def script(*images: ImageState, calls: int = 10) -> Script:
    return Script([State(images)], PassSpan(calls))


def noisy(batch: int = 1, sigma: float = 1.0, seed: int = 5) -> Tensor:
    """x (B, C, h, w) float32."""
    return (torch.randn((batch, *SHAPE), generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * max(sigma, 0.5)).float()
