"""Samplers: how a picture moves from one noise level to the next. Each is one plain function that reads like its paper and keeps no state.

A sampler knows a denoiser `(x, sigma) -> denoised` and nothing of models, prompts or guidance. Start reading at `seam` (what a sampler sees), `euler`
(the simplest two) and `table` (the list).
"""

from sfumato.engine.samplers.euler import ancestral_split
from sfumato.engine.samplers.seam import Denoiser, ImageStart, Noise, PairDenoiser, Sampler, SamplerParameters, SamplerRow, Step
from sfumato.engine.samplers.table import SAMPLERS, find_sampler

__all__ = [
    "SAMPLERS",
    "Denoiser",
    "ImageStart",
    "Noise",
    "PairDenoiser",
    "Sampler",
    "SamplerParameters",
    "SamplerRow",
    "Step",
    "ancestral_split",
    "find_sampler",
]
