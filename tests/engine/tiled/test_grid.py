"""Where tiles lie, what each counts, and that what is local comes out as if there were none."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import Tensor

from sfumato.engine.noise import ImageSeed, NoiseSource
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.passes import Methods, Pass
from sfumato.engine.samplers import SamplerParameters, find_sampler
from sfumato.engine.sampling import begin, sample
from sfumato.engine.schedules import find_schedule
from sfumato.engine.steps import StepSettings, steps_of
from sfumato.engine.tiled.grid import Grid, Method, grid_of
from sfumato.engine.tiled.noise import TileNoise
from sfumato.engine.tiled.painting import Averaged, Canvas, one_by_one
from sfumato.prompts import PassSpan
from tests.support.exact_denoisers import Bomb, Explosion, Spy, other_wavy, wavy

METHODS: tuple[Method, ...] = get_args(Method)
FACTOR = 8
# Width and height of the picture, side of a tile, overlap, in pixels: whole multiples, odd rests, one row, and tiles that barely fit.
CUTS = [(1024, 1024, 512, 64), (1000, 712, 512, 64), (1536, 512, 512, 64), (520, 520, 512, 64), (264, 200, 64, 32), (264, 200, 64, 0)]


def grid(method: Method = "tiles", width: int = 264, height: int = 200, tile: int = 64, overlap: int = 32) -> Grid:
    made = grid_of(method, (width, height), tile, overlap, FACTOR)
    assert made is not None
    return made


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cut", CUTS)
def test_tiles_cover_the_picture_evenly_with_as_few_as_the_formula_says(method: Method, cut: tuple[int, int, int, int]) -> None:
    made = grid(method, *cut)
    width, height, tile, overlap = (side // FACTOR for side in cut)
    columns, rows = (math.ceil((side - overlap) / (tile - overlap)) if side > tile else 1 for side in (width, height))
    assert (len(made.lefts), len(made.tops), len(made.tiles)) == (columns, rows, columns * rows)
    for places, length in ((made.lefts, width), (made.tops, height)):
        own = min(tile, length)
        assert places[0] == 0
        assert places[-1] + own == length
        steps = [after - before for before, after in pairwise(places)]
        assert max(steps, default=0) - min(steps, default=0) <= 1
        # Rounding may take one latent pixel of what neighbours share.
        assert all(own - step >= overlap - 1 for step in steps)
    total = torch.zeros(height, width)
    for part, weights in zip(made.tiles, made.weights(torch.device("cpu")), strict=True):
        assert float(weights.min()) >= 0
        part.of(total).add_(weights)
    assert torch.allclose(total, torch.ones_like(total), atol=1e-5)


@pytest.mark.rule("E80")
def test_tiles_fade_linearly_over_the_overlap_and_gaussians_from_their_middle() -> None:
    first, second = grid("tiles", 96, 64, 64, 32).weights(torch.device("cpu"))
    assert torch.allclose(first[0], torch.tensor([1, 1, 1, 1, 0.875, 0.625, 0.375, 0.125]))
    assert torch.allclose(second[0], first[0].flip(0))
    (left, _) = grid("multidiffusion", 96, 64, 64, 32).weights(torch.device("cpu"))
    # Tiles begin at 0 and 4: at place 5 they count as Gaussians 1.5 and -2.5 latent pixels from their middles, a tenth of a tile wide
    near, far = (math.exp(-((offset / 0.8) ** 2) / 2) for offset in (1.5, 2.5))
    assert float(left[0, 5]) == pytest.approx(near / (near + far), abs=1e-6)


@pytest.mark.rule("E80")
def test_a_picture_no_larger_than_a_tile_has_no_grid() -> None:
    assert grid_of("tiles", (512, 512), 512, 64, FACTOR) is None
    assert grid_of("tiles", (512, 384), 512, 64, FACTOR) is None
    # More than half a tile would never end
    assert grid("tiles", 264, 64, 64, 512).overlap == 4


# -- painting with denoisers that are known exactly ------------------------------------------------


def painted_over(sampler: str, width: int = 264, height: int = 200, made: Grid | None = None) -> Pass:
    row, schedule, table = find_sampler(sampler), find_schedule("karras"), NoiseTable()
    assert row is not None
    assert schedule is not None
    steps = steps_of(row, schedule, StepSettings(), 6, table, 0.6)
    return Pass("first", (width, height), Methods(row, schedule, False), SamplerParameters(), steps, 7.0, PassSpan(6), 0.6, grid=made)


def noise_for(plan: Pass) -> NoiseSource:
    return NoiseSource([ImageSeed(3), ImageSeed(4)], (4, plan.size[1] // FACTOR, plan.size[0] // FACTOR), torch.device("cpu"))


def original(plan: Pass) -> Tensor:
    return torch.randn((1, 4, plan.size[1] // FACTOR, plan.size[0] // FACTOR), generator=torch.Generator().manual_seed(9))


def whole(plan: Pass, denoise: Spy) -> Tensor:
    noise = noise_for(plan)
    return sample(plan, denoise, begin(plan, noise(), original(plan)), noise)


def in_tiles(plan: Pass, denoise: Spy, picture: Tensor | None = None) -> Tensor:
    noise = noise_for(plan)
    x = begin(plan, noise(), original(plan) if picture is None else picture)
    assert plan.grid is not None
    canvas = Canvas(x)
    if plan.grid.method == "multidiffusion":
        return sample(plan, Averaged(plan.grid, [denoise] * plan.tiles, canvas), x, noise)

    def paint(number: int, own: Tensor) -> Tensor:
        assert plan.grid is not None
        drawn = noise_for(plan)
        drawn()
        return sample(plan, denoise, own, TileNoise(drawn, plan.grid.tiles[number]))

    return one_by_one(plan.grid, x, canvas, paint)


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sampler", ["Euler", "Euler a", "DPM++ 2M", "DPM++ SDE", "UniPC"])
def test_what_is_local_comes_out_as_if_there_were_no_tiles(method: Method, sampler: str) -> None:
    """Also where noise is drawn at every step: a tile's is cut from the whole picture's."""
    plan = painted_over(sampler)
    expected = whole(plan, Spy(wavy, other_wavy))
    found = in_tiles(replace(plan, grid=grid(method)), Spy(wavy, other_wavy))
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
def test_every_tile_is_called_at_every_level_and_counted(method: Method) -> None:
    plan = replace(painted_over("Heun"), grid=grid(method))
    spy = Spy()
    in_tiles(plan, spy)
    assert len(spy.sigmas) == plan.calls == plan.steps.calls * 8 * 6
    first = spy.sigmas[: plan.tiles]
    assert len(set(first)) == (1 if method == "multidiffusion" else len(set(spy.sigmas[: plan.steps.calls])))


@pytest.mark.parametrize("method", METHODS)
def test_what_a_tile_raises_stops_the_pass(method: Method) -> None:
    with pytest.raises(Explosion):
        in_tiles(replace(painted_over("Euler"), grid=grid(method)), Bomb(at=11))


@pytest.mark.rule("E80")
def test_the_canvas_shows_the_whole_picture() -> None:
    made = grid()
    canvas = Canvas(torch.zeros(1, 4, 25, 33))
    shown = canvas.seen(made.tiles[9], torch.ones(1, 4, 8, 8))
    assert float(shown.sum()) == 4 * 64
    assert float(made.tiles[9].of(shown).min()) == 1
    assert not canvas.seen(made.tiles[0], torch.zeros(1, 4, 8, 8)).any()


def blurring(x: Tensor, sigma: float) -> Tensor:
    """A denoiser that looks around, by convolution: what is beyond the edges of its tile it takes for nothing, as networks do."""
    offsets = torch.arange(-3, 4, dtype=torch.float32)
    kernel = torch.exp(-(offsets**2) / 4)
    kernel = (kernel[:, None] * kernel[None, :] / kernel.sum() ** 2).expand(x.shape[1], 1, 7, 7)
    return torch.nn.functional.conv2d(x, kernel, padding=3, groups=x.shape[1])


def along_seams(found: Tensor, made: Grid) -> float:
    """How much steeper the picture is where one tile takes over from another than elsewhere."""
    ratios = []
    for axis, places, tile in ((-1, made.lefts, made.tile_width), (-2, made.tops, made.tile_height)):
        steps = found.diff(dim=axis).abs().mean(dim=[each for each in range(4) if each != axis % 4])
        is_seam = torch.zeros(len(steps), dtype=torch.bool)
        for before, after in pairwise(places):
            is_seam[after - 1 : before + tile] = True
        inside = slice(4, len(steps) - 4)  # at its own edges the whole picture ends
        ratios.append(float(steps[inside][is_seam[inside]].mean() / steps[inside][~is_seam[inside]].mean()))
    return max(ratios)


@pytest.mark.rule("E80")
@pytest.mark.parametrize("method", METHODS)
def test_no_seam_is_seen_in_a_smooth_picture(method: Method) -> None:
    """What looks around sees less at the edges of a tile; there other tiles count. With hard edges the same measure finds the seams."""
    made = grid(method, 1280, 1024, 256, 64)
    plan = painted_over("Euler", 1280, 1024, made)
    rows, columns = torch.meshgrid(torch.arange(128) / 128, torch.arange(160) / 160, indexing="ij")
    smooth = (2 + torch.sin(20 * columns) + torch.cos(17 * rows))[None, None].expand(1, 4, -1, -1)
    found = in_tiles(plan, Spy(blurring), smooth)
    assert along_seams(found, made) < 1.1
    hard = grid("tiles", 1280, 1024, 256, 0)
    assert along_seams(in_tiles(replace(plan, grid=hard), Spy(blurring), smooth), hard) > 1.3
