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

FloatArray = NDArray[np.float64]


class NoiseTable:
    """sigma_t = sqrt((1 - a_t) / a_t) for t = 0..999, with a_t the cumulative product of 1 - beta.

    Args:
        zero_terminal: rescale so that the last level is (nearly) pure noise (Lin et al. 2023, algorithm 1).
    """

    def __init__(self, zero_terminal: bool = False) -> None:
        betas = np.linspace(BETA_FIRST**0.5, BETA_LAST**0.5, TRAINING_STEPS, dtype=np.float64) ** 2
        alphas = np.cumprod(1.0 - betas)
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
        """The fractional time of a level, linear in ln sigma; clamped to 0..999."""
        return float(np.interp(np.log(max(sigma, 1e-10)), self._logs, self._times))

    def sigma(self, t: FloatArray) -> FloatArray:
        """The levels at fractional times, linear in ln sigma."""
        return np.exp(np.interp(t, self._times, self._logs))
