"""Noise sought in a picture: it leads back to it, and to something else with another prompt."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sfumato.engine.inversion import invert, mixed
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.samplers import SamplerParameters
from sfumato.engine.samplers.euler import euler
from sfumato.engine.schedules import find_schedule, levels
from tests.support.studio import Studio, box_mask, gradient

PICTURE = gradient()
TABLE = NoiseTable()


def gaussian(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """The exact denoiser of pictures that are normally distributed around 1 with variance 0.25."""
    return (0.25 * x + sigma**2) / (0.25 + sigma**2)


def sigmas(n: int) -> tuple[float, ...]:
    schedule = find_schedule("uniform")
    assert schedule is not None
    return levels(schedule, n, TABLE)


@pytest.mark.rule("E72")
@pytest.mark.parametrize("is_adjusted", [False, True])
def test_the_noise_found_leads_back_to_the_picture(is_adjusted: bool) -> None:
    latent = 1 + 0.5 * torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = invert(gaussian, latent, sigmas(400), is_adjusted)
    down = sigmas(400)
    back = euler(gaussian, found * down[0], down, None, SamplerParameters(), lambda *args: None)  # type: ignore[arg-type]  no noise is drawn
    if is_adjusted:
        assert float((back - latent).abs().mean()) < 0.05
    # By its own spread the noise is standardised, so the way back is that of its shape
    assert float(torch.corrcoef(torch.stack([back.flatten(), latent.flatten()]))[0, 1]) > 0.99
    if not is_adjusted:
        assert torch.allclose(found.std(dim=(1, 2, 3)), torch.ones(2, dtype=torch.float64))


@pytest.mark.rule("E72")
def test_levels_and_slopes_of_the_way_up() -> None:
    seen: list[float] = []

    def spy(x: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append(sigma)
        return torch.zeros_like(x)

    down = (8.0, 4.0, 2.0, 0.0)
    x = torch.arange(4.0).view(1, 1, 2, 2)
    # d = x / sigma at the level that is reached: x (1 + 1)(1 + 1/2)(1 + 1/2), then over its spread
    found = invert(spy, x, down, False)
    assert seen == [2.0, 4.0, 8.0]
    assert torch.allclose(found, x / x.std())
    seen.clear()
    # at the level that is left, the first at the lowest and halved: x (1 + 1/2)(1 + 1)(1 + 1) / 8
    assert torch.allclose(invert(spy, x, down, True), x * 1.5 * 2 * 2 / 8)
    assert seen == [2.0, 2.0, 4.0]


@pytest.mark.rule("E72")
def test_fresh_noise_is_mixed_in_without_changing_the_variance() -> None:
    found, fresh = (torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert mixed(found, fresh, 0.0) is found
    assert torch.equal(mixed(found, fresh, 1.0), fresh)
    for share in (0.2, 0.5, 0.8):
        half = mixed(found, fresh, share)
        assert torch.allclose(half, ((1 - share) * found + share * fresh) / (share**2 + (1 - share) ** 2) ** 0.5, atol=1e-6)
        assert abs(float(half.std()) - 1) < 0.02


@pytest.mark.rule("E72")
@pytest.mark.parametrize("kind", ["sd1", "sd2", "sdxl"])
def test_a_picture_is_painted_anew_from_its_noise(studio: Studio, kind) -> None:
    model = studio.model(kind)
    fields = {"model": model, "alternative": True, "alternative_steps": 3, "steps": 2}
    plain = studio.one(PICTURE, **fields)
    calls = [entry for entry in studio.recording.progress_made if entry.stage == "denoise"]
    assert {entry.total for entry in calls} == {3 + 2}
    assert [entry.done for entry in calls] == list(range(6))
    jobs = {
        "prompt": {"alternative_prompt": "a blue square"},
        "negative": {"alternative_negative": "blur", "alternative_guidance": 1.5},
        "guidance": {"alternative_guidance": 0.5},
        "steps": {"alternative_steps": 2},
        "randomness": {"alternative_randomness": 0.4},
        "sigma": {"alternative_sigma": True},
    }
    pictures = {name: studio.one(PICTURE, **{**fields, **job}).tobytes() for name, job in jobs.items()}
    assert len({plain.tobytes(), *pictures.values()}) == len(jobs) + 1
    # The noise is the picture's: without fresh noise the seed does not matter
    assert np.array_equal(studio.one(PICTURE, **fields, seed=99), plain)
    assert not np.array_equal(studio.one(PICTURE, **fields, seed=99, alternative_randomness=0.4), studio.one(PICTURE, **fields, alternative_randomness=0.4))


@pytest.mark.rule("E72", "R32", "E119")
def test_another_sampler_than_the_rule_s_is_told_not_silently_replaced(studio: Studio) -> None:
    expected = studio.one(PICTURE, alternative=True, alternative_steps=3, sampler="Euler")
    assert studio.result.warnings == ()
    other = studio.one(PICTURE, alternative=True, alternative_steps=3, sampler="Euler a", schedule="karras", strength=0.4)
    assert np.array_equal(other, expected)
    assert [(warning.code, warning.path) for warning in studio.result.warnings] == [("inverted", path) for path in ("sampler", "schedule", "strength")]
    assert studio.result.sampler == "Euler"


@pytest.mark.rule("E72", "E66")
def test_inverted_noise_under_a_mask_keeps_the_rest(studio: Studio) -> None:
    painted = studio.one(PICTURE, box_mask((16, 16, 48, 40)), alternative=True, alternative_steps=3)
    same = (painted == np.asarray(PICTURE)).all(axis=2)
    assert same[:4].all()
    assert not same[24:32, 24:40].any()
