"""Painting over a picture: how far, from which noise, at which size, alone and in batches."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine.encoding import encode_picture
from sfumato.engine.inputs.resizing import RESIZE_MODES
from sfumato.engine.memory import Loaded
from tests.support.painting import encoded
from tests.support.studio import Studio, gradient
from tests.support.tiny_models import Kind

KINDS: tuple[Kind, ...] = ("sd1", "sd2", "sdxl")
PICTURE = gradient()


def distance(picture: np.ndarray, other: np.ndarray | Image.Image) -> float:
    return float(np.abs(picture.astype(float) - np.asarray(other).astype(float)).mean())


def calls(studio: Studio) -> int:
    return max(said.done for said in studio.recording.progress_made if said.stage == "denoise")


@pytest.mark.rule("E60", "E20")
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_painted_over_by_every_family(studio: Studio, kind: Kind) -> None:
    model = studio.model(kind)
    painted = studio.one(PICTURE, model=model, strength=0.5)
    assert painted.shape == (64, 64, 3)
    assert distance(painted, studio.one(model=model)) > 0
    assert distance(painted, studio.one(gradient(phase=90), model=model, strength=0.5)) > 0


@pytest.mark.rule("E60")
@pytest.mark.parametrize(
    ("strength", "exact", "expected"), [(0.5, False, 11), (1.0, False, 20), (0.1, False, 3), (0.01, False, 1), (0.5, True, 20), (0.1, True, 20)]
)
def test_strength_decides_how_many_steps_are_run(studio: Studio, strength: float, exact: bool, expected: int) -> None:
    studio.one(PICTURE, steps=20, strength=strength, exact_steps=exact)
    assert calls(studio) == expected
    totals = {said.total for said in studio.recording.progress_made if said.stage == "denoise"}
    assert totals == {expected}


@pytest.mark.rule("E60", "R32")
def test_strength_zero_only_resizes(studio: Studio) -> None:
    wide = gradient(96, 64)
    for mode, function in RESIZE_MODES.items():
        expected = np.asarray(function(wide, (64, 64), lambda image, size: image.resize(size, Image.Resampling.LANCZOS)))
        assert np.array_equal(studio.one(wide, strength=0, resize_mode=mode), expected)
    # and nothing was denoised or decoded
    assert "denoise" not in studio.recording.stages()
    assert "decode" not in studio.recording.stages()
    assert np.array_equal(studio.one(PICTURE, strength=0), np.asarray(PICTURE))


@pytest.mark.rule("E60")
def test_a_stronger_pass_moves_farther_from_the_picture(studio: Studio) -> None:
    """The latent that sampling starts from, by the same formula for each strength."""
    from sfumato.engine.passes import Pass
    from sfumato.engine.sampling import begin

    seen: list[tuple[float, float]] = []
    for strength in (0.2, 0.4, 0.6, 0.8, 1.0):
        plan = first_pass(studio, strength=strength)
        assert isinstance(plan, Pass)
        latent, noise = torch.full((1, 4, 8, 8), 2.0), torch.ones(1, 4, 8, 8)
        x = begin(plan, noise, latent)
        assert torch.allclose(x, latent + plan.steps.sigmas[0] * noise)
        seen.append((strength, plan.steps.sigmas[0]))
    assert [sigma for _, sigma in seen] == sorted(sigma for _, sigma in seen)


def first_pass(studio: Studio, **fields):
    """The first pass that a request with a picture comes to."""
    from sfumato.engine.draft import draft_of
    from sfumato.engine.originals import Originals
    from sfumato.engine.plan import Models, plan_of
    from sfumato.engine.texts import JobTexts
    from sfumato.prompts import EmptyLibrary
    from sfumato.protocol.requests.generate import Generate

    studio.one()
    model = studio.kept.get(Loaded).latest
    assert model is not None
    request = Generate(**{"image": "image", "steps": 20, "sampler": "Euler", **fields})
    blobs = {"image": encoded(PICTURE)}
    draft = draft_of(request, blobs, JobTexts(request, EmptyLibrary()))
    return plan_of(request, draft, Models(model, model), Originals(request, blobs)).first[0]


@pytest.mark.rule("E60", "E48")
def test_the_noise_that_is_added_can_be_scaled_and_given_twice(studio: Studio) -> None:
    from sfumato.engine.sampling import begin

    latent, noise = torch.full((1, 4, 8, 8), 2.0), torch.ones(1, 4, 8, 8)
    plan = first_pass(studio, strength=0.5, noise_multiplier=0.8, extra_noise=0.1)
    assert torch.allclose(begin(plan, noise, latent), latent + 0.8 * (plan.steps.sigmas[0] + 0.1) * noise)
    # DDIM adds noise one grid point higher than it begins, and reads both in its own coordinates
    plan = first_pass(studio, strength=0.5, sampler="DDIM", extra_noise=0.1)
    first = plan.steps.sigmas[0]
    own = begin(plan, noise, latent) / (1 + first**2) ** 0.5
    level = plan.steps.noise_sigma / plan.steps.picture_scale
    alpha = 1 / (1 + level**2)
    assert torch.allclose(own, alpha**0.5 * (latent + 0.1 * noise) + (1 - alpha) ** 0.5 * noise)
    assert level > first
    # and both change the picture
    plain = studio.one(PICTURE, strength=0.5)
    assert distance(studio.one(PICTURE, strength=0.5, noise_multiplier=0.8), plain) > 0
    assert distance(studio.one(PICTURE, strength=0.5, extra_noise=0.3), plain) > 0


@pytest.mark.rule("R32")
def test_unset_strength_is_half_and_outpainting_goes_further(studio: Studio) -> None:
    assert np.array_equal(studio.one(PICTURE), studio.one(PICTURE, strength=0.5))
    studio.one(PICTURE, steps=10, outpaint_left=8)
    assert calls(studio) == 9
    studio.one(PICTURE, steps=10, outpaint_left=8, strength=0.3)
    assert calls(studio) == 4


@pytest.mark.rule("E62")
def test_resize_modes_make_different_pictures_of_the_wanted_size(studio: Studio) -> None:
    wide = gradient(120, 72)
    pictures = {mode: studio.one(wide, resize_mode=mode, width=64, height=72) for mode in ("stretch", "crop", "fill", "latent")}
    assert all(picture.shape == (72, 64, 3) for picture in pictures.values())
    assert len({picture.tobytes() for picture in pictures.values()}) == 4
    filters = {name: studio.one(wide, resize_filter=name).tobytes() for name in ("Nearest", "Box", "Bilinear", "Bicubic", "Lanczos")}
    assert len(set(filters.values())) == 5


@pytest.mark.rule("E61")
def test_the_orientation_is_applied_and_what_is_transparent_shows_the_background(studio: Studio) -> None:
    turned = PICTURE.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    held = io.BytesIO()
    turned.save(held, "PNG", exif=exif)
    assert np.array_equal(_sent(studio, held.getvalue()), np.asarray(PICTURE))
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    assert (_sent(studio, encoded(clear)) == 255).all()
    assert (_sent(studio, encoded(clear), background="#102030") == (16, 32, 48)).all()


def _sent(studio: Studio, data: bytes, **fields) -> np.ndarray:
    return studio.paint(blobs={"image": data}, strength=0, **fields)[0]


@pytest.mark.rule("E61")
def test_encoding_takes_the_mean_or_draws_by_a_generator_of_its_own(studio: Studio) -> None:
    studio.one()
    model = studio.kept.get(Loaded).latest
    assert model is not None
    mean = encode_picture(model, PICTURE)
    drawn = [encode_picture(model, PICTURE, seed) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    pixels = torch.from_numpy(np.array(PICTURE)).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        found = model.vae.encode(pixels, return_dict=False)[0]
    assert torch.equal(mean, found.mode() * model.latent.scale)
    # The draw is unit noise that has nothing to do with the noise of the same seed
    unit = ((drawn[0] - mean) / (found.std * model.latent.scale)).flatten()
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)).flatten()
    assert abs(float(unit.std()) - 1) < 0.15
    assert abs(float(torch.corrcoef(torch.stack([unit, noise]))[0, 1])) < 0.2
    assert distance(studio.one(PICTURE, encode_sample=True), studio.one(PICTURE)) > 0


MODES = {
    "img2img": {"strength": 0.6},
    "sampled": {"encode_sample": True},
    "ancestral": {"sampler": "Euler a"},
    "ddim": {"sampler": "DDIM"},
    "sde": {"sampler": "DPM++ SDE"},
    "variation": {"variation_strength": 0.3, "variation_seed": 5},
    "highres": {"hr_scale": 1.5, "steps": 2},
    "latent highres": {"hr_scale": 1.5, "hr_upscaler": "Latent", "steps": 2},
    "loops": {"loops": 2, "loop_caption": "blue"},
    "inverted": {"alternative": True, "alternative_steps": 3, "alternative_randomness": 0.2},
    "masked": {"mask_fill": "noise"},
    "only masked": {"mask_padding": 4},
    "soft": {"mask_mode": "soft"},
    "outpainted": {"outpaint_left": 8, "outpaint_fill": "noise"},
    "refined": {"refiner": "tiny-sd1", "refiner_switch_at": 0.4},
}


@pytest.mark.rule("E34", "E33", "E117", "E71")
@pytest.mark.parametrize("mode", MODES)
def test_image_k_of_a_batch_is_the_single_image_of_seed_plus_k_in_every_mode(studio: Studio, mode: str) -> None:
    fields = {"batch_size": 2, **MODES[mode]}
    mask = _MASK if any(name.startswith("mask") for name in fields) else None
    batch = studio.paint(PICTURE, mask, seed=20, **fields)
    assert len(batch) == 2
    assert distance(batch[0], batch[1]) > 0
    step = "variation_seed" if mode == "variation" else "seed"
    for number in range(2):
        counted = {step: {"seed": 20, **fields}[step] + number}
        single = studio.paint(PICTURE, mask, **{"seed": 20, **fields, "batch_size": 1, **counted})[0]
        assert int(np.abs(single.astype(int) - batch[number].astype(int)).max()) <= 1


@pytest.mark.rule("E62")
@pytest.mark.parametrize("fields", [{"resize_mode": "latent"}, {"resize_mode": "latent", "mask": "mask"}, {"hr_only": True, "hr_scale": 1.5}], ids=repr)
def test_a_picture_smaller_than_a_latents_place_is_painted_over(studio: Studio, fields: dict[str, object]) -> None:
    spot = gradient(3, 1)
    painted = studio.paint(spot, blobs={"mask": encoded(Image.new("L", spot.size, 255))} if "mask" in fields else None, **fields)
    assert painted[0].shape[:2] == ((8, 8) if "hr_only" in fields else (64, 64))


@pytest.mark.rule("E34")
def test_a_picture_whose_sampler_chooses_its_steps_knows_nothing_of_its_neighbours(studio: Studio) -> None:
    fields = {"sampler": "DPM adaptive", "guidance": 1.0, "strength": 0.2}
    batch = studio.paint(PICTURE, batch_size=2, seed=20, **fields)
    assert np.array_equal(batch[1], studio.one(PICTURE, seed=21, **fields))


_MASK = Image.new("L", (64, 64))
_MASK.paste(255, (16, 16, 48, 40))


@pytest.mark.rule("E70")
def test_colour_correction_gives_the_result_the_colours_of_the_input(studio: Studio) -> None:
    plain = studio.one(PICTURE, strength=0.7)
    corrected = studio.one(PICTURE, strength=0.7, color_correction=True)

    def spread(picture: np.ndarray) -> np.ndarray:
        return np.array([picture.mean((0, 1)), picture.std((0, 1))])

    wanted = spread(np.asarray(PICTURE))
    assert np.abs(spread(corrected) - wanted).mean() < 0.5 * np.abs(spread(plain) - wanted).mean()


@pytest.mark.rule("E25", "E68")
@pytest.mark.parametrize("kind", KINDS[:1])
def test_a_model_that_changes_pictures_sees_the_picture(studio: Studio, kind: Kind) -> None:
    model = studio.model(kind, 8)
    painted = [studio.one(gradient(phase=phase), model=model, strength=1.0) for phase in (0, 0, 128)]
    assert np.array_equal(painted[0], painted[1])
    assert distance(painted[0], painted[2]) > 0.5


@pytest.mark.rule("E52", "E59")
@pytest.mark.parametrize(
    "acting", [{"skip_early": 0.5}, {"cfg_end": 0.5}, {"refiner_switch_at": 0.5, "refiner_by_steps": True}], ids=lambda acting: next(iter(acting))
)
def test_shares_of_the_way_are_shares_of_the_calls_that_are_run(studio: Studio, acting: dict[str, object]) -> None:
    # Given a picture from which the last 4 of 10 steps are run
    fields = {"steps": 10, "strength": 0.3, "guidance": 12.0, "model": studio.model("sdxl" if "refiner_switch_at" in acting else "sd1")}
    if "refiner_switch_at" in acting:
        acting = {**acting, "refiner": studio.model("refiner")}
    # When something changes halfway, then it changes halfway through these four, neither behind them nor before
    changed = studio.one(PICTURE, **fields, **acting)
    assert distance(changed, studio.one(PICTURE, **fields)) > 0
    assert distance(changed, studio.one(PICTURE, **{**fields, "guidance": 1.0})) > 0


@pytest.mark.rule("E40", "E60")
def test_brownian_paths_lie_over_the_whole_schedule_of_a_picture(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from sfumato.engine.noise import NoiseSource

    covered: list[tuple[float, ...]] = []
    original = NoiseSource.cover

    def spy(self: NoiseSource, sigmas: tuple[float, ...]) -> None:
        covered.append(sigmas)
        original(self, sigmas)

    monkeypatch.setattr(NoiseSource, "cover", spy)
    studio.one(steps=6, sampler="DPM++ 2M SDE")
    studio.one(PICTURE, steps=6, sampler="DPM++ 2M SDE", strength=0.4)
    assert covered[1] == covered[0]
