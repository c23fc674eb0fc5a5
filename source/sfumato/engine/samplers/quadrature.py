"""Integrals of interpolating polynomials: what every multistep method's coefficients are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sfumato.engine.noise_table import FloatArray

# Exact for polynomials of degree 47, and to 1e-12 for those here times an exponential over the longest step there can be.
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def integral(function: Callable[[FloatArray], FloatArray], low: float, high: float) -> float:
    """Gauss-Legendre integral of a smooth function from `low` to `high`, which may be the smaller one."""
    half = (high - low) / 2
    return float(half * (_WEIGHTS * function(low + half * (_POINTS + 1))).sum())


def lagrange_integrals(nodes: Sequence[float], low: float, high: float, weight: Callable[[FloatArray], FloatArray] = np.ones_like) -> list[float]:
    """For each node the integral of its Lagrange polynomial times `weight`: sum(w_j f(node_j)) is the integral of the polynomial through all f."""

    def basis(node: float) -> Callable[[FloatArray], FloatArray]:
        others = [other for other in nodes if other != node]
        return lambda u: weight(u) * np.prod([(u - other) / (node - other) for other in others], axis=0)

    return [integral(basis(node), low, high) for node in nodes]
