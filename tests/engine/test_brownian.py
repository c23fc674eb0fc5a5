"""The Brownian path of an image: torchsde's tree without torchsde, and a Brownian motion however it is read."""

from __future__ import annotations

import itertools
import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sfumato.engine.brownian import BrownianPath
from sfumato.engine.noise import ImageSeed, NoiseSettings, NoiseSource
from sfumato.engine.philox import normal

WRITTEN = json.loads((Path(__file__).parent / "data" / "brownian_increments.json").read_text())
CPU = torch.device("cpu")
LOW, HIGH = 0.029167, 14.614641
LEVELS = (14.614641, 11.2, 6.5, 6.49, 2.0, 1.1, 0.4, 0.0313, 0.029167)


def path(seed: int, shape: tuple[int, ...] = (4, 8, 8), low: float = LOW, high: float = HIGH) -> BrownianPath:
    return BrownianPath(seed, low, high, lambda each: torch.from_numpy(normal(each, 0, math.prod(shape))).view(shape))


def source(*seeds: int, levels: tuple[float, ...] = (*LEVELS, 0.0), **settings: object) -> NoiseSource:
    noise = NoiseSource([ImageSeed(seed) for seed in seeds], (4, 8, 8), CPU, NoiseSettings(**settings))  # type: ignore[arg-type]
    noise.cover(levels)
    return noise


@pytest.mark.rule("E40")
@pytest.mark.parametrize("case", WRITTEN, ids=lambda case: str(case["seed"]))
def test_increments_are_those_of_torchsde(case: dict[str, list[list[float]]]) -> None:
    found = path(case["seed"], (1, 2, 3), case["low"], case["high"])  # type: ignore[arg-type]
    for (start, end), expected in zip(case["intervals"], case["increments"], strict=True):
        np.testing.assert_allclose(found(start, end).flatten(), expected, atol=1e-9, rtol=0)


@pytest.mark.rule("E40")
def test_increments_add_up() -> None:
    found = path(3)
    whole = found(HIGH, LOW)
    parts = sum((found(start, end) for start, end in itertools.pairwise(LEVELS)), torch.zeros(4, 8, 8, dtype=torch.float64))
    torch.testing.assert_close(parts, whole, atol=1e-12, rtol=0)
    torch.testing.assert_close(found(2.0, 6.5), -found(6.5, 2.0), atol=0, rtol=0)
    # and through the seam, in unit variance
    noise = source(3)
    joined = noise.brownian(6.5, 2.0) * math.sqrt(4.5) + noise.brownian(2.0, 0.4) * math.sqrt(1.6)
    torch.testing.assert_close(joined, noise.brownian(6.5, 0.4) * math.sqrt(6.1), atol=2e-6, rtol=0)


@pytest.mark.rule("E40")
def test_order_of_queries_does_not_matter() -> None:
    intervals = [(start, end) for start, end in itertools.combinations(LEVELS[::2], 2)]
    straight = path(4, (1, 2, 4))
    expected = {interval: straight(*interval) for interval in intervals}
    for trial in range(2):
        shuffled, found = random.Random(trial).sample(intervals, len(intervals)), path(4, (1, 2, 4))
        for interval in shuffled:
            assert torch.equal(found(*interval), expected[interval]), interval


@pytest.mark.rule("E40", "R42")
@pytest.mark.parametrize("rng", ["cpu", "nv", "gpu"])
def test_R42_an_image_has_the_same_path_in_every_batch(rng: str) -> None:
    batch = source(7, 8, 9, rng=rng)
    found = [batch.brownian(6.5, 2.0), batch.brownian(2.0, 1.1)]
    for index, seed in enumerate((7, 8, 9)):
        alone = source(seed, rng=rng)
        assert torch.equal(alone.brownian(6.5, 2.0)[0], found[0][index])
        assert torch.equal(alone.brownian(2.0, 1.1)[0], found[1][index])
    assert not torch.equal(found[0][0], found[0][1])


@pytest.mark.rule("E40")
def test_the_path_depends_on_the_seed_and_the_levels_only() -> None:
    # neither draws of the image's generator, nor ENSD, nor a variation change it
    plain, used, varied = source(7), source(7, ensd=31337), NoiseSource([ImageSeed(7, 90, 0.5)], (4, 8, 8), CPU)
    varied.cover(LEVELS)
    for _ in range(3):
        used()
    assert torch.equal(plain.brownian(6.5, 2.0), used.brownian(6.5, 2.0))
    assert torch.equal(plain.brownian(6.5, 2.0), varied.brownian(6.5, 2.0))
    plain.cover((10.0, 0.1))
    assert not torch.equal(plain.brownian(6.5, 2.0), used.brownian(6.5, 2.0))


def statistics(draws: list[Tensor]) -> Tensor:
    """Correlations between the draws, (n, n); 1 where a draw has unit variance."""
    rows = torch.stack([draw.flatten().double() for draw in draws])
    return rows @ rows.T / rows.shape[1]


@pytest.mark.rule("E40")
@pytest.mark.parametrize("levels", [(*LEVELS, 0.0), (4518.764, 700.0, 90.0, 14.0, 1.0, 0.1, 0.029167, 0.0)])
def test_disjoint_intervals_are_independent_unit_noise(levels: tuple[float, ...]) -> None:
    noise = NoiseSource([ImageSeed(11)], (4, 96, 96), CPU)
    noise.cover(levels)
    found = statistics([noise.brownian(start, end) for start, end in itertools.pairwise(levels) if end > 0])
    spread = 5 * math.sqrt(2 / (4 * 96 * 96))
    torch.testing.assert_close(found, torch.eye(len(found), dtype=torch.float64), atol=spread, rtol=0)


@pytest.mark.rule("E40")
def test_overlapping_intervals_share_what_they_share() -> None:
    noise = NoiseSource([ImageSeed(12)], (4, 96, 96), CPU)
    noise.cover(LEVELS)
    found = statistics([noise.brownian(6.5, 2.0), noise.brownian(6.5, 0.4)])
    assert float(found[0, 1]) == pytest.approx(math.sqrt(4.5 / 6.1), abs=5 * math.sqrt(2 / (4 * 96 * 96)))


@pytest.mark.rule("E40")
def test_a_path_never_laid_out_covers_every_level() -> None:
    noise = NoiseSource([ImageSeed(13)], (4, 96, 96), CPU)
    found = statistics([noise.brownian(14.0, 3.0), noise.brownian(3.0, 0.5), noise.brownian(0.5, 0.03), noise.brownian(9000.0, 14.0)])
    torch.testing.assert_close(found, torch.eye(4, dtype=torch.float64), atol=5 * math.sqrt(2 / (4 * 96 * 96)), rtol=0)


@pytest.mark.rule("E40")
@pytest.mark.parametrize("levels", [(14.0, 0.0), (14.0, 14.0), ()])
def test_a_pass_of_a_single_step_has_a_path_too(levels: tuple[float, ...]) -> None:
    noise = source(3, levels=levels)
    assert float(noise.brownian(14.0, 3.0).std()) == pytest.approx(1, abs=0.2)


@pytest.mark.rule("E40")
def test_levels_beyond_the_path_count_as_its_ends() -> None:
    found = path(5)
    assert torch.equal(found(20.0, 0.0), found(HIGH, LOW))
    with pytest.raises(ValueError, match="a Brownian path from 1 to 1"):
        path(5, low=1, high=1)
