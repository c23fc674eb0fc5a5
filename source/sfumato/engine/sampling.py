"""One batch of latents, from noise to the finished latent: the loop that everything else hangs on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from sfumato.engine.noise import ImageSeed, NoiseSource
from sfumato.engine.preview import Previewer
from sfumato.engine.samplers import Denoiser, SamplerParameters, SamplerRow
from sfumato.protocol.errors import NumbersInvalid

# A preview may hold the loop up for this share of a step, no more.
_PREVIEW_SHARE = 0.01
_RATE_WINDOW = 12

# (steps done in this batch, steps a second or None, previews)
Report = Callable[[int, float | None, tuple[bytes, ...]], None]


@dataclass(frozen=True)
class Pass:
    """What one pass of sampling needs besides the network. `latent_shape` is (C, h, w)."""

    sampler: SamplerRow
    sigmas: tuple[float, ...]
    parameters: SamplerParameters
    latent_shape: tuple[int, int, int]


class Rate:
    """Steps a second over the last few steps, by the wall clock."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_RATE_WINDOW)

    def tick(self) -> float | None:
        self._times.append(time.perf_counter())
        if len(self._times) < 2 or self._times[-1] <= self._times[0]:
            return None
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])


def sample(
    plan: Pass, denoise: Denoiser, seeds: Sequence[int], device: torch.device, check: Callable[[], None], previewer: Previewer, report: Report
) -> Tensor:
    """Latents (B, C, h, w) float32, one for each seed.

    `check` is called before every evaluation of the denoiser and may raise to stop. Raises `NumbersInvalid`.
    """
    noise = NoiseSource([ImageSeed(seed) for seed in seeds], plan.latent_shape, device)
    noise.cover(plan.sigmas)
    rate = Rate()

    def checked(x: Tensor, sigma: float) -> Tensor:
        check()
        return denoise(x, sigma)

    def step(index: int, x: Tensor, sigma: float, denoised: Tensor) -> None:
        speed = rate.tick()
        previewer.offer(denoised)
        report(index + 1, speed, previewer.take(_PREVIEW_SHARE / speed if speed else 0.0))

    with torch.inference_mode():
        x = noise() * plan.sigmas[0]
        x = plan.sampler.function(checked, x, plan.sigmas, noise, plan.parameters, step)
        if not bool(x.isfinite().all()):
            raise NumbersInvalid("denoising")
    return x


@contextmanager
def deterministic(device: torch.device, wanted: bool) -> Iterator[None]:
    """Kernels that give the same bits every time, while inside; what was set before comes back."""
    if not wanted:
        yield
        return
    backend = torch.backends.cudnn
    before = backend.deterministic, backend.benchmark
    backend.deterministic, backend.benchmark = True, False
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        backend.deterministic, backend.benchmark = before
