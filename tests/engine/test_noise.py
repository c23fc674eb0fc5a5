"""Noise: where it comes from, how it is mixed, and that it belongs to an image, not to a batch or a device."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sfumato.engine import philox
from sfumato.engine.noise import DRAWN_LIMIT, GENERATORS, SEED_LIMIT, ImageSeed, NoiseSettings, NoiseSource, Rng, image_seeds, job_seeds, resolve_seed, slerp

CPU = torch.device("cpu")
SHAPE = (4, 8, 8)
RNGS: tuple[Rng, ...] = ("cpu", "nv", "gpu")


def source(*seeds: int, shape: tuple[int, int, int] = SHAPE, variation: tuple[int, float] = (0, 0.0), **settings: object) -> NoiseSource:
    return NoiseSource([ImageSeed(seed, *variation) for seed in seeds], shape, CPU, NoiseSettings(**settings))  # type: ignore[arg-type]


def drawn(seed: int, shape: tuple[int, ...] = SHAPE, count: int = 1) -> Tensor:
    """The count-th tensor of torch's CPU generator."""
    generator = torch.Generator("cpu").manual_seed(seed)
    return [torch.randn(shape, generator=generator) for _ in range(count)][-1]


@pytest.mark.rule("E33")
def test_seeds_count_up_and_a_missing_one_is_drawn() -> None:
    assert image_seeds(5, 3) == [5, 6, 7]
    assert image_seeds(SEED_LIMIT - 1, 2) == [SEED_LIMIT - 1, 0]
    assert resolve_seed(0) == 0
    found = {resolve_seed(-1) for _ in range(200)}
    assert len(found) > 190
    assert all(0 <= seed < DRAWN_LIMIT for seed in found)
    assert DRAWN_LIMIT - 1 == 2**32 - 3
    assert source(SEED_LIMIT - 1, shape=(1, 2, 2))().shape == (1, 1, 2, 2)


@pytest.mark.rule("E33")
def test_with_variations_the_seed_stays_and_the_variation_seed_counts() -> None:
    assert job_seeds(5, 3, 90, 0.0) == [ImageSeed(5), ImageSeed(6), ImageSeed(7)]
    assert job_seeds(5, 3, 90, 0.2) == [ImageSeed(5, 90, 0.2), ImageSeed(5, 91, 0.2), ImageSeed(5, 92, 0.2)]


@pytest.mark.rule("E34", "R42")
@pytest.mark.parametrize("rng", RNGS)
@pytest.mark.parametrize("extra", [{}, {"ensd": 31337}, {"resize_from": (6, 10)}])
def test_R42_noise_of_an_image_does_not_depend_on_its_batch(rng: Rng, extra: dict[str, object]) -> None:
    batch = source(10, 11, 12, variation=(7, 0.3), rng=rng, **extra)
    batch.cover([14.0, 3.0, 1.0, 0.0])
    draws = [batch() for _ in range(3)]
    paths = batch.brownian(14.0, 3.0)
    for index, seed in enumerate((10, 11, 12)):
        alone = source(seed, variation=(7, 0.3), rng=rng, **extra)
        alone.cover([14.0, 3.0, 1.0, 0.0])
        for draw in draws:
            assert torch.equal(alone()[0], draw[index])
        assert torch.equal(alone.brownian(14.0, 3.0)[0], paths[index])
    assert draws[0].dtype == paths.dtype == torch.float32
    assert not torch.equal(draws[0][0], draws[1][0])


@pytest.mark.rule("E35", "R42")
@pytest.mark.parametrize("rng", ["cpu", "nv"])
def test_R42_the_portable_sources_never_ask_the_device(rng: Rng) -> None:
    # Given a device that holds no numbers at all
    nowhere = torch.device("meta")
    drawn_there, drawn_here = GENERATORS[rng](5, nowhere), GENERATORS[rng](5, CPU)
    assert [torch.equal(drawn_there(SHAPE), drawn_here(SHAPE)) for _ in range(2)] == [True, True]
    assert NoiseSource([ImageSeed(5)], SHAPE, nowhere, NoiseSettings(rng))().device == nowhere


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no Nvidia card")
@pytest.mark.rule("E35", "R42")
def test_R42_a_card_gets_the_same_bits_and_nv_is_what_it_would_draw() -> None:
    card = torch.device("cuda")
    for rng in ("cpu", "nv"):
        here, there = (NoiseSource([ImageSeed(7, 90, 0.3)], SHAPE, device, NoiseSettings(rng)) for device in (CPU, card))
        for _ in range(3):
            assert torch.equal(here(), there().cpu())
        assert torch.equal(here.brownian(9.0, 2.0), there.brownian(9.0, 2.0).cpu())
    for seed in (0, 7, 2**40 + 1):
        own, ours = (NoiseSource([ImageSeed(seed)], (4, 64, 64), card, NoiseSettings(rng)) for rng in ("gpu", "nv"))
        for _ in range(3):
            torch.testing.assert_close(own(), ours(), atol=2e-5, rtol=1e-5)  # the card computes in float32


@pytest.mark.rule("E35")
def test_the_default_source_is_torchs_generator_of_the_processor() -> None:
    noise = source(10)
    assert torch.equal(noise()[0], drawn(10))
    assert torch.equal(noise()[0], drawn(10, count=2))


@pytest.mark.rule("E35")
def test_philox_gives_the_published_words() -> None:
    # Known answers that Salmon et al. ship with Random123: all zeros, all ones, and digits of pi.
    cases = [
        ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, 0xFFFFFFFFFFFFFFFF, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), 0x299F31D0A4093822, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ]
    for counter, key, expected in cases:
        first, second, third, fourth = (np.array([word], np.uint64) for word in counter)
        assert tuple(int(word[0]) for word in philox.philox((first, second, third, fourth), key)) == expected


@pytest.mark.rule("E35")
def test_nv_starts_with_the_numbers_of_a_card_and_draws_count_on() -> None:
    np.testing.assert_allclose(philox.normal(0, 0, 4), [-0.92466259, -0.42534415, -2.6438457, 0.14518388], rtol=6e-8)
    noise = source(3, rng="nv")
    first, second = noise()[0], noise()[0]
    np.testing.assert_array_equal(first.flatten(), philox.normal(3, 0, 256))
    np.testing.assert_array_equal(second.flatten(), philox.normal(3, 1, 256))
    # the high word of the seed counts, and element i does not know how many there are
    assert not np.array_equal(philox.normal(3 + 2**32, 0, 256), philox.normal(3, 0, 256))
    np.testing.assert_array_equal(philox.normal(3, 0, 1000)[:256], philox.normal(3, 0, 256))


@pytest.mark.rule("E35")
def test_every_source_is_standard_normal() -> None:
    for rng in GENERATORS:
        values = source(1, shape=(4, 128, 128), rng=rng)().double()
        count = values.numel()
        assert float(values.mean()) == pytest.approx(0, abs=4 / math.sqrt(count))
        assert float(values.var()) == pytest.approx(1, abs=4 * math.sqrt(2 / count))
        assert float((values**4).mean()) == pytest.approx(3, abs=4 * math.sqrt(96 / count))


@pytest.mark.rule("E36")
@pytest.mark.parametrize("t", [0.1, 0.5, 0.9, 1.0])
def test_variations_follow_the_arc_of_each_channel_and_column(t: float) -> None:
    a, b = drawn(5), drawn(90)
    made = source(5, variation=(90, t))()[0]
    for channel in range(4):
        for column in range(8):
            one, other = a[channel, :, column].double(), b[channel, :, column].double()
            w = math.acos(float(one @ other / (one.norm() * other.norm())))
            expected = math.sin((1 - t) * w) / math.sin(w) * one + math.sin(t * w) / math.sin(w) * other
            torch.testing.assert_close(made[channel, :, column].double(), expected, atol=2e-6, rtol=0)


@pytest.mark.rule("E36")
def test_parallel_noises_are_mixed_in_a_line_with_its_operands() -> None:
    a = drawn(5)
    b = a + drawn(6) * 0.01
    torch.testing.assert_close(slerp(0.25, a, b), a * 0.25 + b * 0.75, atol=0, rtol=0)
    torch.testing.assert_close(source(5, variation=(5, 0.4))()[0], a, atol=1e-6, rtol=0)
    # single columns that are parallel while the rest is not
    c = drawn(7)
    c[:, :, 3] = a[:, :, 3]
    mixed = slerp(0.5, a, c)
    assert bool(mixed.isfinite().all())
    torch.testing.assert_close(mixed[:, :, 3], a[:, :, 3], atol=1e-5, rtol=0)


@pytest.mark.rule("E37")
@pytest.mark.parametrize(("small", "big"), [((4, 6), (8, 8)), ((8, 8), (4, 6)), ((12, 4), (8, 8)), ((4, 6), (5, 9))])
def test_seed_resize_puts_the_other_sizes_noise_in_the_middle(small: tuple[int, int], big: tuple[int, int]) -> None:
    made = source(5, shape=(4, *big), resize_from=small)()[0]
    expected = drawn(5, (4, *big)).clone()
    inner = drawn(5, (4, *small))
    for row in range(big[0]):
        for column in range(big[1]):
            y, x = row - (big[0] - small[0]) // 2, column - (big[1] - small[1]) // 2
            if 0 <= y < small[0] and 0 <= x < small[1]:
                expected[:, row, column] = inner[:, y, x]
    assert torch.equal(made, expected)


@pytest.mark.rule("E37")
def test_an_odd_crop_leaves_a_line_as_automatic1111_does() -> None:
    made = source(5, shape=(4, 8, 8), resize_from=(8, 11))()[0]
    fresh, inner = drawn(5, (4, 8, 8)), drawn(5, (4, 8, 11))
    assert torch.equal(made[:, :, :7], inner[:, :, 2:9])
    assert torch.equal(made[:, :, 7:], fresh[:, :, 7:])


@pytest.mark.rule("E37")
def test_seed_resize_mixes_the_variation_at_the_other_size_and_the_generator_goes_on() -> None:
    noise = source(5, shape=(4, 8, 8), variation=(90, 0.3), resize_from=(4, 4))
    first, second = noise()[0], noise()[0]
    assert torch.equal(first[:, 2:6, 2:6], slerp(0.3, drawn(5, (4, 4, 4)), drawn(90, (4, 4, 4))))
    assert torch.equal(first[:, :2], drawn(5)[:, :2])
    assert torch.equal(second, drawn(5, count=2))
    assert torch.equal(source(5, resize_from=SHAPE[1:])()[0], drawn(5))


@pytest.mark.rule("R38", "E37")
def test_R38_width_and_height_of_seed_resize_keep_their_places() -> None:
    # latent (h, w) = (4, 8) inside (8, 8): rows 2..6 are replaced over the whole width
    made = source(5, resize_from=(4, 8))()[0]
    changed = (made != drawn(5)).any(dim=0)
    assert changed.any(dim=1).nonzero().flatten().tolist() == [2, 3, 4, 5]
    assert changed.any(dim=0).all()


@pytest.mark.rule("E38")
def test_ensd_starts_the_generators_anew_after_the_initial_noise() -> None:
    noise = source(5, ensd=31337, variation=(90, 0.5))
    assert torch.equal(noise()[0], slerp(0.5, drawn(5), drawn(90)))
    assert torch.equal(noise()[0], drawn(5 + 31337))
    assert torch.equal(noise()[0], drawn(5 + 31337, count=2))
    assert torch.equal(source(5, ensd=0)()[0], drawn(5))
    below_zero = source(5, ensd=-31337)
    assert bool(below_zero().isfinite().all())
    assert bool(below_zero().isfinite().all())
    at_the_end = source(SEED_LIMIT - 1, ensd=31337)
    assert torch.equal(at_the_end()[0], drawn(SEED_LIMIT - 1))
    assert torch.equal(at_the_end()[0], drawn(SEED_LIMIT - 1 + 31337))
