"""The rules of guidance, as formulas over the sides of a call. All tensors are (B, C, h, w) float32; each image is its own.

Notation: C the positive side at guidance 1 (the parts of a prompt composed), U the negative side, E the empty prompt, D the result, s the guidance.
A new rule is a function and a row of `RULES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

# Keeps divisions of empty pictures finite.
_TINY = 1e-12


@dataclass(frozen=True)
class GuidanceSettings:
    """What a person may turn; names and ranges are the request's (`protocol/params/guidance.py`)."""

    guidance: float = 7.0
    guidance_rule: str = "cfg"
    cfg_rescale: float = 0.0
    cfg_start: float = 0.0
    cfg_end: float = 1.0
    skip_early: float = 0.0
    s_min_uncond: float = 0.0
    ngms_all: bool = False
    image_guidance: float = 1.5
    pag_scale: float = 0.0
    seg_scale: float = 0.0
    apg_eta: float = 1.0
    apg_norm: float = 0.0
    apg_momentum: float = 0.0
    perp_neg: float = 1.0
    mimic_scale: float = 7.0
    mimic_percentile: float = 1.0
    freeu_b1: float = 1.0
    freeu_b2: float = 1.0
    freeu_s1: float = 1.0
    freeu_s2: float = 1.0

    @property
    def perturbations(self) -> tuple[tuple[str, float], ...]:
        """Those that are on, by name, with their scales."""
        return tuple((name, scale) for name, scale in (("pag", self.pag_scale), ("seg", self.seg_scale)) if scale)

    @property
    def needs_empty(self) -> bool:
        """Whether the script must hold the empty prompt."""
        return RULES[self.guidance_rule].around_empty


@dataclass(frozen=True, eq=False)
class Sides:
    """C, U and E; those that were not evaluated are None."""

    positive: Tensor
    negative: Tensor | None
    empty: Tensor | None


# (sides, settings, what was kept of the last call) -> (D, what to keep)
Combine = Callable[[Sides, GuidanceSettings, Tensor | None], tuple[Tensor, Tensor | None]]
# (D, sides, settings) -> D
Limit = Callable[[Tensor, Sides, GuidanceSettings], Tensor]


@dataclass(frozen=True)
class Rule:
    """One way to guide.

    Attributes:
        combine: the sides become one.
        cancels: whether for a lone part of this weight, at this guidance, the negative side has no influence.
        around_empty: the parts are composed around the empty prompt instead of the negative one.
        limit: applied after perturbations.
    """

    combine: Combine
    cancels: Callable[[float, float], bool] = lambda weight, scale: False
    around_empty: bool = False
    limit: Limit | None = None


def classifier_free(sides: Sides, settings: GuidanceSettings, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """D = U + s (C - U). Ho and Salimans 2022."""
    assert sides.negative is not None
    return torch.lerp(sides.negative, sides.positive, settings.guidance), kept


def adaptive_projected(sides: Sides, settings: GuidanceSettings, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Sadat et al. 2024: the guidance C - U with momentum, cut to a length, and split along and across C.

    g = C - U + beta g_before, then g min(1, r / |g|) if r > 0; D = C + (s - 1)(across + eta along).
    """
    assert sides.negative is not None
    guide = sides.positive - sides.negative
    if settings.apg_momentum and kept is not None:
        guide = guide + settings.apg_momentum * kept
    kept = guide
    if settings.apg_norm:
        guide = guide * (settings.apg_norm / _length(guide).clamp_min(_TINY)).clamp_max(1.0)
    along = _projected(guide, sides.positive)
    return sides.positive + (settings.guidance - 1) * (guide - along + settings.apg_eta * along), kept


def perpendicular_negative(sides: Sides, settings: GuidanceSettings, kept: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Armandpour et al. 2023: of the negative side only what is perpendicular to the positive one acts.

    P = C - E, Q = U - E, D = E + s (P - k (Q - (Q.P / |P|^2) P)).
    """
    assert sides.negative is not None
    assert sides.empty is not None
    towards, away = sides.positive - sides.empty, sides.negative - sides.empty
    across = away - _projected(away, towards)
    return torch.add(sides.empty, towards - settings.perp_neg * across, alpha=settings.guidance), kept


def dynamically_limited(denoised: Tensor, sides: Sides, settings: GuidanceSettings) -> Tensor:
    """The guided result in the range of values that a lower guidance has, channel by channel around its mean.

    Clamped to the larger of the lower guidance's maximum and its own percentile, then scaled to that maximum.
    """
    assert sides.negative is not None
    mimic, own = torch.lerp(sides.negative, sides.positive, settings.mimic_scale).flatten(2), denoised.flatten(2)
    mean = own.mean(dim=2, keepdim=True)
    own = own - mean
    size = own.abs()
    highest = size.amax(2, keepdim=True) if settings.mimic_percentile == 1 else torch.quantile(size, settings.mimic_percentile, dim=2, keepdim=True)
    wanted = (mimic - mimic.mean(dim=2, keepdim=True)).abs().amax(2, keepdim=True)
    limit = torch.maximum(wanted, highest)
    return (own.clamp(-limit, limit) * (wanted / limit.clamp_min(_TINY)) + mean).view(denoised.shape)


RULES: dict[str, Rule] = {
    "cfg": Rule(classifier_free, cancels=lambda weight, scale: weight * scale == 1),
    "apg": Rule(adaptive_projected, cancels=lambda weight, scale: weight == scale == 1),
    "perp_neg": Rule(perpendicular_negative, around_empty=True),
    "dynamic": Rule(classifier_free, limit=dynamically_limited),
}


def rescaled(denoised: Tensor, positive: Tensor, x: Tensor, sigma: float, share: float) -> Tensor:
    """Lin et al. 2023: the velocity of the result gets `share` of the way the standard deviation of the positive side's velocity.

    v(D) = (x / (1 + sigma^2) - D) sqrt(1 + sigma^2) / sigma; the factor of sigma cancels.
    """
    centre = x / (1 + sigma**2)
    own, wanted = centre - denoised, centre - positive
    ratio = wanted.std(dim=(1, 2, 3), keepdim=True) / own.std(dim=(1, 2, 3), keepdim=True).clamp_min(_TINY)
    return centre - own * (share * ratio + (1 - share))


def _length(tensor: Tensor) -> Tensor:
    return tensor.flatten(1).norm(dim=1)[:, None, None, None]


def _projected(tensor: Tensor, on: Tensor) -> Tensor:
    """The part of `tensor` along `on`, image by image."""
    share = (tensor * on).flatten(1).sum(1) / on.square().flatten(1).sum(1).clamp_min(_TINY)
    return share[:, None, None, None] * on
