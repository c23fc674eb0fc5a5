"""Enlarging in pieces: the pieces, their weights, and that nobody sees where they meet."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional

from sfumato.engine.device import choose
from sfumato.engine.upscalers.enlarging import Enlarger, passes
from sfumato.engine.upscalers.network import ImageNetwork
from sfumato.engine.upscalers.tiles import SMALLEST_PX, Tiling, enlarge, length, ramps, starts
from sfumato.protocol.errors import Stopped
from tests.support.tiny_upscalers import rrdb

CPU = choose("fp32", "cpu")
Pixels = np.ndarray


def network_of(module: torch.nn.Module, scale: int) -> ImageNetwork:
    return ImageNetwork("tiny", "ESRGAN", module, scale, 3, module, torch.device("cpu"), torch.float32)


class Nearest(torch.nn.Module):
    """Enlarges by repeating pixels, so that every result is known; remembers what it saw."""

    def __init__(self, scale: int = 2, most_px: int = 1 << 20) -> None:
        super().__init__()
        self.scale, self.most_px = scale, most_px
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] * x.shape[-2] > self.most_px:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.seen.append(tuple(x.shape))
        return functional.interpolate(x, scale_factor=self.scale, mode="nearest")


def texture(width: int, height: int, blur: float = 1.5, seed: int = 0) -> Image.Image:
    """Something like a photograph: blurred noise of strong contrast."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    soft = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(blur)), np.float32)
    return Image.fromarray(((soft - soft.min()) / (soft.max() - soft.min()) * 255).astype(np.uint8))


@pytest.mark.rule("E78")
@given(side=st.integers(1, 700), tile=st.integers(0, 300), overlap=st.integers(0, 200), scale=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_tiles_cover_a_side_and_their_weights_sum_to_one(side: int, tile: int, overlap: int, scale: int) -> None:
    tiling = Tiling(tile, overlap)
    size, places = length(side, tiling), starts(side, tiling)
    assert places[0] == 0
    assert places[-1] + size == side
    shared = [before + size - after for before, after in pairwise(places)]
    assert all(min(overlap, tile // 2) <= each < size for each in shared)
    assert size <= (tile or side)
    total = torch.zeros(side * scale)
    for place, weights in zip(places, ramps(places, size, scale), strict=True):
        assert (weights >= 0).all()
        total[place * scale : (place + size) * scale] += weights
    torch.testing.assert_close(total, torch.ones(side * scale))


@pytest.mark.rule("E78")
def test_weights_ramp_linearly_over_what_two_tiles_share() -> None:
    assert starts(376, Tiling()) == [0, 184]
    first, second = ramps([0, 184], 192, 2)
    steps = first[-16:].diff()
    torch.testing.assert_close(steps, torch.full((15,), -1 / 16))
    torch.testing.assert_close(first[-16:], second[:16].flip(0))
    assert (first[:-16] == 1).all()


@pytest.mark.rule("E78")
@pytest.mark.parametrize(("width", "height", "tile", "overlap"), [(70, 50, 32, 8), (33, 97, 32, 0), (64, 64, 0, 8), (5, 3, 192, 8), (41, 41, 16, 100)])
def test_a_network_that_looks_at_single_pixels_gives_the_same_in_pieces_and_whole(width: int, height: int, tile: int, overlap: int) -> None:
    pixels = np.asarray(texture(width, height))
    network = Nearest(3)
    out = enlarge(pixels, network, 3, Tiling(tile, overlap))
    assert np.array_equal(out, pixels.repeat(3, 0).repeat(3, 1))
    # It never sees more than a tile: that is all the memory it takes
    limit = tile or max(width, height)
    assert all(shape[0] == 1 and max(shape[2:]) <= limit for shape in network.seen)
    assert len(network.seen) == Tiling(tile, overlap).count(width, height)


@pytest.mark.rule("E78")
def test_no_more_is_computed_than_overlaps_ask_for() -> None:
    # Two tiles of 192 would do for 200 pixels, and compute nearly all of them twice
    assert (length(200, Tiling()), starts(200, Tiling())) == (112, [0, 88])
    for width, height in ((400, 300), (512, 512), (1024, 768), (200, 1500)):
        network = Nearest(1)
        enlarge(np.zeros((height, width, 3), np.uint8), network, 1, Tiling())
        assert sum(shape[2] * shape[3] for shape in network.seen) < 1.3 * width * height


def gradients(pixels: Pixels) -> Pixels:
    """Mean absolute difference of each column to the next."""
    return np.abs(np.diff(pixels.astype(np.float64), axis=1)).mean(axis=(0, 2))


class Far(torch.nn.Module):
    """Sees six pixels around each and answers smoothly, but for the edges of what it is given, where it sees nothing beyond."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Conv2d(3 if number == 0 else 12, 12 if number < 5 else 3, 3, padding=1, bias=False) for number in range(6))
        generator = torch.Generator().manual_seed(0)
        for layer in self.layers:
            layer.weight.data = torch.randn(layer.weight.shape, generator=generator) * 1.3 * layer.weight[0].numel() ** -0.5

    def forward(self, x: Tensor) -> Tensor:
        x = x - 0.5
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return functional.interpolate(x / 2 + 0.5, scale_factor=2, mode="bilinear")


def seam_ratio(pixels: Pixels, places: list[int], tile: int, scale: int) -> float:
    """Mean gradient across the columns where tiles meet, over that of all others."""
    across = gradients(pixels)
    seams = sorted({column for before, start in pairwise(places) for column in range(start * scale - 1, max(start, before + tile) * scale)})
    return across[seams].mean() / np.delete(across, seams).mean()


@pytest.mark.rule("E78")
def test_no_seam_is_seen() -> None:
    network, picture = network_of(Far(), 2), np.asarray(texture(256, 232, blur=3))
    # Given pieces that share nothing, then the picture changes five times as fast where they meet
    cut = Tiling(64, 0)
    assert seam_ratio(enlarge(picture, network, 2, cut), starts(256, cut), 64, 2) > 4
    # Given pieces that share eight pixels, then as fast as elsewhere, across and down
    picture = picture[:, :232]
    tiling = Tiling(64, 8)
    tiled, whole = enlarge(picture, network, 2, tiling), enlarge(picture, network, 2, Tiling(0))
    assert starts(232, tiling) == [0, 56, 112, 168]
    for turned in (tiled, tiled.transpose(1, 0, 2)):
        assert seam_ratio(turned, [0, 56, 112, 168], 64, 2) <= 1.1
    # and inside of a piece, out of sight of its edges, it is the picture that the whole gives
    inside = slice((56 + 16) * 2, (112 - 8) * 2)
    assert np.array_equal(tiled[inside, inside], whole[inside, inside])
    assert np.abs(tiled.astype(int) - whole).mean() < 0.02 * whole.std()


@pytest.mark.rule("E78")
def test_pieces_of_an_esrgan_give_the_picture_that_the_whole_gives() -> None:
    network, picture = network_of(rrdb(), 4), np.asarray(texture(150, 120))
    tiled, whole = (enlarge(picture, network, 4, tiling).astype(int) for tiling in (Tiling(64, 8), Tiling(0)))
    assert np.abs(tiled - whole).max() <= 8
    assert np.abs(tiled - whole).mean() < 0.01 * whole.std()


@pytest.mark.rule("E78")
@pytest.mark.parametrize(
    ("source", "target", "scale", "sizes"),
    [
        ((10, 20), (40, 80), 4, [(10, 20)]),
        ((10, 20), (41, 80), 4, [(10, 20), (40, 80)]),
        ((10, 20), (15, 30), 4, [(10, 20)]),
        ((10, 20), (10, 20), 4, []),
        ((10, 20), (5, 10), 4, []),
        ((10, 20), (500, 1000), 2, [(10, 20), (20, 40), (40, 80)]),
        ((10, 20), (10, 20), 1, [(10, 20)]),
        ((10, 20), (80, 160), 1, [(10, 20)]),
    ],
)
def test_passes_are_repeated_until_both_sides_are_there(source: tuple[int, int], target: tuple[int, int], scale: int, sizes: list[tuple[int, int]]) -> None:
    assert passes(source, target, scale) == sizes
    network = Nearest(scale)
    made = Enlarger(network_of(network, scale))(texture(*source), target)
    assert made.size == target
    assert [shape[:1:-1] for shape in network.seen] == sizes


@pytest.mark.rule("E78")
def test_the_exact_size_is_resampled_by_lanczos_from_what_the_network_made() -> None:
    picture = texture(20, 12)
    made = Enlarger(network_of(Nearest(4), 4))(picture, (50, 31))
    expected = picture.resize((80, 48), Image.Resampling.NEAREST).resize((50, 31), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(made), np.asarray(expected))


@pytest.mark.rule("E78")
def test_transparency_is_enlarged_apart() -> None:
    picture = texture(20, 12)
    alpha = texture(20, 12, seed=3).convert("L")
    clear = picture.copy()
    clear.putalpha(alpha)
    enlarger = Enlarger(network_of(Nearest(2), 2))
    made = enlarger(clear, (40, 24))
    assert made.mode == "RGBA"
    # Colours do not depend on what is seen of them
    assert np.array_equal(np.asarray(made)[..., :3], np.asarray(enlarger(picture, (40, 24))))
    assert np.array_equal(np.asarray(made)[..., 3], np.asarray(alpha.resize((40, 24), Image.Resampling.NEAREST)))
    assert enlarger.count((20, 12), (40, 24), True) == 2 * enlarger.count((20, 12), (40, 24))


@pytest.mark.rule("E78")
def test_where_memory_does_not_suffice_tiles_halve_and_the_picture_is_the_same() -> None:
    picture, said = texture(300, 200), list[str]()
    free = Enlarger(network_of(Nearest(2), 2))(picture, (600, 400))
    tight = Nearest(2, most_px=100 * 100)
    enlarger = Enlarger(network_of(tight, 2), say=said.append)
    assert np.array_equal(np.asarray(enlarger(picture, (600, 400))), np.asarray(free))
    assert max(max(shape[2:]) for shape in tight.seen) == 96
    assert len(said) == 1
    assert "96 pixels" in said[0]
    # The next picture begins with what sufficed
    enlarger(picture, (600, 400))
    assert len(said) == 1
    # From the whole picture down to the smallest, and no smaller
    smaller = [Tiling(0)]
    while (following := smaller[-1].halved(300, 200)) is not None:
        smaller.append(following)
    assert [tiling.tile for tiling in smaller] == [0, 150, 75, SMALLEST_PX]
    hopeless = Enlarger(network_of(Nearest(2, most_px=10), 2))
    with pytest.raises(torch.OutOfMemoryError):
        hopeless(picture, (600, 400))


def test_other_errors_of_a_network_are_not_taken_for_want_of_memory() -> None:
    def broken(x: Tensor) -> Tensor:
        raise RuntimeError("shapes do not match")

    network = ImageNetwork("tiny", "ESRGAN", torch.nn.Identity(), 2, 3, broken, torch.device("cpu"), torch.float32)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        Enlarger(network)(texture(20, 20), (40, 40))


@pytest.mark.rule("E118")
def test_each_tile_asks_whether_to_stop() -> None:
    network, calls = Nearest(2), list[int]()

    def told() -> None:
        calls.append(len(network.seen))
        if len(calls) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        Enlarger(network_of(network, 2), Tiling(32, 8))(texture(100, 100), (200, 200), told)
    assert calls == [0, 1, 2]
    assert len(network.seen) == 2


def test_what_is_no_number_becomes_black_and_a_network_for_whole_pictures_is_never_cut() -> None:
    nothing = ImageNetwork("x", "ESRGAN", torch.nn.Identity(), 1, 3, lambda x: x / 0 * 0, torch.device("cpu"), torch.float32)
    assert not nothing(torch.ones(1, 3, 4, 4)).any()
    network = Nearest(2)
    whole = ImageNetwork("x", "AuraSR", network, 2, 3, network, torch.device("cpu"), torch.float32, is_tiled=False)
    Enlarger(whole, Tiling(32, 8))(texture(100, 60), (200, 120))
    assert network.seen == [(1, 3, 60, 100)]
