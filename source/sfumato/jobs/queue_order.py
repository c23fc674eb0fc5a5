"""Orders of waiting jobs: moving some among the others, and which goes next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar


class Waiting(Protocol):
    """What the order asks of a job."""

    @property
    def id(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def is_urgent(self) -> bool: ...


W = TypeVar("W", bound=Waiting)


def shifted(jobs: Sequence[W], chosen: Collection[str], distance: int) -> list[W]:
    """`jobs` with the chosen ones moved by one place (`distance` -1 or 1), together; those at the end stay."""
    moved = list(jobs)
    places = range(len(moved)) if distance < 0 else range(len(moved) - 1, -1, -1)
    for place in places:
        other = place + distance
        if moved[place].id in chosen and 0 <= other < len(moved) and moved[other].id not in chosen:
            moved[place], moved[other] = moved[other], moved[place]
    return moved


def placed(jobs: Sequence[W], chosen: Collection[str], before: int) -> list[W]:
    """`jobs` with the chosen ones, in their order, before the one that stood at `before` (0..len)."""
    taken = [job for job in jobs if job.id in chosen]
    head = [job for job in jobs[:before] if job.id not in chosen]
    tail = [job for job in jobs[before:] if job.id not in chosen]
    return [*head, *taken, *tail]


def next_of(jobs: Sequence[W], loaded: str, model_first: bool) -> W | None:
    """The job that goes next: the first, or with `model_first` the first that needs no other model than the `loaded` one; urgent ones wait for nobody."""
    if not jobs or not model_first or not loaded or jobs[0].is_urgent:
        return jobs[0] if jobs else None
    return next((job for job in jobs if job.model == loaded), jobs[0])
