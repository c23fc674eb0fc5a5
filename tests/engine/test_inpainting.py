"""Repainting under a mask, and beyond the edges of a picture: what changes, what stays to the byte, and in the right place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine.beside import beside
from sfumato.engine.blending import Blended, Differential, Hard, Soft
from sfumato.engine.inputs.masks import latent_mask
from sfumato.engine.memory import Loaded
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.originals import Originals
from sfumato.protocol.requests.generate import Generate
from tests.support.painting import encoded
from tests.support.studio import Studio, box_mask, gradient
from tests.support.tiny_models import INPAINTING, Kind

KINDS: tuple[Kind, ...] = ("sd1", "sd2", "sdxl")
PICTURE = gradient()
BOX = (16, 16, 48, 40)
MASK = box_mask(BOX)
# The blur of sigma 4 reaches 10 pixels.
REACH = 10


def changed(painted: np.ndarray, picture: Image.Image = PICTURE) -> np.ndarray:
    """(H, W): whether a pixel is another one."""
    return (painted != np.asarray(picture)).any(axis=2)


def inside(box: tuple[int, int, int, int], width: int = 64, height: int = 64, reach: int = REACH) -> np.ndarray:
    left, top, right, bottom = box
    field = np.zeros((height, width), bool)
    field[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach] = True
    return field


@pytest.mark.rule("E66", "E63")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sampler", ["Euler", "DDIM", "Euler a CFG++"])
def test_outside_the_mask_every_byte_is_the_input(studio: Studio, kind: Kind, sampler: str) -> None:
    painted = studio.one(PICTURE, MASK, model=studio.model(kind), sampler=sampler, strength=0.9)
    assert not changed(painted)[~inside(BOX)].any()
    core = changed(painted)[20:36, 20:44]
    assert core.mean() > 0.95


@pytest.mark.rule("E64", "E66")
@pytest.mark.parametrize("kind", KINDS)
def test_only_the_masked_part_is_painted_and_pasted(studio: Studio, kind: Kind) -> None:
    # Given a picture far larger than the working size
    large = gradient(200, 160)
    box = (120, 40, 150, 70)
    painted = studio.one(large, box_mask(box, 200, 160), model=studio.model(kind), mask_padding=16, strength=0.9)
    assert painted.shape == (160, 200, 3)
    outside = ~inside(box, 200, 160)
    assert not changed(painted, large)[outside].any()
    assert changed(painted, large)[45:65, 125:145].mean() > 0.95
    # and strength 0 changes nothing at all
    assert not changed(studio.one(large, box_mask(box, 200, 160), mask_padding=16, strength=0), large).any()


@pytest.mark.rule("R36")
@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        (128, 384, (8, 300, 60, 376)),
        pytest.param(256, 768, (8, 600, 120, 760), marks=pytest.mark.slow),
        pytest.param(1024, 640, (800, 8, 1016, 200), marks=pytest.mark.slow),
    ],
)
def test_R36_masks_act_at_the_right_place_whatever_the_shape(studio: Studio, width: int, height: int, box: tuple[int, int, int, int]) -> None:
    large = gradient(width, height)
    painted = studio.one(large, box_mask(box, width, height), width=width, height=height, steps=1, strength=0.9, model=studio.model("sdxl"))
    different = changed(painted, large)
    assert painted.shape == (height, width, 3)
    assert not different[~inside(box, width, height)].any()
    left, top, right, bottom = box
    assert different[top + 4 : bottom - 4, left + 4 : right - 4].mean() > 0.95


@pytest.mark.rule("E65")
def test_masked_places_start_from_what_is_asked_for(studio: Studio) -> None:
    pictures = {fill: studio.one(PICTURE, MASK, mask_fill=fill, strength=0.6) for fill in ("original", "fill", "noise", "nothing")}
    assert len({picture.tobytes() for picture in pictures.values()}) == 4
    assert all(not changed(picture)[~inside(BOX)].any() for picture in pictures.values())
    # Neither noise nor nothing knows what was there before
    other = Image.composite(gradient(phase=77), PICTURE, box_mask((30, 26, 34, 30)))
    for fill in ("noise", "nothing"):
        again = studio.one(other, MASK, mask_fill=fill, strength=0.6)
        assert np.abs(again[22:34, 24:40].astype(int) - pictures[fill][22:34, 24:40].astype(int)).mean() < 4


@pytest.mark.rule("E65", "E69")
def test_latent_noise_and_nothing_are_laid_where_the_mask_is_open(studio: Studio) -> None:
    from sfumato.engine.batch import Batch, Scene
    from sfumato.engine.draft import draft_of
    from sfumato.engine.plan import Models, plan_of
    from sfumato.engine.texts import JobTexts
    from sfumato.prompts import EmptyLibrary

    studio.one()
    model = studio.kept.get(Loaded).latest
    assert model is not None
    blobs = {"image": encoded(PICTURE), "mask": encoded(MASK)}
    for fill in ("noise", "nothing"):
        request = Generate(image="image", mask="mask", mask_fill=fill, seed=9)
        originals = Originals(request, blobs)
        plan = plan_of(request, draft_of(request, blobs, JobTexts(request, EmptyLibrary())), Models(model, model), originals)
        batch = Batch(Scene(request, plan, Models(model, model), originals, None, None), plan.batches[0], 0)  # type: ignore[arg-type]  neither is asked
        batch._starts = [originals.start((64, 64))]
        latent = torch.full((1, 4, 8, 8), 3.0)
        found = batch._filled(plan.first[0], latent)
        mask = torch.from_numpy(latent_mask(batch._starts[0].work.mask, (8, 8)))
        drawn = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(9)) if fill == "noise" else torch.zeros(4, 8, 8)
        assert torch.equal(found[0], torch.where(mask > 0, drawn, latent[0]))
        assert 0 < mask.mean() < 1


@pytest.mark.rule("E63")
def test_masks_are_inverted_grown_and_blurred(studio: Studio) -> None:
    inverted = changed(studio.one(PICTURE, MASK, mask_invert=True, strength=0.9))
    assert not inverted[30, 30]
    assert inverted[:4].mean() > 0.9
    grown = changed(studio.one(PICTURE, MASK, mask_expand=6, mask_blur=0, strength=0.9))
    assert np.array_equal(grown | inside(BOX, reach=6), inside(BOX, reach=6))
    assert grown[12:44, 12:52].mean() > 0.95
    hard = changed(studio.one(PICTURE, MASK, mask_blur=0, strength=0.9))
    assert not hard[~inside(BOX, reach=0)].any()


@pytest.mark.rule("E64", "E119")
def test_an_empty_mask_is_no_mask_and_says_so(studio: Studio) -> None:
    plain = studio.one(PICTURE)
    for padding in (None, 8):
        assert np.array_equal(studio.one(PICTURE, box_mask((0, 0, 0, 0)), mask_padding=padding), plain)
        assert [(warning.code, warning.path) for warning in studio.result.warnings] == [("empty_mask", "mask")]


@pytest.mark.rule("E66")
def test_the_original_holds_outside_the_mask_at_every_call() -> None:
    """With any denoiser, what the sampler sees is the original outside; samplers that want it blend what goes in."""
    original, mask = torch.full((1, 4, 2, 2), 5.0), torch.tensor([[[[1.0, 0.0], [0.5, 1.0]]]])
    seen: list[torch.Tensor] = []

    class Spy:
        def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
            seen.append(x)
            return torch.full_like(x, 1.0)

        def pair(self, x: torch.Tensor, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
            return self(x, sigma), torch.full_like(x, -1.0)

    x = torch.full((1, 4, 2, 2), 9.0)
    after = Blended(Spy(), Hard(original, mask))
    expected = torch.tensor([[1.0, 5.0], [3.0, 1.0]])
    assert torch.equal(after(x, 2.0)[0, 0], expected)
    assert torch.equal(seen[-1], x)
    denoised, negative = after.pair(x, 2.0)
    assert torch.equal(denoised[0, 0], expected)
    assert torch.equal(negative[0, 0], torch.tensor([[-1.0, 5.0], [2.0, -1.0]]))
    before = Blended(Spy(), Hard(original, mask, is_before=True))
    assert torch.equal(before(x, 0.75), torch.ones_like(x))
    assert torch.equal(seen[-1][0, 0], torch.tensor([[9.0, 6.25], [7.625, 9.0]]))  # 5 sqrt(1 + 0.75^2) = 6.25
    assert torch.equal(Hard(original, mask).final(x)[0, 0], torch.tensor([[9.0, 5.0], [7.0, 9.0]]))


@pytest.mark.rule("E67")
def test_soft_masks_open_as_the_noise_falls_and_keep_lengths() -> None:
    generator = torch.Generator().manual_seed(0)
    original, painted = (torch.randn(1, 4, 3, 3, generator=generator) for _ in range(2))
    mask = torch.full((1, 1, 3, 3), 0.5)
    blend = Soft(original, mask)
    near = [float((blend.after(painted, sigma) - painted).norm()) for sigma in (10.0, 3.0, 1.0, 0.1, 0.0)]
    assert near == sorted(near, reverse=True)
    assert near[-1] < 1e-4  # at the end the picture decides
    closed = Soft(original, torch.zeros_like(mask)).after(painted, 1.0)
    assert torch.allclose(closed, original, atol=1e-4)
    # |x|^4 = (1 - m)|a|^4 + m|b|^4 with m = 0.5^(1 * 0.5)
    share = 0.5**0.5
    wanted = ((1 - share) * original.norm(dim=1) ** 4 + share * painted.norm(dim=1) ** 4) ** 0.25
    assert torch.allclose(blend.after(painted, 1.0).norm(dim=1), wanted, rtol=1e-4)


@pytest.mark.rule("E67")
def test_grey_places_of_a_differential_mask_join_in_later() -> None:
    table = NoiseTable()
    times = np.array([900.0, 700.0, 500.0, 300.0, 100.0])
    sigmas = (*(float(sigma) for sigma in table.sigma(times)), 0.0)
    mask = torch.tensor([[[[1.0, 0.7, 0.3, 0.0]]]])
    blend = Differential(torch.zeros(1, 4, 1, 4), mask, table, sigmas)
    opened = [blend.after(torch.ones(1, 4, 1, 4), sigma)[0, 0, 0].tolist() for sigma in sigmas[:-1]]
    # thresholds 1, 0.75, 0.5, 0.25, 0; black is never painted
    assert opened == [[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0]]
    assert blend.final(torch.ones(1, 4, 1, 4))[0, 0, 0].tolist() == [1, 1, 1, 0]


@pytest.mark.rule("E67")
def test_the_three_modes_differ_and_keep_what_is_black(studio: Studio) -> None:
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1)))
    ramp.paste(0, (0, 0, 16, 64))
    pictures = {mode: studio.one(PICTURE, ramp, mask_mode=mode, mask_blur=0, strength=0.9, steps=6) for mode in ("hard", "soft", "differential")}
    assert len({picture.tobytes() for picture in pictures.values()}) == 3
    assert all(not changed(picture)[:, :16].any() for picture in pictures.values())
    assert all(changed(picture)[:, 56:].mean() > 0.9 for picture in pictures.values())
    far = {mode: np.abs(picture.astype(int) - np.asarray(PICTURE).astype(int)).mean(axis=(0, 2)) for mode, picture in pictures.items()}
    # Dark grey is changed less than white where grey is strength, not a border
    assert far["differential"][18:30].mean() < far["differential"][50:].mean()


@pytest.mark.rule("E67")
@pytest.mark.parametrize(
    "setting", [{"soft_power": 3.0}, {"soft_scale": 2.0}, {"soft_contrast": 1.0}, {"soft_influence": 0.8}, {"soft_threshold": 3.0}, {"soft_difference": 6.0}]
)
def test_every_setting_of_soft_masks_acts(studio: Studio, setting: dict[str, float]) -> None:
    fields = {"mask_mode": "soft", "strength": 0.9, "mask_blur": 8}
    assert not np.array_equal(studio.one(PICTURE, MASK, **fields, **setting), studio.one(PICTURE, MASK, **fields))


@pytest.mark.rule("E68")
@pytest.mark.parametrize("kind", KINDS)
def test_inpainting_models_see_mask_and_masked_picture(studio: Studio, kind: Kind) -> None:
    name = studio.model(kind, INPAINTING)
    painted = studio.one(PICTURE, MASK, model=name, strength=0.9)
    assert not changed(painted)[~inside(BOX)].any()
    model = studio.kept.get(Loaded).latest
    assert model is not None
    request = Generate(image="image", mask="mask")
    start = Originals(request, {"image": encoded(PICTURE), "mask": encoded(MASK)}).start((64, 64))
    extra = beside(model, start, (64, 64), request)
    assert extra is not None
    assert extra.shape == (1, 5, 8, 8)
    # The mask is 1 where the rounded mask is white; under it the picture is grey, so what was there cannot matter
    assert torch.equal(extra[0, 0], torch.from_numpy(np.asarray(start.work.mask)[::8, ::8] > 128).float())
    other = Image.composite(gradient(phase=99), PICTURE, box_mask((24, 24, 32, 32)))
    second = Originals(request, {"image": encoded(other), "mask": encoded(MASK)}).start((64, 64))
    assert torch.equal(beside(model, second, (64, 64), request), extra)
    # With weight 0 all of it is seen
    seen = [beside(model, each, (64, 64), request.model_copy(update={"mask_weight": 0.0})) for each in (start, second)]
    assert not torch.equal(seen[0], seen[1])
    # Without a picture: mask 1 everywhere, and the latent of grey
    blank = beside(model, None, (64, 64), request)
    with torch.inference_mode():
        grey = model.vae.encode(torch.zeros(1, 3, 64, 64), return_dict=False)[0].mode() * model.latent.scale
    assert torch.equal(blank, torch.cat([torch.ones(1, 1, 8, 8), grey], dim=1))
    assert studio.one(model=name).shape == (64, 64, 3)


@pytest.mark.rule("E69", "E73")
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_continued_beyond_its_edges(studio: Studio, kind: Kind) -> None:
    painted = studio.one(PICTURE, model=studio.model(kind), outpaint_left=24, outpaint_bottom=8, outpaint_overlap=8)
    assert painted.shape == (72, 88, 3)
    assert np.array_equal(painted[:56, 32:], np.asarray(PICTURE)[:56, 8:])
    fills = {fill: studio.one(PICTURE, model=studio.model(kind), outpaint_right=16, outpaint_fill=fill) for fill in ("edges", "texture", "noise")}
    assert len({picture.tobytes() for picture in fills.values()}) == 3


@pytest.mark.rule("E69", "E7")
def test_the_size_of_an_outpainted_picture_is_its_own_unless_asked_for(studio: Studio) -> None:
    wide = gradient(100, 60)
    assert studio.one(wide, outpaint_right=10).shape == (64, 112, 3)
    painted = studio.one(wide, outpaint_right=16, width=64, height=64)
    assert painted.shape == (64, 80, 3)


@pytest.mark.rule("E66", "E75")
@pytest.mark.parametrize("fields", [{}, {"hr_upscaler": "Latent"}, {"hr_width": 96, "hr_height": 128, "hr_scale": 1.0}])
def test_masks_hold_in_the_highres_pass(studio: Studio, fields: dict[str, object]) -> None:
    painted = studio.one(PICTURE, MASK, strength=0.9, **{"hr_scale": 2.0, **fields})
    size = (painted.shape[1], painted.shape[0])
    assert size == ((96, 128) if "hr_width" in fields else (128, 128))
    expected = np.asarray(PICTURE.resize((128, 128), Image.Resampling.LANCZOS))
    if "hr_width" in fields:
        expected = expected[:, 16:112]
    shift = 16 if "hr_width" in fields else 0
    box = (BOX[0] * 2 - shift, BOX[1] * 2, BOX[2] * 2 - shift, BOX[3] * 2)
    outside = ~inside(box, *size, reach=2 * REACH + 4)
    assert np.array_equal(painted[outside], expected[outside])
    assert (painted != expected).any(axis=2)[40:72, 48 - shift : 80 - shift].mean() > 0.9


@pytest.mark.rule("E64", "E75")
def test_only_the_masked_part_goes_through_the_highres_pass(studio: Studio) -> None:
    large = gradient(200, 160)
    box = (120, 40, 150, 70)
    plain = studio.one(large, box_mask(box, 200, 160), mask_padding=16, strength=0.9)
    painted = studio.one(large, box_mask(box, 200, 160), mask_padding=16, strength=0.9, hr_scale=1.5)
    assert painted.shape == (160, 200, 3)
    assert not changed(painted, large)[~inside(box, 200, 160)].any()
    assert not np.array_equal(painted, plain)
