"""Orders of waiting jobs, and the time they take."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from sfumato.jobs.queue_order import next_of, placed, shifted
from sfumato.jobs.queue_pace import SAMPLES_KEPT, Pace


@dataclass(frozen=True)
class Row:
    id: str
    model: str = ""
    is_urgent: bool = False


def rows(names: str) -> list[Row]:
    return [Row(name) for name in names]


def names(found: list[Row]) -> str:
    return "".join(row.id for row in found)


@pytest.mark.rule("D81")
@pytest.mark.parametrize(
    ("chosen", "distance", "expected"),
    [("c", -1, "acbd"), ("c", 1, "abdc"), ("ab", -1, "abcd"), ("bc", -1, "bcad"), ("bd", -1, "badc"), ("bd", 1, "acbd"), ("abcd", 1, "abcd"), ("", 1, "abcd")],
)
def test_chosen_jobs_move_together_and_stop_at_the_ends(chosen: str, distance: int, expected: str) -> None:
    assert names(shifted(rows("abcd"), set(chosen), distance)) == expected


@pytest.mark.rule("D81")
@pytest.mark.parametrize(("chosen", "before", "expected"), [("d", 0, "dabc"), ("a", 4, "bcda"), ("ac", 3, "bacd"), ("bd", 1, "abdc"), ("a", 1, "abcd")])
def test_chosen_jobs_are_dropped_before_a_row(chosen: str, before: int, expected: str) -> None:
    assert names(placed(rows("abcd"), set(chosen), before)) == expected


@pytest.mark.rule("D86")
def test_jobs_of_the_loaded_model_go_first_only_where_it_is_asked_for() -> None:
    waiting = [Row("a", "one"), Row("b", "two"), Row("c", "one")]
    assert next_of(waiting, "two", False) is waiting[0]
    assert next_of(waiting, "two", True) is waiting[1]
    assert next_of(waiting, "three", True) is waiting[0]
    assert next_of([Row("a", "one", is_urgent=True), *waiting[1:]], "two", True).id == "a"  # type: ignore[union-attr]  # there are jobs
    assert next_of([], "two", True) is None


@pytest.mark.rule("R92")
def test_the_estimate_is_within_a_fifth_after_three_jobs() -> None:
    draw = random.Random(4)
    pace = Pace()
    params = {"model": "m", "width": 512, "height": 512, "batch_size": 2, "batch_count": 3, "steps": 20, "sampler": "Euler"}
    assert pace.seconds("generate", params, 6) is None, "no constant is made up"
    for _ in range(3):
        pace.learn("generate", params, 6, 0.25 * 20 * 3 * draw.uniform(0.92, 1.08))
    for steps, pictures in ((20, 6), (40, 2), (10, 12)):
        true = 0.25 * steps * pictures / 2
        assert pace.seconds("generate", {**params, "steps": steps}, pictures) == pytest.approx(true, rel=0.2)
    kept = Pace(pace.samples)
    assert kept.seconds("generate", params, 6) == pace.seconds("generate", params, 6)


@pytest.mark.rule("R92")
def test_the_estimate_follows_a_change_of_speed_and_guesses_other_sizes_by_their_pixels() -> None:
    pace = Pace()
    params = {"model": "m", "width": 512, "height": 512, "steps": 10}
    for seconds in [10.0] * 5 + [20.0] * 3:
        pace.learn("generate", params, 1, seconds)
    assert pace.seconds("generate", params, 1) == 20.0
    assert pace.seconds("generate", {**params, "width": 1024}, 1) == pytest.approx(40.0)
    assert pace.seconds("generate", {**params, "model": "other"}, 1) is None
    assert max(len(samples) for samples in pace.samples.values()) == SAMPLES_KEPT


def test_loading_a_model_is_counted_where_it_must_be_loaded() -> None:
    pace = Pace()
    pace.learn_start("m", True, 8.0)
    pace.learn_start("m", False, 0.5)
    assert (pace.start_seconds("m", True), pace.start_seconds("m", False), pace.start_seconds("n", True)) == (8.0, 0.5, 0.0)
