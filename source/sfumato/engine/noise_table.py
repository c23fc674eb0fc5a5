"""The noise levels a discrete network was trained on, and the way between a level sigma and its time t.

Float64 throughout; nothing of it depends on a device or on the precision a model runs in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TRAINING_STEPS = 1000
BETA_FIRST, BETA_LAST = 0.00085, 0.012
# The last cumulative alpha of a zero-terminal table is set a little above zero: sigma stays finite (4518.764).
_LAST_ALPHA = 4.8973451890853435e-08
# Levels for ten steps that were optimised on Stable Diffusion 1.5: Sabour et al. 2024, "Align Your Steps". A family may declare its own.
ALIGNED = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)

FloatArray = NDArray[np.float64]


class NoiseTable:
    """sigma_t = sqrt((1 - a_t) / a_t) for t = 0..999, with a_t the cumulative product of 1 - beta.

    Args:
        zero_terminal: rescale so that the last level is (nearly) pure noise (Lin et al. 2023, algorithm 1).
        downcast_alphas: round the cumulative alphas to half precision first, as programs did that kept them beside a half-precision model.
        quantize_t: tell the network whole times only.
        aligned: falling levels that were optimised for the family of the network.
    """

    def __init__(self, zero_terminal: bool = False, downcast_alphas: bool = False, quantize_t: bool = False, aligned: tuple[float, ...] = ALIGNED) -> None:
        self.zero_terminal = zero_terminal
        self.downcast_alphas = downcast_alphas
        self.quantize_t = quantize_t
        self.aligned = aligned
        betas = np.linspace(BETA_FIRST**0.5, BETA_LAST**0.5, TRAINING_STEPS, dtype=np.float64) ** 2
        alphas = np.cumprod(1.0 - betas)
        if downcast_alphas:
            alphas = alphas.astype(np.float16).astype(np.float64)
        if zero_terminal:
            root = np.sqrt(alphas)
            alphas = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
            alphas[-1] = _LAST_ALPHA
        self.alphas: FloatArray = alphas
        self.sigmas: FloatArray = np.sqrt((1.0 - alphas) / alphas)
        self._logs: FloatArray = np.log(self.sigmas)
        self._times: FloatArray = np.arange(TRAINING_STEPS, dtype=np.float64)

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def t(self, sigma: float) -> float:
        """The time of a level that the network is told: fractional, or whole if the table says so."""
        time = self.fractional_t(sigma)
        return float(round(time)) if self.quantize_t else time

    def fractional_t(self, sigma: float) -> float:
        """The time of a level between the trained ones, whatever the network is told; linear in ln sigma, clamped to 0..999."""
        return float(np.interp(np.log(max(sigma, 1e-10)), self._logs, self._times))

    def sigma(self, t: FloatArray) -> FloatArray:
        """The levels at fractional times, linear in ln sigma."""
        return np.exp(np.interp(t, self._times, self._logs))
