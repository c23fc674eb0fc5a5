"""From a picture back to noise: the noise that a sampler would paint this very picture from ("img2img alternative", E72).

Euler's method run upwards over the uniform schedule. Where the picture is then painted anew with another prompt, what both have in common stays.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from sfumato.engine.samplers import Denoiser

# Of the way up, and of the way down again.
SCHEDULE = "uniform"


def invert(denoise: Denoiser, latent: Tensor, sigmas: tuple[float, ...], is_adjusted: bool) -> Tensor:
    """Unit noise (B, C, h, w) that leads to the latent.

    Args:
        denoise: with the prompt that describes the picture; called once for each level above 0.
        sigmas: falling, the last 0.
        is_adjusted: the slope is taken at the level that is left instead of the one that is reached, the first step is halved, and the result is
            divided by the highest level instead of by its own spread.
    """
    x = latent
    for number, (sigma, sigma_next) in enumerate(pairwise(reversed(sigmas))):
        # Below the lowest level there is nothing the network knows.
        at = sigma if is_adjusted and number else sigma_next
        slope = (x - denoise(x, at)) / at
        if is_adjusted and not number:
            slope = slope / 2
        x = x + slope * (sigma_next - sigma)
    if is_adjusted:
        return x / sigmas[0]
    # Each picture by its own spread, so that a picture does not depend on its neighbours in the batch.
    return x / x.std(dim=(1, 2, 3), keepdim=True)


def mixed(found: Tensor, fresh: Tensor, randomness: float) -> Tensor:
    """Found and fresh unit noise, mixed so that the variance stays. `randomness` 0..1 is the share of the fresh."""
    if not randomness:
        return found
    return torch.lerp(found, fresh, randomness) / math.sqrt(randomness**2 + (1 - randomness) ** 2)
