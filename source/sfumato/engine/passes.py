"""Passes: what a job lets its samplers do, one after the other, known in full before the first call.

A first pass, from noise or from a picture; more of them as loops; then perhaps a highres pass. All batches of a job go through the same passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sfumato.engine.inputs.resizing import Size
from sfumato.engine.samplers import SamplerParameters, SamplerRow
from sfumato.engine.schedules import Schedule
from sfumato.engine.steps import Steps
from sfumato.engine.tiled.grid import Grid
from sfumato.prompts import PassSpan


@dataclass(frozen=True)
class Methods:
    """`is_automatic`: the schedule is the sampler's own choice."""

    sampler: SamplerRow
    schedule: Schedule
    is_automatic: bool


@dataclass(frozen=True)
class NoiseScale:
    """How much noise is added to a picture before it is painted over: `multiplier` times as much as its level asks for, and `extra` of it once more."""

    multiplier: float = 1.0
    extra: float = 0.0


@dataclass(frozen=True)
class Pass:
    """One run of a sampler over a batch.

    Attributes:
        kind: which prompt, guidance and model it has.
        size: of the picture in pixels, (width, height).
        methods: sampler and schedule.
        parameters: what the sampler reads.
        steps: the levels, and the level at which a picture is given its noise.
        guidance: as the guidance rule is to see it.
        span: how the prompt counts its calls.
        strength: how far a picture is repainted; None begins from noise alone. At 0 nothing runs.
        scale: of the noise that is added to a picture.
        loop: number of the loop, from 0.
        inverted: find the noise in the picture first, by these falling levels.
        grid: the tiles in which a picture is painted over; None = as a whole.
    """

    kind: Literal["first", "highres"]
    size: Size
    methods: Methods
    parameters: SamplerParameters
    steps: Steps
    guidance: float
    span: PassSpan
    strength: float | None = None
    scale: NoiseScale = NoiseScale()
    loop: int = 0
    inverted: tuple[float, ...] = ()
    grid: Grid | None = None

    @property
    def runs(self) -> bool:
        """Whether anything is painted."""
        return self.strength is None or self.strength > 0

    @property
    def calls(self) -> int:
        """Evaluations of the guided denoiser, of each tile one; an estimate for samplers that decide it themselves."""
        return self.sampled_calls + self.inverted_calls if self.runs else 0

    @property
    def sampled_calls(self) -> int:
        """Evaluations by the sampler."""
        return self.steps.calls * self.tiles

    @property
    def tiles(self) -> int:
        return len(self.grid.tiles) if self.grid else 1

    @property
    def seen(self) -> Size:
        """How much of the picture the network sees at once, in pixels."""
        if self.grid is None:
            return self.size
        return self.size[0] * self.grid.tile_width // self.grid.width, self.size[1] * self.grid.tile_height // self.grid.height

    @property
    def planned(self) -> int:
        """Calls of which shares are meant (when guidance begins, when the refiner takes over): from a picture those of the steps that are run."""
        return self.span.calls if self.strength is None else max(self.steps.count * self.methods.sampler.call_factor, 1)

    @property
    def inverted_calls(self) -> int:
        """Evaluations while noise is sought."""
        return max(0, len(self.inverted) - 1) * self.tiles
