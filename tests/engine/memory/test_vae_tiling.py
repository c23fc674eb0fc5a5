"""The VAE tile by tile: no seams, both ways, and never where it is not wanted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine.decoding import decoded
from sfumato.engine.device import choose
from sfumato.engine.encoding import encode_picture
from sfumato.engine.family import Model
from sfumato.engine.job_memory import JobMemory, Learned, Wishes
from sfumato.engine.kept_parts import KeptTensors
from sfumato.engine.memory import Loaded
from sfumato.engine.vae_tiling import OVERLAP_PX, TILE_PX, common_norms, ramps, starts, tiled
from sfumato.engine.workplace import Workplace
from sfumato.protocol.errors import Stopped
from tests.engine.memory.conftest import Workshop, furthest
from tests.support.studio import Pixels, Studio

ROOT = Path(__file__).resolve().parents[3]
SEAM = 2 / 255


class InTiles(Workplace):
    def __init__(self, side: int = TILE_PX, check: Callable[[], None] = lambda: None) -> None:
        self._side = side
        self.check = check  # type: ignore[method-assign]

    def tile_px(self, size: tuple[int, int], is_decoding: bool) -> int:
        return self._side if max(size) > self._side else 0


@pytest.fixture(scope="module")
def starter() -> Model:
    return Loaded().load(ROOT / "models" / "checkpoints" / "sfumato-starter.safetensors", choose("fp32", "cpu"), lambda done, total: None)


def smooth(side: int) -> Image.Image:
    """A picture that changes slowly everywhere."""
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    return Image.fromarray((np.stack([0.2 + 0.6 * x, 0.3 + 0.4 * y, 0.5 + 0.3 * np.sin(3 * (x + y))], axis=-1) * 255).astype(np.uint8))


def within(model: Model, workplace: Workplace) -> Model:
    from dataclasses import replace

    return replace(model, workplace=workplace)


@pytest.mark.slow
@pytest.mark.rule("E109")
def test_tiles_of_a_trained_vae_leave_no_seam_in_a_smooth_picture(starter: Model) -> None:
    # Given the latent of a smooth picture, of two tiles a side
    latent = encode_picture(starter, smooth(640))
    whole, parts = decoded(starter, latent), decoded(within(starter, InTiles()), latent)
    # Then nowhere around the borders of tiles it changes otherwise than the whole does, by 2 of 255 in the mean of a column
    seams = (parts.diff(dim=-1) - whole.diff(dim=-1)).abs().mean(dim=(0, 1, 2)) / 2
    assert seams[640 - TILE_PX - 4 : TILE_PX + 4].max() < SEAM
    # And not more steeply than elsewhere in the picture
    steps = parts.diff(dim=-1).abs().mean(dim=(0, 1, 2))
    assert steps[640 - TILE_PX - 4 : TILE_PX + 4].max() <= 1.1 * steps.max()


@pytest.mark.rule("E109", "E105")
def test_norms_are_shared_by_all_tiles_and_are_themselves_again_afterwards(starter: Model) -> None:
    latent = encode_picture(starter, smooth(128))
    before = decoded(starter, latent)
    # The same tile beside another neighbour comes out the same
    dark, bright = (torch.cat([latent[..., :8], fill.expand(1, 4, 16, 8)], dim=-1) for fill in (latent.new_tensor(-2.0), latent.new_tensor(2.0)))
    with torch.inference_mode(), common_norms([starter.vae.decoder], lambda: starter.vae.decode(latent)):
        one, other = (starter.vae.decode(each[..., :8]).sample for each in (dark, bright))
        assert torch.equal(one, other)
        whole = starter.vae.decode(latent).sample
    assert torch.allclose(whole * 1.0, starter.vae.decode(latent).sample, atol=1e-3)
    assert sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in starter.vae.modules()) == 0
    assert torch.equal(decoded(starter, latent), before)


@pytest.mark.slow
@pytest.mark.rule("E109")
def test_encoding_in_tiles_gives_nearly_the_latent_of_the_whole(starter: Model) -> None:
    whole, parts = encode_picture(starter, smooth(640)), encode_picture(within(starter, InTiles()), smooth(640))
    assert parts.shape == whole.shape
    assert (parts - whole).abs().mean() < 0.1 * whole.std()


@pytest.mark.rule("E109")
@pytest.mark.parametrize("length", [65, 100, 128, 200, 512])
def test_tiles_cover_everything_overlap_and_weigh_one_everywhere(length: int) -> None:
    begins = starts(length, 64, 8)
    assert begins[0] == 0
    assert begins[-1] == length - 64
    assert all(0 < after - before <= 64 - 8 for before, after in itertools.pairwise(begins))
    total = torch.zeros(length)
    for begin, weights in ramps(begins, length, 64):
        total[begin : begin + 64] += weights
    assert torch.allclose(total, torch.ones(length), atol=1e-6)


@pytest.mark.rule("E109")
def test_work_that_does_not_look_around_is_the_same_in_tiles() -> None:
    source = torch.randn(1, 3, 150, 90)
    made = tiled(source, lambda part: torch.nn.functional.interpolate(part, scale_factor=2.0, mode="nearest"), 64, 8, 2, lambda: None)
    assert torch.allclose(made, torch.nn.functional.interpolate(source, scale_factor=2.0, mode="nearest"), atol=1e-5)
    # And the other way, where tiles begin at whole places of what comes out
    picture = torch.randn(1, 3, 8 * 21, 8 * 13)
    halved = tiled(picture, lambda part: torch.nn.functional.avg_pool2d(part, 8), 64, 8, 1 / 8, lambda: None)
    assert torch.allclose(halved, torch.nn.functional.avg_pool2d(picture, 8), atol=1e-5)


@pytest.mark.rule("E118")
def test_a_cancel_stops_before_the_next_tile(starter: Model) -> None:
    asked = []

    def check() -> None:
        asked.append(True)
        if len(asked) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        decoded(within(starter, InTiles(256, check)), torch.zeros(1, 4, 64, 64))
    assert len(asked) == 2


@pytest.mark.rule("E109")
def test_it_is_automatic_when_the_whole_would_not_fit(workshop: Workshop) -> None:
    workshop.paint()
    model = workshop.loaded.latest
    assert model is not None

    def side(**wishes: str) -> int:
        memory = JobMemory(model.device, Wishes(**wishes), Learned(), KeptTensors(1 << 20), lambda note: None, lambda: None, lambda: None)  # type: ignore[arg-type]
        memory.expect([model], (2048, 2048), 2)
        return memory.tile_px((2048, 2048), is_decoding=True)

    workshop.device.limit_bytes = None
    assert [side(), side(vae_tiling="on"), side(vae_tiling="off")] == [0, TILE_PX, 0]
    workshop.device.limit_bytes = workshop.device.live_bytes + (100 << 20)
    assert [side(), side(vae_tiling="off")] == [TILE_PX, 0]


@pytest.mark.rule("E109")
def test_a_job_can_ask_for_tiles(studio: Studio) -> None:
    whole, parts = studio.one(width=576, height=64, steps=1), studio.one(width=576, height=64, steps=1, vae_tiling="on")
    assert 0 < np.abs(whole.astype(int) - parts).max() < 60
    assert OVERLAP_PX == 64


@pytest.mark.rule("E109", "E110")
@pytest.mark.parametrize("way", ["blocks", "sequential"])
def test_tiles_share_norms_whose_weights_are_on_the_device_only_while_they_work(workshop: Workshop, on_cpu: Callable[..., list[Pixels]], way: str) -> None:
    wide = {"width": 576, "height": 64, "steps": 1, "vae_tiling": "on"}
    assert furthest(workshop.paint(**wide, offload=way), on_cpu(**wide)) <= 1


@pytest.mark.rule("E104", "E109")
def test_a_preview_on_another_thread_neither_teaches_nor_uses_the_shared_norms() -> None:
    norm = torch.nn.GroupNorm(1, 1)
    ours, theirs = torch.linspace(0, 1, 16).view(1, 1, 4, 4), torch.linspace(5, 90, 16).view(1, 1, 4, 4)
    with torch.inference_mode():
        plain = norm(theirs)

    def seen_elsewhere() -> torch.Tensor:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.inference_mode()(norm), theirs).result()

    def learn() -> None:
        norm(ours)
        seen_elsewhere()

    with torch.inference_mode(), common_norms([norm], learn):
        torch.testing.assert_close(norm(ours * 2), (ours * 2 - ours.mean()) / (ours.var(correction=0) + norm.eps).sqrt())
        assert torch.equal(seen_elsewhere(), plain)
