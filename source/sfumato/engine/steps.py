"""The levels of one pass: a sampler, a schedule and a number of steps, from pure noise or from a picture.

Samplers with a grid of their own ignore the schedule; from a picture only the end of the levels is walked, by the rule of AUTOMATIC1111.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import ImageStart, SamplerParameters, SamplerRow, find_sampler
from sfumato.engine.schedules import Schedule, ScheduleSettings, find_schedule, levels

# Strength 1 would ask for a level above the first.
_STRENGTH_LIMIT = 0.999
# Of a whole schedule. Strengths of which the steps asked for would be a smaller share count as that share: its levels hardly differ from the last.
_MOST_STEPS = 15_000
# InvokeAI's and old AUTOMATIC1111's.
_KARRAS_SUFFIXES = ("_k", "_ka")


@dataclass(frozen=True)
class StepSettings:
    """What a person may set about the levels, under the request's names.

    Attributes:
        levels: what the schedule reads.
        parameters: what the sampler reads; some shape its own grid.
        discard_penultimate: build for one step more, and leave out the last level above 0; some samplers always do.
        sgm_noise_multiplier: start as variance-preserving samplers do, at sqrt(1 + sigma^2) times the noise.
    """

    levels: ScheduleSettings = field(default_factory=ScheduleSettings)
    parameters: SamplerParameters = field(default_factory=SamplerParameters)
    discard_penultimate: bool = False
    sgm_noise_multiplier: bool = False


@dataclass(frozen=True)
class Steps:
    """One pass, definite. It starts at x = picture_scale * picture + noise_sigma * noise; without a picture at the second alone.

    Attributes:
        sigmas: levels from the first to where the last step ends, each a float32 value; empty if nothing is to be run.
        noise_sigma: what unit noise is multiplied by.
        calls: evaluations of the denoiser in all, an estimate where `SamplerRow.varies`.
        picture_scale: what the picture's latent is multiplied by; 1 but for variance-preserving samplers.
        span: lowest level above 0 and highest of the whole schedule, of which a picture's may be the end; what Brownian noise is laid over.
    """

    sigmas: tuple[float, ...]
    noise_sigma: float
    calls: int
    picture_scale: float = 1.0
    span: tuple[float, float] = (0.0, 0.0)

    @property
    def count(self) -> int:
        """How many steps are run."""
        return max(len(self.sigmas) - 1, 0)


def joined_methods(name: str) -> tuple[SamplerRow, Schedule] | None:
    """Sampler and schedule of one name for both, as older programs wrote them ("DPM++ 2M Karras", "euler_k"); None if it is no such name."""
    name = name.strip()
    splits = [(name[:place], name[place + 1 :]) for place, letter in enumerate(name) if letter == " "]
    splits += [(name[: -len(suffix)], "karras") for suffix in _KARRAS_SUFFIXES if name.casefold().endswith(suffix)]
    for head, tail in splits:
        row, schedule = find_sampler(head), find_schedule(tail)
        if row is not None and schedule is not None:
            return row, schedule
    return None


def image_steps(n: int, strength: float, exact: bool = False) -> tuple[int, int]:
    """(steps of the whole schedule, t): from a picture the last t + 1 of them are run. `exact` runs n steps whatever the strength, 0 < strength <= 1."""
    share = min(strength, _STRENGTH_LIMIT)
    return (int(min(n / share, _MOST_STEPS)), n - 1) if exact else (n, int(share * n))


def steps_of(
    row: SamplerRow, schedule: Schedule, settings: StepSettings, n: int, table: NoiseTable, strength: float | None = None, exact: bool = False
) -> Steps:
    """The levels of one pass of n steps; from a picture if `strength` (0..1) is given, where 0 runs nothing. Raises `Invalid` as `levels` does."""
    if strength is None:
        sigmas = _whole(row, schedule, settings, n, table)
        scaled = row.scaled_noise or settings.sgm_noise_multiplier
        return Steps(sigmas, math.sqrt(1 + sigmas[0] ** 2) if scaled else sigmas[0], row.evaluations(sigmas), span=_span(sigmas))
    if strength == 0:
        return Steps((), 0.0, 0)
    n, t = image_steps(n, strength, exact)
    if row.image_grid is not None:
        return _from_noised(row, row.image_grid(n, t, table, settings.parameters))
    whole = _whole(row, schedule, settings, n, table)
    sigmas = whole[-(t + 2) :]
    return Steps(sigmas, sigmas[0], row.evaluations(sigmas), span=_span(whole))


def _whole(row: SamplerRow, schedule: Schedule, settings: StepSettings, n: int, table: NoiseTable) -> tuple[float, ...]:
    if row.grid is not None:
        return _rounded(row.grid(n, table, settings.parameters))
    if not (row.discard_penultimate or settings.discard_penultimate):
        return levels(schedule, n, table, settings.levels)
    sigmas = levels(schedule, n + 1, table, settings.levels)
    # Levels that are all the same are one, and it stays.
    return (*sigmas[:-2], sigmas[-1]) if len(sigmas) > 2 else sigmas


def _from_noised(row: SamplerRow, start: ImageStart) -> Steps:
    """The noised picture sqrt(a) z + sqrt(1 - a) noise, taken for one of the level that sampling begins at, in our coordinates."""
    sigmas = _rounded(start.sigmas)
    scale = math.sqrt((1 + sigmas[0] ** 2) / (1 + start.noised**2))
    return Steps(sigmas, start.noised * scale, row.evaluations(sigmas), scale, _span(sigmas))


def _span(sigmas: tuple[float, ...]) -> tuple[float, float]:
    return sigmas[-1] or sigmas[-2], sigmas[0]


def _rounded(sigmas: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(float(np.float32(sigma)) for sigma in sigmas)
