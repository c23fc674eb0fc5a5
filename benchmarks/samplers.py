"""What the samplers themselves cost: time per evaluation of each against Euler's on the same denoiser, so a step costs its evaluations and no more.

The denoiser is a few convolutions that take about an eighth of the time of Stable Diffusion 1.5's UNet at this size, so what the sampler itself takes
shows eight times enlarged. Its time is the same for all and is measured by itself; what a sampler takes is measured with a denoiser that costs
nothing. The time of both together varies by more from run to run than the samplers differ.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise

from measuring import Row, measure, print_table, shown

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import torch
from torch import Tensor

from sfumato.engine.device import choose
from sfumato.engine.noise import ImageSeed, NoiseSource
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import SAMPLERS, SamplerParameters, SamplerRow
from sfumato.engine.schedules import find_schedule
from sfumato.engine.steps import StepSettings, steps_of

STEPS, SHAPE = 20, (4, 16, 16)
REFERENCE = "Euler"
# A step costs its evaluations, within 3 %.
GOAL = 1.03
# Noise as much as there can be. Churn is off by default.
PARAMETERS = SamplerParameters(eta=1.0, eta_ddim=1.0, s_churn=20.0)


class Idle:
    """A denoiser that counts its calls and does next to nothing."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        self.calls += 1
        return x / (1 + sigma**2)

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        denoised = self(x, sigma)
        return denoised, denoised


def convolutions(width: int = 512, depth: int = 5) -> Callable[[], object]:
    """One evaluation of the denoiser of definite cost."""
    device = choose().torch
    generator = torch.Generator("cpu").manual_seed(0)
    channels = [SHAPE[0], *[width] * depth, SHAPE[0]]
    weights = [(torch.randn((b, a, 3, 3), generator=generator) / (3 * a**0.5)).to(device) for a, b in pairwise(channels)]
    x = torch.randn((1, *SHAPE), generator=generator).to(device)

    def evaluate() -> None:
        y = x
        for weight in weights:
            y = torch.nn.functional.conv2d(y, weight, padding=1).tanh_()

    return evaluate


def whole_run(row: SamplerRow, table: NoiseTable, denoise: Idle) -> Callable[[], object]:
    """All steps of a sampler, with the noise that a job gives it."""
    schedule, device = find_schedule(row.schedule), choose().torch
    assert schedule is not None
    steps = steps_of(row, schedule, StepSettings(parameters=PARAMETERS), STEPS, table)

    def work() -> None:
        noise = NoiseSource([ImageSeed(1)], SHAPE, device)
        noise.cover(steps.span)
        row.function(denoise, noise() * steps.noise_sigma, steps.sigmas, noise, PARAMETERS, lambda *told: None)

    return work


def timed_alone(work: Callable[[], object]) -> Callable[[], float]:
    """On the processor its own time, so that other work on the machine does not count; on a graphics card until all is done."""
    device = choose().torch

    def candidate() -> float:
        with torch.inference_mode():
            if device.type == "cpu":
                started = time.process_time()
                work()
                return time.process_time() - started
            torch.cuda.synchronize()
            started = time.perf_counter()
            work()
            torch.cuda.synchronize()
            return time.perf_counter() - started

    return candidate


def rows(rounds: int = 9) -> list[Row]:
    """All samplers: half a minute."""
    table = NoiseTable()
    denoisers = {row.name: Idle() for row in SAMPLERS}
    works = {row.name: timed_alone(whole_run(row, table, denoisers[row.name])) for row in SAMPLERS}
    network = "the denoiser"
    found = measure({network: timed_alone(convolutions()), **works}, rounds)
    evaluation = statistics.median(found[network])
    # `measure` warms every candidate up once.
    per_call = {name: evaluation + statistics.median(found[name]) / (denoise.calls / (rounds + 1)) for name, denoise in denoisers.items()}
    reference = per_call[REFERENCE]
    return [
        Row(
            f"{row.name}, {'varying' if row.varies else row.calls(STEPS)} calls: per call / {REFERENCE}'s",
            shown(per_call[row.name]),
            shown(reference),
            per_call[row.name] / reference,
            GOAL,
        )
        for row in SAMPLERS
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    print_table(rows())
