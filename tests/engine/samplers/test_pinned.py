"""Numbers that every sampler gave when it was proven: a change that the other tests would not notice, such as noise drawn in another order, shows here.

Run this file by its path to write the numbers anew; that needs a line in the changelog, as pictures change with them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sfumato.engine.noise import ImageSeed, NoiseSource
from sfumato.engine.samplers import SAMPLERS, SamplerParameters, SamplerRow
from sfumato.engine.schedules import find_schedule
from sfumato.engine.steps import StepSettings, steps_of
from tests.support.exact_denoisers import TABLE, Spy, wavy

PINNED = Path(__file__).with_name("pinned.json")
SHAPE = (1, 8, 8)
PARAMETERS = SamplerParameters(eta_ddim=0.5, s_churn=3.0)


def numbers_of(row: SamplerRow) -> list[float]:
    """64 values of the result of 22 steps in float32, with the noise that jobs use."""
    schedule = find_schedule(row.schedule)
    assert schedule is not None
    steps = steps_of(row, schedule, StepSettings(parameters=PARAMETERS), 22, TABLE)
    noise = NoiseSource([ImageSeed(7)], SHAPE, torch.device("cpu"))
    noise.cover(steps.span)
    start = noise() * steps.noise_sigma
    result = row.function(Spy(wavy, lambda x, sigma: 0.8 * wavy(x, sigma) + 0.05), start, steps.sigmas, noise, PARAMETERS, lambda *told: None)
    assert result.dtype == torch.float32
    return [round(float(value), 5) for value in result.flatten()]


@pytest.mark.parametrize("row", SAMPLERS, ids=lambda row: row.name)
def test_numbers_are_what_they_were(row: SamplerRow) -> None:
    pinned = json.loads(PINNED.read_text(encoding="utf-8"))
    # Rounding alone makes up to 1e-4 of this denoiser's curves, on other machines perhaps a little more.
    np.testing.assert_allclose(numbers_of(row), pinned[row.name], atol=1e-3, rtol=0)


def test_every_pinned_sampler_exists() -> None:
    assert set(json.loads(PINNED.read_text(encoding="utf-8"))) == {row.name for row in SAMPLERS}


if __name__ == "__main__":
    lines = [f"  {json.dumps(row.name)}: {json.dumps(numbers_of(row))}" for row in SAMPLERS]
    PINNED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
