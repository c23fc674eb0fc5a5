"""The seam: network outputs become denoised predictions; rows of many images, lengths and kinds are evaluated as each would be alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from sfumato.engine.conditioning import Conditioning
from sfumato.engine.denoiser import NetworkInputs, Row, Told, UNetNetwork, told_of
from sfumato.engine.family import Model
from sfumato.protocol.requests.generate import Generate
from tests.engine.conftest import TinyModel
from tests.support.tiny_models import INPAINTING, PIX2PIX


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def latents(batch: int = 1, seed: int = 3) -> Tensor:
    return torch.randn((batch, 4, 8, 8), generator=torch.Generator().manual_seed(seed))


def said(tokens: int = 77, seed: int = 4, width: int = 32, pooled: int = 0) -> Conditioning:
    generator = torch.Generator().manual_seed(seed)
    context = torch.randn((1, tokens, width), generator=generator)
    return Conditioning(context, torch.randn((1, pooled), generator=generator) if pooled else None)


def evaluated(network: UNetNetwork, x: Tensor, sigma: float, *rows: Row) -> Tensor:
    return network(x, sigma, network.prepare(rows, len(x)))


@contextmanager
def watched(model: Model) -> Iterator[list[dict[str, Any]]]:
    """What the UNet is called with: `sample`, `timestep` and the keyword arguments."""
    calls: list[dict[str, Any]] = []
    handle = model.unet.register_forward_pre_hook(
        lambda module, args, kwargs: calls.append({"sample": args[0], "timestep": args[1], **kwargs}), with_kwargs=True
    )
    try:
        yield calls
    finally:
        handle.remove()


@pytest.mark.rule("E2", "E1")
@pytest.mark.parametrize("sigma", [0.05, 1.0, 14.6])
def test_wrapping_of_noise_and_velocity_predictions(model: Model, sigma: float) -> None:
    x, told = latents() * sigma, said()
    output = model.unet(x / math.sqrt(1 + sigma**2), torch.tensor(model.table.t(sigma)), told.context).sample
    eps = evaluated(UNetNetwork(model), x, sigma, Row(0, told))
    velocity = evaluated(UNetNetwork(dataclasses.replace(model, prediction="v")), x, sigma, Row(0, told))
    torch.testing.assert_close(eps, x - sigma * output)
    torch.testing.assert_close(velocity, x / (1 + sigma**2) - output * sigma / math.sqrt(1 + sigma**2))


@pytest.mark.rule("E31", "E113")
def test_rows_of_equal_length_share_a_batch_and_others_are_not_padded(model: Model) -> None:
    x, short, other, long = latents(2), said(seed=1), said(seed=2), said(154, seed=3)
    network = UNetNetwork(model)
    # Given two images with two sides each, and one image with a longer text beside
    rows = [Row(0, short), Row(1, other), Row(0, long), Row(0, other), Row(1, long)]
    with watched(model) as calls:
        made = evaluated(network, x, 1.0, *rows)
        assert [tuple(call["encoder_hidden_states"].shape[:2]) for call in calls] == [(3, 77), (2, 154)]
        calls.clear()
        evaluated(network, x, 1.0, Row(0, short), Row(1, short), Row(0, other), Row(1, other))
        assert [tuple(call["encoder_hidden_states"].shape[:2]) for call in calls] == [(4, 77)]
    for row, own in zip(rows, made, strict=True):
        alone = evaluated(network, x[row.image : row.image + 1], 1.0, dataclasses.replace(row, image=0))
        torch.testing.assert_close(own, alone[0], atol=1e-5, rtol=0)


@pytest.mark.rule("E29", "R44")
def test_R44_sdxl_is_told_the_requests_sizes(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sdxl")
    request = Generate(original_width=640, crop_top=16, crop_left=8, target_height=2048)
    network = UNetNetwork(model, NetworkInputs(told_of(request, 832, 1216)))
    towards, away = said(width=64, pooled=32), said(width=64, pooled=32, seed=9)
    with watched(model) as calls:
        evaluated(network, latents(), 1.0, Row(0, away, is_negative=True), Row(0, towards))
    (call,) = calls
    # original height and width, crop from top and left, target height and width
    assert call["added_cond_kwargs"]["time_ids"].tolist() == [[1216, 640, 16, 8, 2048, 832]] * 2
    assert torch.equal(call["added_cond_kwargs"]["text_embeds"], torch.cat([away.pooled, towards.pooled]))  # type: ignore[list-item]


@pytest.mark.rule("E29")
def test_the_refiner_is_told_a_score_for_each_side(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("refiner")
    network = UNetNetwork(model, NetworkInputs(told_of(Generate(), 512, 768)))
    with watched(model) as calls:
        evaluated(network, latents(), 1.0, Row(0, said(pooled=32), is_negative=True), Row(0, said(pooled=32)))
    assert calls[0]["added_cond_kwargs"]["time_ids"].tolist() == [[768, 512, 0, 0, 2.5], [768, 512, 0, 0, 6.0]]


@pytest.mark.rule("R44")
def test_sizes_change_the_picture(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sdxl")
    made = [
        evaluated(UNetNetwork(model, NetworkInputs(told_of(request, 64, 64))), latents(), 5.0, Row(0, said(width=64, pooled=32)))
        for request in (Generate(), Generate(crop_left=256), Generate(original_width=256))
    ]
    assert not torch.allclose(made[0], made[1], atol=1e-4)
    assert not torch.allclose(made[0], made[2], atol=1e-4)


@pytest.mark.rule("E68")
def test_inpainting_models_get_their_channels_behind_x(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sd1", INPAINTING)
    extra = torch.randn((1, 5, 8, 8), generator=torch.Generator().manual_seed(1))
    with watched(model) as calls:
        evaluated(UNetNetwork(model, NetworkInputs(extra=extra)), latents(2), 1.0, Row(0, said()), Row(1, said()))
    sample = calls[0]["sample"]
    torch.testing.assert_close(sample[:, :4], latents(2) / math.sqrt(2))
    assert torch.equal(sample[:, 4:], extra.expand(2, -1, -1, -1))


@pytest.mark.rule("E25")
def test_pix2pix_models_see_the_picture_but_on_the_blind_side(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sd1", PIX2PIX)
    extra = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(1))
    rows = [Row(image, said(), is_blind=is_blind) for is_blind in (False, True) for image in range(2)]
    with watched(model) as calls:
        evaluated(UNetNetwork(model, NetworkInputs(extra=extra)), latents(2), 1.0, *rows)
    assert torch.equal(calls[0]["sample"][:, 4:], torch.cat([extra, torch.zeros_like(extra)]))


@pytest.mark.rule("E68", "E25")
def test_missing_channels_are_refused(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sd1", INPAINTING)
    with pytest.raises(ValueError, match="5 more channels"):
        UNetNetwork(model)
    with pytest.raises(ValueError, match="0 more channels"):
        UNetNetwork(tiny_model("sd1")[0], NetworkInputs(extra=torch.zeros((1, 4, 8, 8))))


@pytest.mark.rule("E3")
def test_the_time_told_is_fractional_or_whole_as_asked(model: Model) -> None:
    sigma = 1.2345
    with watched(model) as calls:
        for asked in (model, model.adapted(quantize_t=True)):
            evaluated(UNetNetwork(asked), latents(), sigma, Row(0, said()))
    fractional, whole = (float(call["timestep"]) for call in calls)
    assert fractional == pytest.approx(model.table.t(sigma))
    assert fractional != whole == round(fractional)


@pytest.mark.rule("E5")
def test_latents_stay_in_float32_whatever_the_network_computes_in(tiny_model: TinyModel) -> None:
    model, _ = tiny_model("sd1")
    half = dataclasses.replace(model, device=dataclasses.replace(model.device, dtype=torch.bfloat16), unet=_in_bfloat16(model))
    made = evaluated(UNetNetwork(half), latents(), 1.0, Row(0, said()))
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, evaluated(UNetNetwork(model), latents(), 1.0, Row(0, said())), atol=5e-2, rtol=0)


def _in_bfloat16(model: Model) -> Any:
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel.from_config(model.unet.config)
    unet.load_state_dict(model.unet.state_dict())
    return unet.to(torch.bfloat16).eval()


@pytest.mark.rule("E29")
def test_what_a_request_leaves_open_is_the_pass() -> None:
    told = told_of(Generate(), 640, 512)
    expected = {"original_height": 512, "original_width": 640, "crop_top": 0, "crop_left": 0, "target_height": 512, "target_width": 640, "aesthetic": 6}
    assert told == Told(expected, {**expected, "aesthetic": 2.5})  # type: ignore[arg-type]
