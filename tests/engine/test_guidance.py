"""Guidance on sides that are known exactly: composition, skips, the count of evaluations, and everything that is added to the rule."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from sfumato.engine.guidance import GuidedDenoiser, guidance_settings
from sfumato.engine.guidance_rules import RULES, GuidanceSettings
from sfumato.engine.script import ImageState, Script, State
from sfumato.prompts import PassSpan
from sfumato.protocol.requests.generate import Generate
from tests.engine.guided_sides import ExactNetwork, exact_of, image, noisy, script

SIGMAS = (0.05, 1.0, 14.6)


def denoiser(written: Script, image_guidance: float = 1.0, **settings: object) -> tuple[GuidedDenoiser, ExactNetwork]:
    network = ExactNetwork()
    return GuidedDenoiser(network, written, GuidanceSettings(**settings), image_guidance), network  # type: ignore[arg-type]


def sides(network: ExactNetwork) -> list[str]:
    """The sides of the last call, by name."""
    return [("blind " if row.is_blind else "") + (row.perturbation or ("negative" if row.is_negative else "positive")) for row in network.rows[-1]]


@pytest.mark.rule("E5", "P28")
@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 7.0])
def test_one_prompt_is_guided_as_in_the_paper_to_float32(scale: float, sigma: float) -> None:
    x = noisy(2, sigma)
    denoise, _ = denoiser(script(image([1]), image([2])), guidance=scale)
    made = denoise(x, sigma)
    assert made.dtype == torch.float32
    for number, seed in enumerate((1, 2)):
        away, towards = exact_of(x[number], sigma, 90), exact_of(x[number], sigma, seed)
        torch.testing.assert_close(made[number].double(), away + scale * (towards - away), atol=1e-5, rtol=1e-6)


@pytest.mark.rule("P28", "P27", "P29", "E51")
def test_parts_are_weighted_and_act_where_their_areas_are() -> None:
    left = torch.zeros((1, 1, 8, 8))
    left[..., :4] = 1
    soft = torch.linspace(0, 1, 8)[None, None, :, None].expand(1, 1, 8, 8)
    x, sigma, scale = noisy(), 1.0, 5.0
    made = denoiser(script(image([1, 2, 3], weights=(1, 0.5, -1), masks=(None, left, soft))), guidance=scale)[0](x, sigma)
    away, first, second, third = (exact_of(x[0], sigma, seed) for seed in (90, 1, 2, 3))
    expected = away + scale * ((first - away) + 0.5 * left[0] * (second - away) - soft[0] * (third - away))
    torch.testing.assert_close(made[0].double(), expected, atol=1e-5, rtol=1e-6)


@pytest.mark.rule("P28", "E117")
@pytest.mark.parametrize("rule", list(RULES))
def test_an_image_of_a_batch_is_the_image_made_alone(rule: str) -> None:
    # Given images of one, three and two parts, and negatives of one and two
    images = [image([1]), image([2, 3, 4], negative=(91,), weights=(1, 0.5, 2)), image([5, 6], negative=(92, 93), weights=(0.8, 1.2))]
    x, sigma = noisy(3), 0.8
    settings: dict[str, object] = {"guidance_rule": rule, "pag_scale": 2.0, "cfg_rescale": 0.5, "apg_norm": 3.0, "apg_momentum": -0.5, "apg_eta": 0.3}
    together, _ = denoiser(script(*images), **settings)
    alone = [denoiser(script(one), **settings)[0] for one in images]
    for _ in range(2):
        made = together(x, sigma)
        for number, denoise in enumerate(alone):
            torch.testing.assert_close(made[number], denoise(x[number : number + 1], sigma)[0], atol=1e-5, rtol=1e-5)


@pytest.mark.rule("P65", "E51")
def test_parts_of_the_negative_side_are_averaged_by_weight() -> None:
    x, sigma = noisy(), 1.0
    made, alone = denoiser(script(image([1], negative=(91, 92))), guidance=0.0)[0].pair(x, sigma)
    expected = (exact_of(x[0], sigma, 91) + 2 * exact_of(x[0], sigma, 92)) / 3
    torch.testing.assert_close(made[0].double(), expected, atol=1e-5, rtol=0)
    assert torch.equal(made, alone)


@pytest.mark.rule("E50")
@pytest.mark.parametrize(("weight", "scale"), [(1.0, 1.0), (0.5, 2.0)])
def test_the_negative_side_is_not_evaluated_where_it_cancels(weight: float, scale: float) -> None:
    x, sigma = noisy(), 1.0
    denoise, network = denoiser(script(image([1], weights=(weight,))), guidance=scale)
    made = denoise(x, sigma)
    assert sides(network) == ["positive"]
    # equal to the full computation
    full, _ = denoise.pair(x, sigma)
    assert sides(network) == ["negative", "positive"]
    torch.testing.assert_close(made, full, atol=1e-6, rtol=0)


@pytest.mark.rule("E50")
@pytest.mark.parametrize(
    ("told", "settings"),
    [
        (image([1, 2]), {}),
        (image([1], masks=(torch.full((1, 1, 8, 8), 0.5),)), {}),
        (image([1]), {"guidance_rule": "perp_neg"}),
        (image([1]), {"guidance_rule": "dynamic"}),
        (image([1], weights=(0.5,)), {"guidance_rule": "apg", "apg_eta": 0.5}),
        (image([1]), {"guidance": 1.01}),
    ],
)
def test_the_negative_side_is_evaluated_wherever_something_needs_it(told: ImageState, settings: dict[str, object]) -> None:
    denoise, network = denoiser(script(told), **{"guidance": 1.0, **settings})
    denoise(noisy(), 1.0)
    assert "negative" in sides(network)


@pytest.mark.rule("E52")
@pytest.mark.parametrize(
    ("settings", "guided_calls"),
    [
        ({}, range(12)),
        ({"cfg_start": 0.3}, range(3, 12)),
        ({"cfg_end": 0.5}, range(5)),
        ({"cfg_start": 0.2, "cfg_end": 0.6}, range(2, 6)),
        ({"skip_early": 0.2}, range(3, 12)),
        ({"s_min_uncond": 4.0}, [0, 1, 2, 3, 4, 5, 6, 8, 10]),
        ({"s_min_uncond": 4.0, "ngms_all": True}, range(7)),
    ],
)
def test_skipped_sides_are_not_evaluated(settings: dict[str, object], guided_calls: range | list[int]) -> None:
    # Given ten planned calls at falling levels 10, 9, ..., and two calls more than planned
    x = noisy()
    denoise, network = denoiser(script(image([1, 2], weights=(1, 0.5)), calls=10), guidance=5.0, **settings)
    for call in range(12):
        sigma = max(10.0 - call, 0.5)
        made = denoise(x, sigma)
        assert ("negative" in sides(network)) == (call in guided_calls)
        if call not in guided_calls:
            first, second = exact_of(x[0], sigma, 1), exact_of(x[0], sigma, 2)
            torch.testing.assert_close(made[0].double(), first + 0.5 * (second - first), atol=1e-5, rtol=0)
    assert denoise.calls == 12


@pytest.mark.rule("E58")
def test_pairs_hold_the_negative_side_alone() -> None:
    x, sigma = noisy(2), 2.0
    denoise, network = denoiser(script(image([1]), image([2]), calls=2), guidance=0.6, pag_scale=1.0, cfg_end=0.5)
    made, negative = denoise.pair(x, sigma)
    torch.testing.assert_close(negative[0].double(), exact_of(x[0], sigma, 90), atol=1e-5, rtol=0)
    assert torch.equal(made, denoiser(script(image([1]), image([2])), guidance=0.6, pag_scale=1.0)[0](x, sigma))
    # Where guidance is skipped there is nothing but the prediction
    made, negative = denoise.pair(x, sigma)
    assert "negative" not in sides(network)
    assert torch.equal(made, negative)


@pytest.mark.rule("E54")
@pytest.mark.parametrize(("name", "field"), [("pag", "pag_scale"), ("seg", "seg_scale")])
def test_perturbations_cost_one_evaluation_and_push_away(name: str, field: str) -> None:
    x, sigma = noisy(), 1.0
    denoise, network = denoiser(script(image([1])), guidance=4.0, **{field: 3.0})
    made = denoise(x, sigma)
    assert sides(network) == ["negative", "positive", name]
    away, towards, perturbed = exact_of(x[0], sigma, 90), exact_of(x[0], sigma, 1), exact_of(x[0], sigma, 1, perturbation=name)
    torch.testing.assert_close(made[0].double(), away + 4 * (towards - away) + 3 * (towards - perturbed), atol=1e-5, rtol=0)
    # They need no negative side
    denoise, network = denoiser(script(image([1])), guidance=1.0, **{field: 3.0})
    torch.testing.assert_close(denoise(x, sigma)[0].double(), towards + 3 * (towards - perturbed), atol=1e-5, rtol=0)
    assert sides(network) == ["positive", name]


@pytest.mark.rule("E25")
@pytest.mark.parametrize("rule", ["cfg", "apg"])
def test_pictures_to_change_have_three_sides(rule: str) -> None:
    x, sigma, scale = noisy(), 1.0, 7.0
    denoise, network = denoiser(script(image([1])), 1.5, guidance=scale, guidance_rule=rule)
    made = denoise(x, sigma)
    assert sides(network) == ["negative", "positive", "blind negative"]
    towards, seen, blind = exact_of(x[0], sigma, 1), exact_of(x[0], sigma, 90), exact_of(x[0], sigma, 90, is_blind=True)
    torch.testing.assert_close(made[0].double(), blind + scale * (towards - seen) + 1.5 * (seen - blind), atol=1e-5, rtol=0)
    # At 1.0 the picture needs no side of its own
    denoise, network = denoiser(script(image([1])), 1.0, guidance=scale, guidance_rule=rule)
    torch.testing.assert_close(denoise(x, sigma)[0].double(), seen + scale * (towards - seen), atol=1e-5, rtol=0)
    assert sides(network) == ["negative", "positive"]
    # At guidance 1 the negative side is still what the picture is measured against; NGMS leaves these models alone
    denoise, network = denoiser(script(image([1])), 1.5, guidance=1.0, guidance_rule=rule, s_min_uncond=5.0, ngms_all=True)
    torch.testing.assert_close(denoise(x, sigma)[0].double(), towards + 0.5 * (seen - blind), atol=1e-5, rtol=0)


@pytest.mark.rule("E53")
@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_rescaling_restores_the_deviation_of_the_velocity(share: float, sigma: float) -> None:
    x, scale = noisy(2, sigma), 9.0
    made = denoiser(script(image([1]), image([2])), guidance=scale, cfg_rescale=share)[0](x, sigma).double()

    def velocity(of: Tensor, at: Tensor) -> Tensor:
        return (at.double() / (1 + sigma**2) - of) * math.sqrt(1 + sigma**2) / sigma

    for number, seed in enumerate((1, 2)):
        own = x[number]
        away, towards = exact_of(own, sigma, 90), exact_of(own, sigma, seed)
        plain, wanted = velocity(away + scale * (towards - away), own), velocity(towards, own)
        expected = share * plain * wanted.std() / plain.std() + (1 - share) * plain
        back = own.double() / (1 + sigma**2) - expected * sigma / math.sqrt(1 + sigma**2)
        torch.testing.assert_close(made[number], back, atol=2e-5, rtol=1e-5)


@pytest.mark.rule("P20", "P25", "E113")
def test_calls_that_say_the_same_prepare_nothing_anew() -> None:
    one, other = State((image([1]),)), State((image([2]),))
    written = Script([one, one, other, other, one, one], PassSpan(5))
    denoise, network = denoiser(written)
    seen = [int(denoise(noisy(), 1.0) is not None and network.rows[-1][1].conditioning.context[0, 0, 0]) for _ in range(9)]
    assert seen == [1, 1, 2, 2, 1, 1, 1, 1, 1]
    assert network.prepared == 2


class Null:
    """A network that does nothing."""

    def __init__(self, x: Tensor) -> None:
        self._ready = torch.cat([x, x])

    def prepare(self, rows: object, batch: int) -> None: ...

    def __call__(self, x: Tensor, sigma: float, evaluation: object, moment: object = None) -> Tensor:
        return self._ready


class Counted(TorchDispatchMode):
    """Counts the operations on tensors inside."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.made.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.rule("E113")
def test_a_call_of_plain_guidance_is_one_operation() -> None:
    # its time is measured by benchmarks/engine_loop.py
    x = noisy()
    denoise = GuidedDenoiser(Null(x), script(image([1])), GuidanceSettings())
    with torch.inference_mode():
        denoise(x, 1.0)
        with Counted() as counted:
            denoise(x, 1.0)
    assert [name for name in counted.made if "slice" not in name] == ["aten.lerp.Scalar"]


@pytest.mark.rule("E46")
def test_settings_are_the_requests() -> None:
    request = Generate(guidance=3.0, guidance_rule="apg", apg_norm=15.0, cfg_end=0.8, pag_scale=3.0)
    settings = guidance_settings(request)
    assert settings == GuidanceSettings(guidance=3.0, guidance_rule="apg", apg_norm=15.0, cfg_end=0.8, pag_scale=3.0)
    assert guidance_settings(request, guidance=0.0).guidance == 0
    assert guidance_settings(Generate()) == GuidanceSettings()
    assert not settings.needs_empty
    assert GuidanceSettings(guidance_rule="perp_neg").needs_empty
