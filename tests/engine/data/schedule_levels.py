"""Writes `schedule_levels.json`: every schedule's levels by its formula, in 30 decimal digits, with nothing of the program imported.

Run it by hand with mpmath installed: `python tests/engine/data/schedule_levels.py`. The program's levels are checked against the file, never the other way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from mpmath import atan, betainc, exp, findroot, log, mp, mpf, nint, sign, sqrt, tan

mp.dps = 30
COUNTS = (1, 2, 7, 10, 20, 30, 50)
ALIGNED = {
    "sd1": "14.615 6.475 3.861 2.697 1.886 1.396 .963 .652 .399 .152 .029",
    "sdxl": "14.615 6.315 3.771 2.181 1.342 .862 .555 .380 .234 .113 .029",
}
CUSTOM = "12.5 9 4.25 1.5 0.75 0.2 0.05"


def table(zero_terminal: bool) -> list[mpf]:
    first, last = sqrt(mpf("0.00085")), sqrt(mpf("0.012"))
    product, roots = mpf(1), []
    for t in range(1000):
        product *= 1 - (first + (last - first) * t / 999) ** 2
        roots.append(sqrt(product))
    if zero_terminal:
        roots = [(root - roots[-1]) * roots[0] / (roots[0] - roots[-1]) for root in roots]
        roots[-1] = sqrt(mpf("4.8973451890853435e-08"))
    return [sqrt((1 - root**2) / root**2) for root in roots]


def at(sigmas: list[mpf], t: mpf) -> mpf:
    """Between two entries linear in ln sigma."""
    low = min(int(t), 998)
    share = t - low
    return exp(log(sigmas[low]) * (1 - share) + log(sigmas[low + 1]) * share)


def time_of(sigmas: list[mpf], sigma: mpf) -> mpf:
    if sigma >= sigmas[-1]:
        return mpf(999)
    low = max(index for index in range(999) if sigmas[index] <= sigma)
    return low + log(sigma / sigmas[low]) / log(sigmas[low + 1] / sigmas[low])


def between(values: list[mpf], n: int) -> list[mpf]:
    if n == len(values):
        return values
    made = []
    for i in range(n):
        place = mpf(i) / max(n - 1, 1) * (len(values) - 1)
        low = min(int(place), len(values) - 2)
        made.append(exp(log(values[low]) + (place - low) * log(values[low + 1] / values[low])))
    return made


def quantile(p: mpf, a: mpf, b: mpf) -> mpf:
    if p in (0, 1):
        return p
    return findroot(lambda x: betainc(a, b, 0, x, regularized=True) - p, (mpf("1e-25"), 1 - mpf("1e-25")), solver="anderson", tol=mpf("1e-24"), maxsteps=500)


def even(n: int) -> list[mpf]:
    return [mpf(i) / max(n - 1, 1) for i in range(n)]


def without_repeats(values: list[mpf]) -> list[mpf]:
    return [value for i, value in enumerate(values) if i == 0 or value != values[i - 1]]


def linear_quadratic(n: int, top: mpf) -> list[mpf]:
    if n == 1:
        return [top]
    L, g = n // 2, mpf("0.025")
    a = (L - g * n) / (L * mpf(n - L) ** 2)
    b = g / L - 2 * (L - g * n) / mpf(n - L) ** 2
    return [(1 - (g * i / L if i < L else a * i**2 + b * i + a * L**2)) * top for i in range(n)]


def laplace(p: mpf) -> mpf:
    return exp(-mpf("0.5") * sign(mpf("0.5") - p) * log(1 - 2 * abs(mpf("0.5") - p) + mpf("1e-5")))


def methods(s: list[mpf], low: mpf, high: mpf, aligned: str, rho: dict[str, mpf], a: mpf, b: mpf) -> dict[str, Callable[[int], list[mpf]]]:
    """Schedule name -> n -> its levels without a last 0."""
    t_low, t_high = time_of(s, low), time_of(s, high)
    numbers = [mpf(number) for number in aligned.split()]
    return {
        "uniform": lambda n: [at(s, t_high + p * (t_low - t_high)) for p in even(n)],
        "sgm_uniform": lambda n: [at(s, t_high + mpf(i) / n * (t_low - t_high)) for i in range(n)],
        "karras": lambda n: [(high ** (1 / rho["karras"]) * (1 - p) + p * low ** (1 / rho["karras"])) ** rho["karras"] for p in even(n)],
        "exponential": lambda n: [exp(log(high) * (1 - p) + p * log(low)) for p in even(n)],
        "polyexponential": lambda n: [exp((1 - p) ** rho["polyexponential"] * log(high / low) + log(low)) for p in even(n)],
        "simple": lambda n: [s[999 - (1000 * i) // n] for i in range(n)],
        "ddim_uniform": lambda n: [s[t] for t in range(1, 1000, max(1000 // n, 1))][::-1],
        "trailing": lambda n: [s[int(nint(mpf(n - i) * 1000 / n)) - 1] for i in range(n)],
        "beta": lambda n: [low + quantile(1 - p, a, b) * (high - low) for p in even(n)],
        "beta_t": lambda n: without_repeats([s[int(nint(quantile(1 - mpf(i) / n, a, b) * 999))] for i in range(n)]),
        "kl_optimal": lambda n: [tan(mpf(i) / n * atan(low) + (1 - mpf(i) / n) * atan(high)) for i in range(n + 1)],
        "kl_optimal_zero": lambda n: [tan(p * atan(low) + (1 - p) * atan(high)) for p in even(n)],
        "align_your_steps": lambda n: between(numbers, n),
        "linear_quadratic": lambda n: linear_quadratic(n, high),
        "vp": lambda n: [sqrt(exp(mpf("19.9") * t**2 / 2 + mpf("0.1") * t) - 1) for t in (1 - p * mpf("0.999") for p in even(n))],
        "laplace": lambda n: without_repeats([min(max(laplace(p), low), high) for p in even(n)]),
        "flow": lambda n: [t / (1 - t) for t in (min(1 - mpf(i) / n, mpf("0.9999")) for i in range(n))],
        "custom": lambda n: between([mpf(number) for number in CUSTOM.split()], n),
    }


def written(values: list[mpf], ended: bool) -> list[float]:
    return [float(f"{float(value):.10g}") for value in values] + ([] if ended else [0.0])


def main() -> None:
    own_rho = {"karras": mpf(7), "polyexponential": mpf(1)}
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name, zero_terminal in (("sd1", False), ("sdxl", False), ("zsnr", True)):
        s = table(zero_terminal)
        rows = methods(s, s[0], s[-1], ALIGNED["sdxl" if name == "sdxl" else "sd1"], own_rho, mpf("0.6"), mpf("0.6"))
        if name == "sdxl":  # the same table; only the optimised levels differ
            rows = {"align_your_steps": rows["align_your_steps"]}
        found[name] = {row: {str(n): written(make(n), row == "kl_optimal") for n in COUNTS} for row, make in rows.items()}
    # With the range 0.1..10, rho 3 and Beta(0.8, 1.5), on those that read them.
    s = table(False)
    rows = methods(s, mpf("0.1"), mpf(10), ALIGNED["sd1"], {"karras": mpf(3), "polyexponential": mpf(3)}, mpf("0.8"), mpf("1.5"))
    fixed = ("simple", "ddim_uniform", "trailing", "align_your_steps", "vp", "flow", "custom")
    found["changed"] = {row: {"10": written(make(10), row == "kl_optimal")} for row, make in rows.items() if row not in fixed}
    target = Path(__file__).with_suffix(".json")
    lines = [f'"{name}": {{\n' + ",\n".join(f'  "{row}": {json.dumps(values)}' for row, values in rows.items()) + "\n}" for name, rows in found.items()]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
