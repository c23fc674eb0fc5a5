"""One pass over one batch of latents: how it starts, and the loop that everything else hangs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from sfumato.engine.noise import NoiseSource
from sfumato.engine.passes import Pass
from sfumato.engine.samplers import PairDenoiser
from sfumato.engine.tiled.noise import TileNoise
from sfumato.protocol.errors import NumbersInvalid

# What is told of numbers that are none in latents.
DENOISING = "denoising"


def begin(plan: Pass, noise: Tensor, original: Tensor | None) -> Tensor:
    """The x a pass starts from.

    Args:
        noise: the first draw of each image, (B, C, h, w).
        original: latent of the picture to paint over, (B or 1, C, h, w); None = from noise alone (E39), else E60.
    """
    steps = plan.steps
    if original is None:
        return noise * steps.noise_sigma
    noise = noise * plan.scale.multiplier
    # The extra noise is laid on the picture, so it is scaled as the picture is.
    return (original + noise * plan.scale.extra) * steps.picture_scale + noise * steps.noise_sigma


def sample(plan: Pass, denoise: PairDenoiser, x: Tensor, noise: NoiseSource | TileNoise) -> Tensor:
    """The finished latents (B, C, h, w) float32 of a pass that starts from x. Raises `NumbersInvalid`, and whatever the denoiser raises to stop."""
    noise.cover(plan.steps.span)
    with torch.inference_mode():
        x = plan.methods.sampler.function(denoise, x, plan.steps.sigmas, noise, plan.parameters, _nothing)
        if not bool(x.isfinite().all()):
            raise NumbersInvalid(DENOISING)
    return x


def _nothing(index: int, x: Tensor, sigma: float, denoised: Tensor) -> None:
    """Told of each step; here it is the calls that are watched."""


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
