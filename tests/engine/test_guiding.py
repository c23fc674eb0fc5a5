"""Guidance on a real network: every parameter acts as its formula says through the patches, and the network is bare again when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from sfumato.engine.conditioning import Conditioner, EncodingCache, TextSettings
from sfumato.engine.denoiser import NetworkInputs, Row, UNetNetwork
from sfumato.engine.family import Model
from sfumato.engine.guidance import guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.script import ImageTexts, Script, write_script
from sfumato.prompts import PassSpan, PromptOptions, read_prompt
from sfumato.protocol.errors import Invalid
from tests.engine.conftest import TinyModel
from tests.engine.patches.bare import assert_bare, state_of
from tests.support.tiny_models import PIX2PIX

SIGMA = 3.0


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def x(batch: int = 1) -> Tensor:
    return torch.randn((batch, 4, 8, 8), generator=torch.Generator().manual_seed(7)) * SIGMA


def script(model: Model, *prompts: str, negative: str = "a square", calls: int = 4, **options: Any) -> Script:
    reading = PromptOptions(**options)
    images = [ImageTexts(read_prompt(text, options=reading), read_prompt(negative, options=reading, negative=True)) for text in prompts]
    value = {"attention_negative": "value"} if reading.attention_negative == "value" else {}
    return write_script(Conditioner(model, TextSettings(**value), EncodingCache()), images, PassSpan(calls), with_empty=True)  # type: ignore[arg-type]


def denoised(model: Model, written: Script, extra: Tensor | None = None, **settings: Any) -> Tensor:
    with guiding(model, written, GuidanceSettings(**settings), NetworkInputs(extra=extra)) as denoise:
        return denoise(x(written.images), SIGMA)


ACTING = [
    {"guidance": 3.0},
    {"cfg_rescale": 0.7},
    {"cfg_start": 0.5},
    {"skip_early": 0.1},
    {"s_min_uncond": 5.0, "ngms_all": True},
    {"pag_scale": 3.0},
    {"seg_scale": 3.0},
    {"guidance_rule": "apg", "apg_eta": 0.0},
    {"guidance_rule": "apg", "apg_norm": 0.5},
    {"guidance_rule": "perp_neg"},
    {"guidance_rule": "perp_neg", "perp_neg": 0.3},
    {"guidance_rule": "dynamic", "mimic_scale": 3.0},
    {"guidance_rule": "dynamic", "mimic_scale": 3.0, "mimic_percentile": 0.9},
    {"freeu_b1": 1.5},
    {"freeu_b2": 1.5},
    {"freeu_s1": 0.5},
    {"freeu_s2": 0.2},
]


@pytest.mark.rule("E53", "E54", "E55", "E56", "E57", "E58")
def test_every_parameter_changes_the_prediction(model: Model) -> None:
    written = script(model, "a red circle")
    made = [denoised(model, written), *[denoised(model, written, **settings) for settings in ACTING]]
    for number, one in enumerate(made):
        for other in made[:number]:
            # Skipping is the same whatever it is asked by
            if not (number in (3, 4, 5) and any(other is made[index] for index in (3, 4, 5))):
                assert not torch.allclose(one, other, atol=1e-5), ACTING[number - 1]


@pytest.mark.rule("E54")
@pytest.mark.parametrize(("name", "field"), [("pag", "pag_scale"), ("seg", "seg_scale")])
def test_perturbed_rows_are_those_a_perturbed_network_gives(model: Model, name: str, field: str) -> None:
    written = script(model, "a red circle")
    told = written.at(0).images[0].positive[0].conditioning
    network = UNetNetwork(model)
    with network.patched([name]):
        plain, perturbed = network(x(), SIGMA, network.prepare([Row(0, told), Row(0, told, perturbation=name)], 1))
    made, without = denoised(model, written, guidance=1.0, **{field: 2.0}), denoised(model, written, guidance=1.0)
    torch.testing.assert_close(without[0], plain, atol=1e-5, rtol=0)
    torch.testing.assert_close(made[0], plain + 2 * (plain - perturbed), atol=1e-4, rtol=0)
    assert not torch.allclose(plain, perturbed, atol=1e-3)


@pytest.mark.rule("P65")
def test_turned_values_push_the_other_way(model: Model) -> None:
    plain, turned = (denoised(model, script(model, text, attention_negative="value"), guidance=1.0) for text in ("a (red:1) circle", "a (red:-1) circle"))
    multiplied = denoised(model, script(model, "a (red:-1) circle"), guidance=1.0)
    assert not torch.allclose(plain, turned, atol=1e-4)
    assert not torch.allclose(multiplied, turned, atol=1e-4)
    # In a batch only the image with a negative weight is touched
    both = denoised(model, script(model, "a (red:1) circle", "a (red:-1) circle", attention_negative="value"), guidance=1.0)
    alone = [denoised(model, script(model, text, attention_negative="value"), guidance=1.0) for text in ("a (red:1) circle",)]
    torch.testing.assert_close(both[0], alone[0][0], atol=1e-5, rtol=0)


@pytest.mark.rule("E105")
@pytest.mark.parametrize("fails", [False, True])
def test_all_patches_together_leave_the_network_as_it_was(tiny_model: TinyModel, fails: bool) -> None:
    model, _ = tiny_model("sd2")
    written = script(model, "a (red:-1.2) circle", "b", attention_negative="value")
    settings = GuidanceSettings(pag_scale=2.0, seg_scale=1.0, freeu_b1=1.5, freeu_s2=0.2, guidance_rule="apg", apg_eta=0.5)
    before, plain = state_of(model.unet), denoised(model, written)
    try:
        with guiding(model, written, settings) as denoise:
            changed = denoise(x(2), SIGMA)
            if fails:
                raise KeyError("cancelled")
    except KeyError:
        pass
    assert_bare(model.unet, before)
    assert not torch.allclose(changed, plain, atol=1e-4)
    assert torch.equal(denoised(model, written), plain)


@pytest.mark.rule("E105", "E59")
def test_two_passes_on_one_network_do_not_touch_each_other(model: Model) -> None:
    # Given a pass with every patch, inside which another one without any runs on the same network
    turning = script(model, "a (red:-1.2) circle", attention_negative="value")
    plain = script(model, "a blue square")
    settings = GuidanceSettings(pag_scale=2.0, freeu_b1=1.5)
    alone, other = denoised(model, turning, pag_scale=2.0, freeu_b1=1.5), denoised(model, plain)
    with guiding(model, turning, settings) as first, guiding(model, plain, GuidanceSettings()) as second, guiding(model, turning, settings) as third:
        for denoise, expected in ((first, alone), (second, other), (third, alone), (first, alone)):
            torch.testing.assert_close(denoise(x(), SIGMA), expected, atol=1e-5, rtol=0)


@pytest.mark.rule("E25")
def test_pictures_to_change_refuse_and_but_at_image_guidance_1(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sd1", PIX2PIX)
    extra = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(1))
    two = script(model, "a AND b")
    with pytest.raises(Invalid, match="set image guidance to 1"):
        denoised(model, two, extra)
    assert bool(denoised(model, two, extra, image_guidance=1.0).isfinite().all())
    one = script(model, "a")
    assert not torch.allclose(denoised(model, one, extra), denoised(model, one, extra, image_guidance=2.5), atol=1e-4)
    assert not torch.allclose(denoised(model, one, extra), denoised(model, one, -extra), atol=1e-4)


@pytest.mark.rule("P28", "E117")
def test_a_batch_of_different_prompts_is_its_images_made_alone(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sd1")
    prompts = ["a red circle", "b AND (c:1.3) BREAK far AND d:-0.5", "long BREAK longer BREAK longest"]
    together = denoised(model, script(model, *prompts), pag_scale=1.0, cfg_rescale=0.3)
    for number, text in enumerate(prompts):
        with guiding(model, script(model, text), GuidanceSettings(pag_scale=1.0, cfg_rescale=0.3)) as denoise:
            torch.testing.assert_close(denoise(x(3)[number : number + 1], SIGMA)[0], together[number], atol=2e-4, rtol=1e-4)


@pytest.mark.rule("E49")
def test_a_pass_run_twice_gives_the_same(model: Model) -> None:
    written = script(model, "[a|b] circle", calls=3)
    settings = GuidanceSettings(guidance_rule="apg", apg_momentum=-0.5, cfg_end=0.8)
    runs = []
    for _ in range(2):
        with guiding(model, written, settings) as denoise:
            runs.append([denoise(x(), SIGMA) for _ in range(4)])
    assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))
    assert not torch.equal(runs[0][0], runs[0][1])


@pytest.mark.rule("E52")
def test_a_pass_may_continue_the_count_of_another(model: Model) -> None:
    written = script(model, "[a:b:2]", calls=4)
    with guiding(model, written, GuidanceSettings()) as first, guiding(model, written, GuidanceSettings()) as second:
        states = [first(x(), SIGMA) for _ in range(4)]
        second.calls = 3
        assert torch.equal(second(x(), SIGMA), states[3])
        assert not torch.allclose(states[0], states[3], atol=1e-5)
        assert second.calls == first.calls == 4
