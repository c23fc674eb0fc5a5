"""How the benchmarks measure: alternate the candidates in one run, take the median of their ratios, print it with their goals.

These machines are noisy, so a figure is a ratio of two things measured in turn within one process or one minute, never a bare time.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "source"))
# The libraries' advice is not part of the table.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")


# Of the names of rows that are printed before the last is known.
WIDTH = 110


@dataclass(frozen=True)
class Row:
    """One line of the table. `ratio` is measured / reference; `goal` its upper bound, 0 if there is none."""

    name: str
    measured: str
    reference: str
    ratio: float
    goal: float = 0.0


def measure(candidates: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call every candidate in turn, `rounds` times after one warm-up; each returns its seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for round_number in range(rounds + 1):
        for name, candidate in candidates.items():
            spent = candidate()
            if round_number:
                seconds[name].append(spent)
    return seconds


def compare(name: str, measured: list[float], reference: list[float], goal: float = 0.0) -> Row:
    """The median of the rounds' own ratios: a burst of other work on the machine spoils one round, not the row."""
    ratio = statistics.median(mine / theirs for mine, theirs in zip(measured, reference, strict=True))
    return Row(name, shown(statistics.median(measured)), shown(statistics.median(reference)), ratio, goal)


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """`work` as a candidate: the seconds one call takes."""

    def candidate() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return candidate


def shown(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def print_table(rows: Iterable[Row]) -> list[Row]:
    """Print the rows with a mark where a goal was missed, each as soon as it is there; all of them."""
    width = max((len(row.name) for row in rows), default=0) if isinstance(rows, list) else WIDTH
    print(f"{'':<{width}}  {'measured':>10}  {'reference':>10}  {'ratio':>6}  goal", flush=True)
    printed: list[Row] = []
    for row in rows:
        goal = f"<= {row.goal:g}" if row.goal else ""
        missed = "  missed" if row.goal and row.ratio > row.goal else ""
        print(f"{row.name:<{width}}  {row.measured:>10}  {row.reference:>10}  {row.ratio:>6.3f}  {goal}{missed}", flush=True)
        printed.append(row)
    return printed
