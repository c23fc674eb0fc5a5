"""What a sampler sees and what the rest of the engine knows of a sampler: the denoiser, the noise, the parameters and the row of the table.

Notation in all modules beside this one: x (B, C, h, w) = picture + sigma * noise; D = the denoised picture; d = (x - D) / sigma, the derivative
dx/dsigma and at once the noise that is predicted; h = ln(sigma / sigma_next); alphas are cumulative, 1 / (1 + sigma^2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from sfumato.engine.noise_table import NoiseTable

# (x, sigma) -> denoised
Denoiser = Callable[[Tensor, float], Tensor]

Solver = Literal["midpoint", "heun"]
UnipcVariant = Literal["bh1", "bh2"]
UnipcSkip = Literal["time_uniform", "time_quadratic", "logSNR"]


@runtime_checkable
class PairDenoiser(Protocol):
    """A denoiser that also tells the negative side alone, which CFG++ samplers need."""

    def __call__(self, x: Tensor, sigma: float) -> Tensor: ...

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """(denoised, denoised of the negative side), both (B, C, h, w)."""
        ...


def pair_of(denoise: Denoiser) -> Callable[[Tensor, float], tuple[Tensor, Tensor]]:
    """The denoiser's `pair`; raises `TypeError` where it has none."""
    if not isinstance(denoise, PairDenoiser):
        raise TypeError("this sampler needs a denoiser with `pair`")
    return denoise.pair


class Noise(Protocol):
    """Unit noise (B, C, h, w), each image from a generator of its own."""

    def __call__(self) -> Tensor:
        """The next independent draw."""
        ...

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """The increment of a Brownian path over sigma between the two levels, scaled to unit variance; the same levels give the same noise."""
        ...


class Step(Protocol):
    """Told of each step after its first evaluation; may raise to stop."""

    def __call__(self, index: int, x: Tensor, sigma: float, denoised: Tensor) -> None: ...


@cache
def _trained_table() -> NoiseTable:
    return NoiseTable()


@dataclass(frozen=True)
class SamplerParameters:
    """What a person may turn; `SamplerRow.parameters` names those that act. Field names are those of the request.

    Attributes:
        eta: share of fresh noise of ancestral and SDE samplers, 0..1.
        eta_ddim: the same for DDIM.
        s_churn: noise added and removed again per run, between levels s_tmin and s_tmax (0 = no upper end).
        s_noise: scale of all added noise.
        solver: second-order rule of DPM++ 2M SDE.
        order: highest order of UniPC, DEIS and iPNDM; 0 = the sampler's own.
        unipc_variant: the function B(h) of UniPC.
        unipc_skip_type: how UniPC spaces its own grid.
        lower_order_final: UniPC ends with steps of falling order.
        gamma: re-noising of TCD, overshoot of gradient estimation; 0 = the sampler's own.
        tau: share of noise of SA-Solver, 0..1.
        exact_start: image to image of DDIM, PLMS and UniPC begins at the level where noise was added, not one later.
        table: the noise levels the network was trained on; no parameter of a person.
    """

    eta: float = 1.0
    eta_ddim: float = 0.0
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float = 0.0
    s_noise: float = 1.0
    solver: Solver = "midpoint"
    order: int = 0
    unipc_variant: UnipcVariant = "bh1"
    unipc_skip_type: UnipcSkip = "time_uniform"
    lower_order_final: bool = True
    gamma: float = 0.0
    tau: float = 1.0
    exact_start: bool = False
    table: NoiseTable = field(default_factory=_trained_table)


class Sampler(Protocol):
    def __call__(self, denoise: Denoiser, x: Tensor, sigmas: Sequence[float], noise: Noise, parameters: SamplerParameters, step: Step) -> Tensor: ...


# (steps, table, parameters) -> levels, falling
Grid = Callable[[int, NoiseTable, SamplerParameters], tuple[float, ...]]


@dataclass(frozen=True)
class ImageStart:
    """How a sampler begins from a picture by a rule of its own.

    Attributes:
        sigmas: the levels it walks.
        noised: the level at which noise is added, which need not be the first of them.
    """

    sigmas: tuple[float, ...]
    noised: float


# (steps, share of them as `steps.image_steps` tells it, table, parameters) -> start
ImageGrid = Callable[[int, int, NoiseTable, SamplerParameters], ImageStart]


def _once(sigmas: Sequence[float]) -> int:
    return len(sigmas) - 1


@dataclass(frozen=True)
class SamplerRow:
    """A sampler as requests and people know it.

    Attributes:
        name: AUTOMATIC1111's name, where it has the sampler.
        evaluations: denoiser calls for a list of levels as `Steps.sigmas` holds it; an estimate where `varies`.
        schedule: what "automatic" means for it; nothing where it has a grid of its own.
        parameters: the `SamplerParameters` that act.
        call_factor: calls a step that the prompt language counts.
        grid: its own levels, which replace the schedule.
        image_grid: how it begins from a picture; None cuts its levels.
        scaled_noise: starts at sqrt(1 + sigma^2) times the noise, not at sigma times.
        mask_before: a mask blends x before the call instead of the result, as variance-preserving kin do.
        needs_pair: asks the denoiser for its negative side.
        discard_penultimate: always built for one step more, without the last level above 0.
        guidance_factor: multiplies the guidance a person asks for.
        varies: the number of calls depends on the picture.
    """

    name: str
    function: Sampler
    aliases: tuple[str, ...]
    evaluations: Callable[[Sequence[float]], int] = _once
    schedule: str = "uniform"
    parameters: tuple[str, ...] = ()
    call_factor: int = 1
    grid: Grid | None = None
    image_grid: ImageGrid | None = None
    scaled_noise: bool = False
    mask_before: bool = False
    needs_pair: bool = False
    discard_penultimate: bool = False
    guidance_factor: float = 1.0
    varies: bool = False

    def calls(self, n: int) -> int:
        """Denoiser evaluations of a whole run of n steps: on its own grid, or on any schedule of n levels and 0."""
        parameters = SamplerParameters()
        return self.evaluations(self.grid(n, parameters.table, parameters) if self.grid else (*range(n, 0, -1), 0.0))
