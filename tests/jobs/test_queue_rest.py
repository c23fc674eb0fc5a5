"""What is still to be made of a job that was cut short."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.jobs.queue_rest import expected_pictures, run_of


def seeds(params: dict[str, Any]) -> list[int]:
    """The seeds of a request's pictures, in order."""
    return [params["seed"] + index for index in range(expected_pictures(params))]


@pytest.mark.rule("D84")
@given(size=st.integers(1, 6), count=st.integers(1, 6), made=st.integers(0, 36), seed=st.integers(0, 10**9))
def test_the_runs_after_an_interruption_make_exactly_the_pictures_that_are_missing(size: int, count: int, made: int, seed: int) -> None:
    params = {"prompt": "x", "seed": seed, "batch_size": size, "batch_count": count, "steps": 5}
    made = min(made, size * count)
    done, runs = seeds(params)[:made], 0
    while len(done) < size * count:
        run = run_of("generate", params, len(done))
        assert run.passed_over == 0 and run.pictures == expected_pictures(run.params)
        assert run.params["batch_size"] <= size
        done += seeds(run.params)
        runs += 1
    assert done == seeds(params)
    assert runs <= 2, "at most the rest of a batch, and the batches after it"


@pytest.mark.parametrize(
    "values",
    [
        {"all_combinations": True},
        {"prompt": "@__colour__"},
        {"prompt": "{a|b}", "wildcard_seed": 3},
        {"seed": -1},
        {"variation_strength": 0.5, "variation_seed": -1},
    ],
)
def test_where_a_picture_depends_on_its_place_all_is_sent_and_the_first_are_passed_over(values: dict[str, Any]) -> None:
    params = {"prompt": "x", "seed": 5, "batch_size": 2, "batch_count": 2, **values}
    run = run_of("generate", params, 3)
    assert (run.params, run.passed_over, run.pictures) == (params, 3, 1)


def test_variations_count_in_their_own_seed() -> None:
    run = run_of("generate", {"seed": 5, "variation_seed": 9, "variation_strength": 0.3, "batch_count": 4}, 2)
    assert (run.params["seed"], run.params["variation_seed"], run.params["batch_count"]) == (5, 11, 2)


def test_other_kinds_are_sent_whole() -> None:
    assert run_of("upscale", {"scale": 2}, 0).params == {"scale": 2}
