"""Token merging, HyperTile and DeepCache against what they are defined as, and the network bare behind them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from sfumato.engine.attachments import Attachment, Moment
from sfumato.engine.conditioning import Conditioning
from sfumato.engine.denoiser import Row, UNetNetwork
from sfumato.engine.family import Model
from sfumato.engine.patches.deepcache import DeepCache
from sfumato.engine.patches.hypertile import HyperTile, tiled, tiles
from sfumato.engine.patches.token_merging import TokenMerging, merged
from sfumato.engine.workplace import Stage, Workplace
from tests.engine.conftest import Bench, TinyModel
from tests.engine.patches.bare import assert_bare, noise, state_of

SHORTCUTS: dict[str, Callable[[], Attachment]] = {
    "token merging": lambda: TokenMerging(0.5),
    "hypertile": lambda: HyperTile(4),
    "deepcache": lambda: DeepCache(3),
}


def denoised(model: Model, *attachments: Attachment, calls: int = 1, images: int = 1, first: int = 0) -> list[Tensor]:
    """What the network says at each of some calls, (R, 4, 16, 8); images `first`, ..., each with its own x and text."""
    network = UNetNetwork(model, attachments=attachments)
    told = [Conditioning(noise(1, 77, 32, seed=90 + first + image)) for image in range(images)]
    with torch.inference_mode(), network.patched():
        ready = network.prepare([Row(image, text) for image, text in enumerate(told)], images)
        return [
            network(torch.cat([noise(1, 4, 16, 8, seed=10 * call + first + image) for image in range(images)]) * 3, 3.0 - call, ready, Moment(call, calls))
            for call in range(calls)
        ]


@pytest.fixture(scope="module")
def model(tiny_model: TinyModel) -> Model:
    return tiny_model("sd1")[0]


@pytest.mark.rule("E105")
@pytest.mark.rule("E114")
@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_shortcut_changes_the_prediction_and_leaves_nothing(model: Model, name: str) -> None:
    before = state_of(model.unet)
    plain, short = denoised(model, calls=2), denoised(model, SHORTCUTS[name](), calls=2)
    assert_bare(model.unet, before)
    assert not torch.equal(plain[1], short[1])
    torch.testing.assert_close(denoised(model, calls=2), plain, atol=0, rtol=0)


@pytest.mark.rule("E105")
@pytest.mark.parametrize("name", SHORTCUTS)
def test_nothing_is_left_when_the_network_fails(model: Model, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = state_of(model.unet)

    class Failing:
        @contextmanager
        def attached(self, model: Model) -> Any:
            yield

        def prepare(self, rows: object, batch: int) -> None: ...

        def around(self, prepared: object, call: object) -> Any:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        denoised(model, SHORTCUTS[name](), Failing())
    assert_bare(model.unet, before)


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_picture_does_not_depend_on_its_batch(model: Model, name: str) -> None:
    together = denoised(model, SHORTCUTS[name](), calls=2, images=2)
    for image in range(2):
        alone = denoised(model, SHORTCUTS[name](), calls=2, first=image)
        torch.testing.assert_close(together[1][image : image + 1], alone[1], atol=1e-5, rtol=1e-5)


def merged_slowly(hidden: Tensor, stays: list[int], goes: list[int], count: int) -> tuple[Tensor, list[int]]:
    """One row (n, width), token by token: what is left, and for every place where its answer stands."""
    unit = functional.normalize(hidden, dim=-1)
    alike = {place: max((float(unit[place] @ unit[stay]), -number) for number, stay in enumerate(stays)) for place in goes}
    lost = sorted(goes, key=lambda place: -alike[place][0])[:count]
    into = {place: -alike[place][1] for place in lost}
    left = [place for place in sorted(goes, key=lambda place: -alike[place][0]) if place not in lost]
    kept = [torch.stack([hidden[stay], *[hidden[place] for place in lost if into[place] == number]]).mean(0) for number, stay in enumerate(stays)]
    where = {place: len(left) + number for number, place in enumerate(stays)} | {place: number for number, place in enumerate(left)}
    where |= {place: len(left) + into[place] for place in lost}
    return torch.stack([*[hidden[place] for place in left], *kept]), [where[place] for place in range(len(hidden))]


@pytest.mark.rule("E114")
@pytest.mark.parametrize("count", [1, 7, 24])
def test_merging_is_what_it_is_token_by_token(count: int) -> None:
    hidden = noise(3, 32, 6)
    stays, goes = list(range(1, 32, 4)), [place for place in range(32) if place % 4 != 1]
    made, undo = merged(hidden, torch.tensor(stays), torch.tensor(goes), count)
    answers = noise(3, 32 - count, 5, seed=2)
    back = undo(answers)
    for row in range(3):
        expected, where = merged_slowly(hidden[row], stays, goes, count)
        torch.testing.assert_close(made[row], expected)
        torch.testing.assert_close(back[row], answers[row][where])


@pytest.mark.rule("E114")
def test_a_tile_attends_to_itself_only() -> None:
    grid, counts = (8, 12), (2, 3)
    hidden = noise(2, 96, 4)
    parts, undo = tiled(hidden, grid, counts)
    assert parts.shape == (12, 16, 4)
    torch.testing.assert_close(undo(parts), hidden)
    answered = undo(functional.scaled_dot_product_attention(parts, parts, parts)).view(2, 8, 12, 4)
    corner = hidden.view(2, 8, 12, 4)[:, 4:, 8:].reshape(2, 16, 4)
    expected = functional.scaled_dot_product_attention(corner, corner, corner).view(2, 4, 4, 4)
    torch.testing.assert_close(answered[:, 4:, 8:], expected)


@pytest.mark.parametrize(("length", "side", "expected"), [(64, 32, 2), (64, 24, 2), (60, 16, 3), (61, 8, 1), (16, 32, 1), (96, 32, 3)])
def test_tiles_are_equal_and_not_too_small(length: int, side: int, expected: int) -> None:
    assert tiles(length, side) == expected


@pytest.mark.rule("E114")
def test_deepcache_computes_the_shallow_layers_on_older_deep_features(model: Model) -> None:
    kept: list[Tensor] = []
    deepest = model.unet.up_blocks[-2]
    watching = deepest.register_forward_hook(lambda module, args, output: kept.append(output))
    plain = denoised(model, calls=3)
    watching.remove()
    for call, older in ((1, 0), (2, 0)):
        standing = deepest.register_forward_hook(lambda module, args, output, older=older: kept[older])
        expected = denoised(model, calls=3)[call]
        standing.remove()
        assert not torch.equal(expected, plain[call])
        torch.testing.assert_close(denoised(model, DeepCache(3), calls=3)[call], expected, atol=0, rtol=0)


def test_deepcache_evaluates_in_full_when_due_and_outside_its_range(model: Model) -> None:
    deep = 0

    def count(module: object, args: object, output: object) -> None:
        nonlocal deep
        deep += 1

    # inside the middle block, whose own forward is replaced
    watching = model.unet.mid_block.resnets[0].register_forward_hook(count)
    try:
        for settings, expected in (((2,), 4), ((4,), 2), ((2, 0.5), 6), ((2, 0.0, 0.3), 7), ((5, 0.0, 1.0), 2)):
            deep = 0
            denoised(model, DeepCache(*settings), calls=8)
            assert deep == expected, settings
    finally:
        watching.remove()


@pytest.mark.rule("E114")
def test_jobs_take_shortcuts_and_tell_of_them(bench: Bench) -> None:
    size = {"width": 64, "height": 128, "steps": 4}
    plain = bench.run(**size).images[0].infotext
    assert "Token merging" not in plain
    pictures = {bench.pictures[0]}
    for fields, words in (
        ({"token_merging": 0.5}, "Token merging ratio: 0.5"),
        ({"hypertile": 64}, "Hypertile U-Net max tile size: 64"),
        ({"deepcache": 3, "deepcache_end": 0.9}, "DeepCache: 3, DeepCache end: 0.9"),
    ):
        assert words in bench.run(**size, **fields).images[0].infotext
        pictures.add(bench.pictures[0])
    assert len(pictures) == 4


@pytest.mark.rule("E111", "E114")
@pytest.mark.parametrize("failing", [0, 2])
def test_a_full_evaluation_that_begins_anew_uses_nothing_of_the_half_before(model: Model, failing: int) -> None:
    # Given memory that runs out once, in the middle of a call that computes all features
    class TryingAgain(Workplace):
        def attempt(self, stage: Stage, act: Callable[[], Any], rows: int = 0, batch: int = 1) -> Any:
            try:
                return act()
            except MemoryError:
                return act()

    evaluations = iter(range(100))

    def run_out(*_: object) -> None:
        if next(evaluations) == failing:
            raise MemoryError

    expected = denoised(model, DeepCache(2), calls=4)
    handle = model.unet.up_blocks[0].register_forward_pre_hook(run_out)
    try:
        made = denoised(replace(model, workplace=TryingAgain()), DeepCache(2), calls=4)
    finally:
        handle.remove()
    torch.testing.assert_close(made, expected, atol=0, rtol=0)
