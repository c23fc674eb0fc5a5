"""How much, when, where and on which side a control acts. Factors are those of AUTOMATIC1111's ControlNet extension."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
import torch
from torch import Tensor

from sfumato.engine.attachments import Attachment, Moment, NetworkCall, Residuals
from sfumato.engine.conditioning import Conditioning
from sfumato.engine.control.loading import Loaded
from sfumato.engine.control.steering import Steering
from sfumato.engine.denoiser import NetworkInputs, Row
from sfumato.engine.family import Model
from sfumato.engine.guidance import guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.script import ImageState, Voice
from sfumato.protocol.requests.control import ControlUnit
from tests.engine.conftest import TinyModel
from tests.engine.control.passing import TOLD, denoised, loaded, picture, said, seeded, sides, steering
from tests.engine.guided_sides import script
from tests.support.control_files import adapter, control_net, save
from tests.support.tiny_models import INPAINTING

Steer = Callable[..., Attachment]
WIDTH = 32


@pytest.fixture(scope="module")
def model(tiny_model: TinyModel) -> Model:
    return tiny_model("sd1")[0]


@pytest.fixture(scope="module")
def net(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    model, modules = tiny_model("sd1")
    return loaded(save(control_net(modules.unet).state_dict(), tmp_path_factory.mktemp("control") / "net.safetensors"), model)


@pytest.fixture(scope="module")
def t2i(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    model, _ = tiny_model("sd1")
    return loaded(save(adapter((32, 64, 64, 64)).state_dict(), tmp_path_factory.mktemp("control") / "t2i.safetensors"), model)


def rows() -> list[Row]:
    """A negative side, a positive one, and the positive one perturbed."""
    return [Row(0, said(WIDTH, 90), is_negative=True), Row(0, said(WIDTH, 10)), Row(0, said(WIDTH, 10), perturbation="pag")]


def residuals(attachment: Attachment, told: list[Row], call: int = 0, planned: int = 10, x: Tensor | None = None) -> Residuals | None:
    """What is added to the network's features for these rows."""
    latents = seeded(1, 4, 8, 8, seed=1) if x is None else x
    context = torch.cat([row.conditioning.context for row in told])
    asked = NetworkCall(latents[[row.image for row in told]], torch.tensor([500.0]), context, None, Moment(call, planned), 3.0)
    with torch.inference_mode(), ExitStack() as stack:
        return stack.enter_context(attachment.around(attachment.prepare(told, len(latents)), asked))


def of_net(found: Residuals | None) -> list[Tensor]:
    assert found is not None
    assert found.down is not None
    assert found.middle is not None
    return [*found.down, found.middle]


@pytest.mark.rule("E81")
def test_weight_scales_all_that_is_added(net: Loaded) -> None:
    whole, half = (of_net(residuals(steering(net, picture(), ControlUnit(weight=weight)), rows())) for weight in (1.0, 0.5))
    for one, other in zip(whole, half, strict=True):
        torch.testing.assert_close(one * 0.5, other)
        assert float(one.abs().max()) > 0


@pytest.mark.rule("E82")
def test_where_the_prompt_is_to_win_outer_layers_count_less_on_both_sides(net: Loaded) -> None:
    plain = of_net(residuals(steering(net, picture()), rows()))
    prompt = of_net(residuals(steering(net, picture(), ControlUnit(mode="prompt", weight=0.8)), rows()))
    count = len(plain)
    for place, (one, other) in enumerate(zip(plain, prompt, strict=True)):
        torch.testing.assert_close(other, one * 0.8 * 0.825 ** (count - 1 - place))


@pytest.mark.rule("E82")
def test_where_the_control_is_to_win_the_negative_side_gets_nothing(net: Loaded) -> None:
    plain = of_net(residuals(steering(net, picture()), rows()))
    control = of_net(residuals(steering(net, picture(), ControlUnit(mode="control")), rows()))
    for place, (one, other) in enumerate(zip(plain, control, strict=True)):
        # Perturbed rows are steered like the positive side they are compared with
        torch.testing.assert_close(other[1:], one[1:] * 0.825 ** (len(plain) - 1 - place), atol=1e-5, rtol=1e-4)
        assert float(other[0].abs().max()) == 0


@pytest.mark.rule("E82")
def test_guessing_keeps_the_control_from_the_negative_side(net: Loaded) -> None:
    plain = of_net(residuals(steering(net, picture()), rows()))
    guess = of_net(residuals(steering(net, picture(), ControlUnit(guess=True)), rows()))
    for one, other in zip(plain, guess, strict=True):
        torch.testing.assert_close(other[1:], one[1:], atol=1e-5, rtol=1e-4)
        assert float(other[0].abs().max()) == 0
    assert residuals(steering(net, picture(), ControlUnit(guess=True)), rows()[:1]) is None


@pytest.mark.rule("E82", "E83")
def test_the_levels_of_an_adapter_have_factors_of_their_own(t2i: Loaded) -> None:
    plain = residuals(steering(t2i, picture()), rows())
    prompt = residuals(steering(t2i, picture(), ControlUnit(mode="prompt")), rows())
    control = residuals(steering(t2i, picture(), ControlUnit(mode="control")), rows())
    assert plain is not None and prompt is not None and control is not None
    assert plain.within is not None and prompt.within is not None and control.within is not None
    for one, both, positive, factor in zip(plain.within, prompt.within, control.within, (0.25, 0.62, 0.825, 1.0), strict=True):
        torch.testing.assert_close(both, one * factor)
        torch.testing.assert_close(positive[1:], one[1:] * factor)
        assert float(positive[0].abs().max()) == 0


@pytest.mark.rule("E81")
@pytest.mark.parametrize(
    ("start", "end", "active"),
    [(0.0, 1.0, range(10)), (0.25, 1.0, range(3, 10)), (0.0, 0.5, range(6)), (0.3, 0.7, range(3, 8)), (0.5, 0.5, range(5, 6)), (0.0, 0.0, range(1))],
)
def test_a_unit_is_evaluated_only_between_its_start_and_end(net: Loaded, start: float, end: float, active: range) -> None:
    attachment = steering(net, picture(), ControlUnit(start=start, end=end))
    evaluated: list[int] = []
    (inner, _) = net.modules
    handle = inner.register_forward_hook(lambda *told: evaluated.append(1))
    try:
        told = [call for call in range(10) if residuals(attachment, rows(), call) is not None]
    finally:
        handle.remove()
    assert told == list(active)
    assert len(evaluated) == len(active)


@pytest.mark.rule("E81")
def test_a_mask_says_where_a_control_acts(net: Loaded, t2i: Loaded) -> None:
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    for control in (net, t2i):
        whole = residuals(steering(control, picture()), rows())
        part = residuals(steering(control, picture(), mask=mask), rows())
        assert whole is not None and part is not None
        pairs = zip(whole.down or whole.within or (), part.down or part.within or (), strict=True)
        for one, other in pairs:
            half = one.shape[-1] // 2
            if half:
                torch.testing.assert_close(other[..., :half], one[..., :half])
                assert float(other[..., half:].abs().max()) == 0


@pytest.mark.rule("E81", "E83")
def test_features_of_several_units_add_up(model: Model, net: Loaded, t2i: Loaded) -> None:
    attached = [steering(net, picture(seed=1)), steering(net, picture(seed=2), ControlUnit(weight=0.5)), steering(t2i, picture(seed=3))]
    x = seeded(1, 4, 8, 8, seed=4)
    found = denoised(model, attached, x, 2.0)
    # By hand, with the network itself
    sigma, table = 2.0, model.table
    (state,) = sides(model)
    context = torch.cat([state.negative[0].conditioning.context, state.positive[0].conditioning.context])
    told = [Row(0, state.negative[0].conditioning, is_negative=True), Row(0, state.positive[0].conditioning)]
    scaled = (x / (sigma**2 + 1) ** 0.5).repeat(2, 1, 1, 1)
    t = torch.tensor([table.t(sigma)], dtype=torch.float32)
    call = NetworkCall(scaled, t, context, None, Moment(), sigma)
    with torch.inference_mode(), ExitStack() as stack:
        made = [stack.enter_context(each.around(each.prepare(told, 1), call)) for each in attached]
        first, second, third = made
        assert first is not None and second is not None and third is not None
        down = tuple(one + other for one, other in zip(first.down or (), second.down or (), strict=True))
        assert first.middle is not None and second.middle is not None
        output = model.unet(
            scaled,
            t,
            encoder_hidden_states=context,
            down_block_additional_residuals=down,
            mid_block_additional_residual=first.middle + second.middle,
            down_intrablock_additional_residuals=list(third.within or ()),
        ).sample
    away, towards = (x - sigma * side for side in output.split(1))
    torch.testing.assert_close(found, away + 5.0 * (towards - away), atol=1e-4, rtol=1e-4)


@pytest.mark.rule("E81")
def test_every_image_of_a_batch_is_steered_by_its_own_picture(model: Model, net: Loaded) -> None:
    x = seeded(2, 4, 8, 8, seed=4)
    pictures = [picture(seed=1), picture(seed=2)]
    together = denoised(model, [steering(net, torch.cat(pictures))], x, 2.0)
    settings = GuidanceSettings(guidance=5.0)
    for number, seen in enumerate(pictures):
        state = sides(model, 2)[number]
        with torch.inference_mode(), guiding(model, script(state), settings, NetworkInputs(TOLD), None, [steering(net, seen)]) as denoise:
            torch.testing.assert_close(denoise(x[number : number + 1], 2.0), together[number : number + 1], atol=1e-4, rtol=1e-4)


@pytest.mark.rule("E81")
def test_parts_of_other_lengths_and_perturbed_sides_are_steered(model: Model, net: Loaded) -> None:
    """AND with a part of two chunks, PAG, and a control that spares the negative side: evaluated in groups, each row as alone."""
    long = ImageState((Voice(1.0, said(WIDTH, 10), None), Voice(0.5, _longer(), None)), (Voice(1.0, said(WIDTH, 90), None),), said(WIDTH, 90))
    settings = GuidanceSettings(guidance=5.0, pag_scale=3.0)
    x = seeded(1, 4, 8, 8, seed=4)
    found = {}
    for mode in ("balanced", "control"):
        attached = [steering(net, picture(), ControlUnit(mode=mode))]
        with torch.inference_mode(), guiding(model, script(long), settings, NetworkInputs(TOLD), None, attached) as denoise:
            found[mode] = denoise(x, 2.0)
    with torch.inference_mode(), guiding(model, script(long), settings, NetworkInputs(TOLD)) as denoise:
        found["none"] = denoise(x, 2.0)
    assert all(torch.isfinite(each).all() for each in found.values())
    assert len({each.numpy().tobytes() for each in found.values()}) == 3


def _longer() -> Conditioning:
    return Conditioning(seeded(1, 154, WIDTH, seed=11))


@pytest.mark.rule("E81")
def test_an_inpainting_model_is_steered_by_the_plain_latents(tiny_model: TinyModel, net: Loaded) -> None:
    model, _ = tiny_model("sd1", INPAINTING)
    x, extra = seeded(1, 4, 8, 8, seed=4), NetworkInputs(TOLD, seeded(1, 5, 8, 8, seed=5))
    steered, plain = denoised(model, [steering(net, picture())], x, 2.0, inputs=extra), denoised(model, [], x, 2.0, inputs=extra)
    assert float((steered - plain).abs().max()) > 1e-2


@pytest.mark.rule("E105")
def test_a_steered_model_is_itself_again(model: Model, net: Loaded) -> None:
    before = {name: tensor.clone() for name, tensor in model.unet.state_dict().items()}
    forwards = {name: module.forward for name, module in model.unet.named_modules()}
    x = seeded(1, 4, 8, 8)
    plain = denoised(model, [], x, 2.0)
    denoised(model, [steering(net, picture())], x, 2.0)
    broken = net.modules[0].register_forward_hook(_tear)
    with pytest.raises(RuntimeError, match="torn"):
        denoised(model, [steering(net, picture())], x, 2.0)
    broken.remove()
    assert all(torch.equal(tensor, model.unet.state_dict()[name]) for name, tensor in before.items())
    assert all(module.forward == forwards[name] and not module._forward_hooks and not module._forward_pre_hooks for name, module in model.unet.named_modules())
    assert torch.equal(denoised(model, [], x, 2.0), plain)


def _tear(*told: object) -> None:
    raise RuntimeError("torn")


def test_factors_of_the_published_networks() -> None:
    """Thirteen features of SD1, as the extension numbers them."""
    assert Steering(weight=2.0, mode="prompt").control_net_factors(13) == tuple(2.0 * 0.825 ** (12 - place) for place in range(13))
    assert Steering(weight=0.5).control_net_factors(10) == (0.5,) * 10
    assert Steering(mode="control").adapter_factors(4) == (0.25, 0.62, 0.825, 1.0)
