"""The list of samplers. A new one is a function in the module of its kin, and a row here."""

from __future__ import annotations

from collections.abc import Sequence

from sfumato.engine.samplers.dpmpp import dpmpp_2m
from sfumato.engine.samplers.euler import euler, euler_ancestral
from sfumato.engine.samplers.seam import SamplerRow

_CHURN = ("s_churn", "s_tmin", "s_tmax", "s_noise")
_ANCESTRAL = ("eta", "s_noise")


def _once(sigmas: Sequence[float]) -> int:
    return len(sigmas) - 1


SAMPLERS: tuple[SamplerRow, ...] = (
    SamplerRow("Euler a", euler_ancestral, ("k_euler_a", "k_euler_ancestral"), _once, "uniform", _ANCESTRAL),
    SamplerRow("Euler", euler, ("k_euler",), _once, "uniform", _CHURN),
    SamplerRow("DPM++ 2M", dpmpp_2m, ("k_dpmpp_2m",), _once, "karras"),
)


def find_sampler(name: str) -> SamplerRow | None:
    """The sampler of that name or alias, whatever the case."""
    wanted = name.strip().casefold()
    return next((row for row in SAMPLERS if wanted in (row.name.casefold(), *row.aliases)), None)
