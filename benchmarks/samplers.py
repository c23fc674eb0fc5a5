"""What the samplers themselves cost: time per evaluation of each against Euler's on the same denoiser, so a step costs its evaluations and no more.

The denoiser is a few convolutions that take about a fifteenth of the time of Stable Diffusion 1.5's UNet at this size, so what the sampler itself takes shows
fifteen times enlarged. Noise is the job's own, as much of it as a sampler will add.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

from measuring import Row, compare, measure, print_table

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import torch
from torch import Tensor

from sfumato.engine.device import choose
from sfumato.engine.noise import ImageSeed, NoiseSource
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import SAMPLERS, SamplerParameters, SamplerRow, find_sampler
from sfumato.engine.schedules import find_schedule
from sfumato.engine.steps import StepSettings, steps_of

STEPS, SHAPE = 6, (4, 16, 16)
REFERENCE = "Euler"
# A step costs its evaluations, within 3 %.
GOAL = 1.03
# Churn is off by default.
PARAMETERS = SamplerParameters(eta=1.0, eta_ddim=1.0, s_churn=20.0)


class Convolutions:
    """A denoiser of definite cost that counts its calls; both its sides are the same."""

    def __init__(self, width: int = 384, depth: int = 5) -> None:
        device = choose()
        generator = torch.Generator("cpu").manual_seed(0)
        channels = [SHAPE[0], *[width] * depth, SHAPE[0]]
        self._weights = [(torch.randn((b, a, 3, 3), generator=generator) / (3 * a**0.5)).to(device.torch) for a, b in pairwise(channels)]
        self.calls = 0

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        self.calls += 1
        y = x / (1 + sigma**2) ** 0.5
        for weight in self._weights:
            y = torch.nn.functional.conv2d(y, weight, padding=1).tanh_()
        return y

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        denoised = self(x, sigma)
        return denoised, denoised


def timed_sampler(row: SamplerRow, table: NoiseTable) -> Callable[[], float]:
    """A candidate: seconds per evaluation of a whole run."""
    device, denoise = choose(), Convolutions()
    schedule = find_schedule(row.schedule)
    assert schedule is not None
    steps = steps_of(row, schedule, StepSettings(parameters=PARAMETERS), STEPS, table)
    # On the processor its own time, so that other work on the machine does not count.
    clock = time.process_time if device.torch.type == "cpu" else time.perf_counter

    def candidate() -> float:
        noise = NoiseSource([ImageSeed(1)], SHAPE, device.torch)
        noise.cover(steps.span)
        denoise.calls = 0
        _wait(device.torch)
        started = clock()
        with torch.inference_mode():
            row.function(denoise, noise() * steps.noise_sigma, steps.sigmas, noise, PARAMETERS, lambda *told: None)
        _wait(device.torch)
        return (clock() - started) / denoise.calls

    return candidate


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def rows(names: Sequence[str] = (), rounds: int = 3) -> list[Row]:
    """All samplers, or those named: four minutes on an idle core."""
    table = NoiseTable()
    chosen = [row for row in SAMPLERS if not names or row.name in names]
    reference = find_sampler(REFERENCE)
    assert reference is not None
    made = []
    for row in chosen:
        # In turn with Euler within the same second: what else the machine does then hits both.
        found = measure({"euler": timed_sampler(reference, table), "row": timed_sampler(row, table)}, rounds)
        calls = "varying calls" if row.varies else f"{row.calls(STEPS)} calls"
        made.append(compare(f"{row.name}, {calls}: per call / {REFERENCE}'s", found["row"], found["euler"], GOAL))
    return made


if __name__ == "__main__":
    torch.set_num_threads(1)
    print_table(rows())
