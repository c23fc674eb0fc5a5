"""Schedules: which noise levels a picture passes through.

A schedule is a function `(n, sigma_min, sigma_max, table, rho) -> n + 1` falling levels, the last 0, computed in float64 and then rounded to float32.
The list of them is `SCHEDULES`; "automatic" is no schedule but the sampler's own choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sfumato.engine.noise_table import TRAINING_STEPS, FloatArray, NoiseTable

AUTOMATIC = "automatic"
ScheduleFunction = Callable[[int, float, float, NoiseTable, float], FloatArray]


def uniform(n: int, sigma_min: float, sigma_max: float, table: NoiseTable, rho: float) -> FloatArray:
    """Evenly spaced in the training time t."""
    times = np.linspace(table.t(sigma_max), table.t(sigma_min), n) if n > 1 else np.array([table.t(sigma_max)])
    return np.append(table.sigma(times), 0.0)


def karras(n: int, sigma_min: float, sigma_max: float, table: NoiseTable, rho: float) -> FloatArray:
    """Karras et al. 2022, equation 5: evenly spaced in sigma^(1/rho)."""
    ramp = np.linspace(0.0, 1.0, n) if n > 1 else np.zeros(1)
    first, last = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    return np.append((first + ramp * (last - first)) ** rho, 0.0)


@dataclass(frozen=True)
class Schedule:
    """`name` is used in requests, `title` (AUTOMATIC1111's name) for people and in metadata."""

    name: str
    title: str
    function: ScheduleFunction
    rho: float = 0.0
    aliases: tuple[str, ...] = ()


SCHEDULES: tuple[Schedule, ...] = (
    Schedule("uniform", "Uniform", uniform, aliases=("normal",)),
    Schedule("karras", "Karras", karras, rho=7.0),
)


def find_schedule(name: str) -> Schedule | None:
    """The schedule of that name, title or alias, whatever the case."""
    wanted = name.strip().casefold()
    return next((row for row in SCHEDULES if wanted in (row.name, row.title.casefold(), *row.aliases)), None)


def levels(schedule: Schedule, n: int, table: NoiseTable) -> tuple[float, ...]:
    """The n + 1 levels for n steps over the whole table, each a float32 value."""
    if not 1 <= n <= TRAINING_STEPS:
        raise ValueError(f"{n} steps on a table of {TRAINING_STEPS}")
    values = schedule.function(n, table.sigma_min, table.sigma_max, table, schedule.rho)
    return tuple(float(value) for value in values.astype(np.float32))
