"""What a request says of seeds and noise, on its way through a whole job to the picture and back from the picture's text."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sfumato.engine import batch
from sfumato.engine.noise import NoiseSettings, NoiseSource
from sfumato.imaging.picture import read_picture
from tests.engine.conftest import Bench


def pixels(bench: Bench, **fields: Any) -> list[np.ndarray]:
    bench.run(**fields)
    return [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in bench.pictures]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(left, right) for left, right in zip(one, other, strict=True))


@pytest.mark.rule("R38", "E37")
def test_R38_width_and_height_of_seed_resize_reach_the_noise_and_the_metadata(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[NoiseSettings | None] = []

    class Spy(NoiseSource):
        def __init__(self, seeds: Any, shape: Any, device: Any, settings: NoiseSettings | None = None) -> None:
            seen.append(settings)
            super().__init__(seeds, shape, device, settings)

    monkeypatch.setattr(batch, "NoiseSource", Spy)
    result = bench.run(width=64, height=64, seed_resize_width=128, seed_resize_height=32)
    assert seen
    assert all(settings is not None and settings.resize_from == (4, 16) for settings in seen)  # (h, w) of the latent
    assert "Seed resize from: 128x32" in result.images[0].infotext
    request = read_picture(bench.pictures[0]).request()
    assert (request.seed_resize_width, request.seed_resize_height) == (128, 32)


@pytest.mark.rule("E33", "E34", "E36")
def test_pictures_of_a_batch_are_those_of_their_own_seeds(bench: Bench) -> None:
    batched = pixels(bench, seed=5, batch_size=3, deterministic=True)
    for index in range(3):
        assert same([batched[index]], pixels(bench, seed=5 + index, deterministic=True))
    # with a variation the seed stays and the variation's seed counts on
    varied = pixels(bench, seed=5, batch_size=2, variation_seed=90, variation_strength=0.4, deterministic=True)
    assert same([varied[1]], pixels(bench, seed=5, variation_seed=91, variation_strength=0.4, deterministic=True))
    assert not same([varied[0]], [varied[1]])


@pytest.mark.rule("E35", "E38")
def test_source_and_ensd_change_the_picture_where_they_should(bench: Bench) -> None:
    plain, ancestral = pixels(bench, sampler="Euler"), pixels(bench, sampler="Euler a")
    assert not same(plain, pixels(bench, sampler="Euler", rng="nv"))
    # Euler draws no noise after the first
    assert same(plain, pixels(bench, sampler="Euler", ensd=31337))
    assert not same(ancestral, pixels(bench, sampler="Euler a", ensd=31337))
