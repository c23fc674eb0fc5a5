"""Quantiles of the Beta distribution, for schedules whose steps are spread like it; in plain float64, so that no library of statistics is needed.

The distribution function is the regularised incomplete beta function by its continued fraction (Abramowitz and Stegun 1964, 26.5.8).
"""

from __future__ import annotations

import math

_TINY = 1e-300
_CONVERGED = 1e-16
_MOST_TERMS = 1000
# A float64 in 0..1 is found after this many halvings of its logarithm at the latest.
_MOST_HALVINGS = 200


def cumulative(x: float, a: float, b: float) -> float:
    """The probability of a value up to x in 0..1 under Beta(a, b), a and b above 0."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # where the other tail's fraction converges faster
        return 1 - cumulative(1 - x, b, a)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)) / a
    return front / _fraction(x, a, b)


def quantile(probability: float, a: float, b: float) -> float:
    """The x below which this share (0..1) of Beta(a, b) lies, as exact as float64 holds its nearer tail."""
    if probability <= 0:
        return 0.0
    if probability >= 1:
        return 1.0
    if cumulative(0.5, a, b) < probability:  # the upper half: its distance from 1 is the small number to find
        return 1 - _lower_quantile(1 - probability, b, a)
    return _lower_quantile(probability, a, b)


def _lower_quantile(probability: float, a: float, b: float) -> float:
    """The quantile where it is at most 0.5: bisection in ln x, each step replaced by Newton's where that stays inside."""
    low, high = -745.0, math.log(0.5)  # e^-745 is the smallest float64
    log_scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    # Near 0 the distribution function is x^a times a constant.
    guess = min(max((math.log(probability) + math.log(a) - log_scale) / a, low), high)
    for _ in range(_MOST_HALVINGS):
        x = math.exp(guess)
        error = cumulative(x, a, b) - probability
        if error > 0:
            high = guess
        else:
            low = guess
        slope = math.exp(log_scale + a * guess + (b - 1) * math.log1p(-x))  # of the distribution function, by ln x
        step = error / slope if slope > 0 else math.inf
        newton = guess - step
        following = newton if low < newton < high else (low + high) / 2
        if abs(following - guess) <= _CONVERGED * abs(guess) or high - low <= _CONVERGED * abs(high):
            return math.exp(following)
        guess = following
    return math.exp(guess)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction 1 + d1/(1 + d2/(1 + ...)), from front to back (Lentz 1976)."""
    value, c, d = 1.0, 1.0, 0.0
    for term in range(1, _MOST_TERMS):
        half, odd = divmod(term, 2)
        if odd:
            numerator = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            numerator = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        d = 1 / ((1 + numerator * d) or _TINY)
        c = (1 + numerator / c) or _TINY
        value *= c * d
        if abs(c * d - 1) < _CONVERGED * 4:
            break
    return value
