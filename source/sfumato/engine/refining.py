"""The refiner: another checkpoint takes over for the last calls of a pass (E59)."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from sfumato.engine.noise_table import TRAINING_STEPS, NoiseTable
from sfumato.engine.samplers import PairDenoiser


class Counting(PairDenoiser, Protocol):
    """A denoiser that counts its calls, from which what it is told follows."""

    calls: int


class Relay:
    """Two denoisers one after the other; what has been handed over stays so, whatever levels come."""

    def __init__(self, first: Counting, second: Counting, table: NoiseTable, switch_at: float, planned_calls: int | None) -> None:
        """
        Args:
            table: of the first denoiser.
            switch_at: share of the way at which the second takes over.
            planned_calls: count the way in calls, of which the pass has so many; None counts it in training time.
        """
        self._first = first
        self._second = second
        self._table = table
        self._switch_at = switch_at
        self._planned_calls = planned_calls
        self._is_over = False

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        return self._due(sigma)(x, sigma)

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        return self._due(sigma).pair(x, sigma)

    def _due(self, sigma: float) -> Counting:
        last = TRAINING_STEPS - 1
        if not self._is_over:
            way = self._first.calls / self._planned_calls if self._planned_calls else (last - self._table.fractional_t(sigma)) / TRAINING_STEPS
            self._is_over = way >= self._switch_at
            self._second.calls = self._first.calls
        return self._second if self._is_over else self._first
