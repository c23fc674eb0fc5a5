"""The highres pass: how large, from what, by which sampler, text and model; and the same alone as behind a first pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sfumato.engine.memory import Loaded
from sfumato.engine.upscaling import UPSCALERS, enlargement, find_upscaler
from sfumato.protocol.errors import Invalid, ModelIncompatible
from tests.support.studio import Studio, gradient
from tests.support.tiny_models import Kind, tiny_modules, write_component

KINDS: tuple[Kind, ...] = ("sd1", "sd2", "sdxl")


def calls(studio: Studio) -> int:
    return max(said.done for said in studio.recording.progress_made if said.stage == "denoise")


@pytest.mark.rule("E74")
def test_sizes_of_the_highres_pass() -> None:
    def sizes(*asked: float) -> tuple[tuple[int, int], tuple[int, int]] | None:
        found = enlargement((512, 768), asked[0], int(asked[1]), int(asked[2]), 8)
        return (found.cover, found.size) if found else None

    assert sizes(1, 0, 0) is None
    assert sizes(2, 0, 0) == ((1024, 1536), (1024, 1536))
    assert sizes(1.3, 0, 0) == ((664, 992), (664, 992))  # 665.6, 998.4: whole latents
    assert sizes(1, 1024, 0) == ((1024, 1536), (1024, 1536))
    assert sizes(1, 0, 1152) == ((768, 1152), (768, 1152))
    assert sizes(1, 1024, 1024) == ((1024, 1536), (1024, 1024))
    assert sizes(1, 512, 1024) == ((680, 1024), (512, 1024))
    # What is over is left out: half of it, rounded down, on the left and above, the rest on the other sides
    found = enlargement((64, 64), 1, 96, 120, 8)
    assert found is not None
    latents = torch.arange(15 * 15, dtype=torch.float32).view(1, 1, 15, 15)
    assert torch.equal(found.cut(latents, 8), latents[..., :, 1:13])


@pytest.mark.rule("E75", "E77", "E20")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("upscaler", ["Lanczos", "Latent"])
def test_every_family_is_painted_larger(studio: Studio, kind: Kind, upscaler: str) -> None:
    painted = studio.one(model=studio.model(kind), hr_scale=1.5, hr_upscaler=upscaler, width=72, height=64)
    assert painted.shape == (96, 104, 3)
    assert calls(studio) == 6
    assert ("upscale" in studio.recording.stages()) is True


@pytest.mark.rule("E75", "E77")
def test_every_upscaler_gives_its_own_picture(studio: Studio) -> None:
    pictures = {name: studio.one(hr_scale=1.5, hr_strength=0, hr_upscaler=name, steps=2) for name in UPSCALERS}
    assert {picture.shape for picture in pictures.values()} == {(96, 96, 3)}
    # Antialiasing acts only where something is made smaller
    alike = {"Latent (antialiased)", "Latent (bicubic antialiased)"}
    assert len({picture.tobytes() for name, picture in pictures.items() if name not in alike}) == len(UPSCALERS) - 2
    plain = studio.one(steps=2)
    assert np.array_equal(pictures["Lanczos"], np.asarray(Image.fromarray(plain).resize((96, 96), Image.Resampling.LANCZOS)))
    assert find_upscaler(" latent (NEAREST) ") is UPSCALERS["Latent (nearest)"]
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for smooth, plainly in (("Latent (antialiased)", "Latent"), ("Latent (bicubic antialiased)", "Latent (bicubic)")):
        assert not torch.equal(UPSCALERS[smooth].latents(latents, (4, 4)), UPSCALERS[plainly].latents(latents, (4, 4)))


@pytest.mark.rule("E76")
@pytest.mark.parametrize("upscaler", ["Lanczos", "Nearest"])
def test_highres_alone_equals_the_full_job(studio: Studio, upscaler: str) -> None:
    fields = {"hr_scale": 1.5, "hr_upscaler": upscaler, "sampler": "Euler a", "hr_prompt": "[a circle:a blue square:1.5]", "seed": 7}
    full = studio.one(**fields)
    first = Image.fromarray(studio.one(sampler="Euler a", seed=7))
    alone = studio.one(first, **fields, hr_only=True)
    assert np.array_equal(alone, full)
    # A picture of another size is resized to the first pass's, if one is asked for
    assert studio.one(gradient(80, 80), **fields, hr_only=True).shape == (120, 120, 3)
    assert studio.one(gradient(80, 80), **fields, hr_only=True, width=64, height=64).shape == (96, 96, 3)


@pytest.mark.rule("E76")
def test_highres_alone_with_a_latent_upscaler_is_near_the_full_job(studio: Studio) -> None:
    fields = {"hr_scale": 1.5, "hr_upscaler": "Latent", "hr_strength": 0.5}
    first = Image.fromarray(studio.one())
    other = gradient()
    full, alone, foreign = studio.one(**fields), studio.one(first, **fields, hr_only=True), studio.one(other, **fields, hr_only=True)
    assert alone.shape == full.shape
    assert not np.array_equal(alone, foreign)


@pytest.mark.rule("E75", "E60")
def test_exactly_the_steps_that_are_asked_for_are_run(studio: Studio) -> None:
    for hr_steps, strength, expected in ((0, 0.7, 3 + 3), (7, 0.3, 3 + 7), (5, 1.0, 3 + 5), (4, 0.0, 3)):
        studio.one(hr_scale=1.5, hr_steps=hr_steps, hr_strength=strength)
        assert calls(studio) == expected
        assert {said.total for said in studio.recording.progress_made if said.stage == "denoise"} == {expected}


@pytest.mark.rule("E75")
def test_the_highres_pass_has_methods_texts_and_guidance_of_its_own(studio: Studio) -> None:
    jobs = {
        "plain": {},
        "sampler": {"hr_sampler": "DPM++ 2M"},
        "schedule": {"hr_schedule": "exponential"},
        "both": {"hr_sampler": "Heun", "hr_schedule": "karras"},
        "guidance": {"hr_guidance": 1.0},
        "prompt": {"hr_prompt": "a green square"},
        "negative": {"hr_negative": "blur"},
        "strength": {"hr_strength": 0.4},
        "steps": {"hr_steps": 5},
        "noise": {"extra_noise": 0.3},
    }
    pictures = {name: studio.one(hr_scale=1.25, **fields).tobytes() for name, fields in jobs.items()}
    assert len(set(pictures.values())) == len(jobs)
    # the same as the first pass where that is what is asked for
    assert (
        studio.one(hr_scale=1.25, hr_sampler="same", hr_schedule="same", hr_guidance=7.0, hr_prompt="a red circle", hr_steps=3).tobytes() == pictures["plain"]
    )
    assert studio.one(hr_scale=1.25, hr_sampler="k_euler", hr_schedule="uniform").tobytes() == pictures["plain"]


@pytest.mark.rule("E39", "E75")
def test_the_highres_pass_draws_new_noise_from_the_same_seeds_at_its_size(studio: Studio) -> None:
    from sfumato.engine.noise import ImageSeed, NoiseSource

    drawn: list[torch.Tensor] = []
    original = NoiseSource.__call__

    def spy(self: NoiseSource) -> torch.Tensor:
        drawn.append(original(self))
        return drawn[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NoiseSource, "__call__", spy)
        studio.one(hr_scale=1.5, seed=5)
    assert [tuple(noise.shape) for noise in drawn] == [(1, 4, 8, 8), (1, 4, 12, 12)]
    assert torch.equal(drawn[1], original(NoiseSource([ImageSeed(5)], (4, 12, 12), torch.device("cpu"))))


@pytest.mark.rule("P17", "P21", "P25")
def test_schedules_of_a_prompt_go_on_in_the_highres_pass(studio: Studio) -> None:
    def job(prompt: str, **fields: object) -> bytes:
        return studio.one(prompt=prompt, hr_scale=1.25, **fields).tobytes()

    # A switch before the second pass leaves it all to the second text
    assert job("[a red circle:a blue square:HR]") == job("a red circle", hr_prompt="a blue square")
    assert job("[a red circle:a blue square:0.0]") == job("a blue square")
    assert job("[a red circle:a blue square:2.0]") == job("a red circle")
    halfway = job("[a red circle:a blue square:1.5]")
    assert halfway not in (job("a red circle"), job("[a red circle:a blue square:HR]"))
    # Old timelines count the same in both passes
    assert job("[a red circle:a blue square:0.5]", timelines="old") != job("[a red circle:a blue square:0.5]")


@pytest.mark.rule("E75", "R97")
def test_R97_another_checkpoint_paints_the_highres_pass(studio: Studio) -> None:
    same = studio.one(hr_scale=1.5)
    assert np.array_equal(studio.one(hr_scale=1.5, hr_model=studio.model()), same)
    for kind in ("sd2", "sdxl"):
        other = studio.one(hr_scale=1.5, hr_model=studio.model(kind))
        assert other.shape == same.shape
        assert not np.array_equal(other, same)
    # Both stay in memory, so the next job reads nothing
    held = studio.kept.get(Loaded)
    assert held.nbytes > 0
    # and the first pass is that of the first checkpoint
    strengthless = studio.one(hr_scale=1.5, hr_model=studio.model("sdxl"), hr_strength=0)
    assert np.array_equal(strengthless, studio.one(hr_scale=1.5, hr_strength=0))


@pytest.mark.rule("R97")
def test_R97_the_same_checkpoint_by_name_keeps_its_chosen_parts(studio: Studio) -> None:
    write_component(tiny_modules(seed=7), "vae", studio.files.root / "vae" / "other.safetensors")
    fields = {"vae": "other", "hr_scale": 1.25, "hr_upscaler": "Latent", "model": studio.model()}
    assert np.array_equal(studio.one(**fields, hr_model=studio.model()), studio.one(**fields))


@pytest.mark.rule("R97", "E120", "E126")
def test_R97_what_cannot_work_is_refused_before_anything_is_painted(studio: Studio) -> None:
    with pytest.raises(ModelIncompatible) as caught:
        studio.one(hr_scale=1.5, hr_model=studio.model("sdxl"), hr_upscaler="Latent")
    assert (caught.value.path, "tiny-sdxl" in caught.value.message) == ("hr_model", True)
    assert "denoise" not in studio.recording.stages()
    with pytest.raises(Invalid) as invalid:
        studio.one(hr_scale=1.5, hr_upscaler="Lanczoz", hr_sampler="Eulr", hr_schedule="keras")
    assert [problem.path for problem in invalid.value.problems] == ["hr_sampler", "hr_schedule", "hr_upscaler"]
    assert "Closest: 'Lanczos'" in invalid.value.message
    assert studio.recording.progress_made == []


@pytest.mark.rule("E7", "E74")
def test_rounded_highres_sizes_are_said(studio: Studio) -> None:
    assert studio.one(hr_scale=1.2).shape == (72, 72, 3)
    assert {(warning.code, warning.path) for warning in studio.result.warnings} == {("size_rounded", "hr_width"), ("size_rounded", "hr_height")}
    assert "76" in studio.result.warnings[0].message
    assert "72" in studio.result.warnings[0].message
    studio.one(hr_scale=1.5)
    assert studio.result.warnings == ()


@pytest.mark.rule("E75", "E60")
def test_a_picture_is_painted_over_and_then_larger(studio: Studio) -> None:
    picture = gradient()
    first = Image.fromarray(studio.one(picture, strength=0.4))
    both = studio.one(picture, strength=0.4, hr_scale=1.5)
    assert np.array_equal(both, studio.one(first, hr_scale=1.5, hr_only=True))
