"""The seam: network outputs become denoised predictions, sides become one, images draw their own noise."""

from __future__ import annotations

import dataclasses
import math
import time

import pytest
import torch
from torch import Tensor

from sfumato.engine.denoiser import Sides, UNetNetwork, join_sides
from sfumato.engine.family import Model
from sfumato.engine.guidance import guided

CPU = torch.device("cpu")


def latents(batch: int = 1, seed: int = 3) -> Tensor:
    return torch.randn((batch, 4, 8, 8), generator=torch.Generator().manual_seed(seed))


def contexts(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(4)
    return [torch.randn((1, length, 32), generator=generator) for length in lengths]


@pytest.mark.rule("E2", "E1")
@pytest.mark.parametrize("sigma", [0.05, 1.0, 14.6])
def test_wrapping_of_noise_and_velocity_predictions(model: Model, sigma: float) -> None:
    x, (context,) = latents() * sigma, contexts(77)
    with torch.inference_mode():
        output = model.unet(x / math.sqrt(1 + sigma**2), torch.tensor(model.table.t(sigma)), context).sample
        sides = join_sides([context], 1, torch.float32, CPU)
        (eps,) = UNetNetwork(model)(x, sigma, sides)
        (velocity,) = UNetNetwork(dataclasses.replace(model, prediction="v"))(x, sigma, sides)
    torch.testing.assert_close(eps, x - sigma * output)
    torch.testing.assert_close(velocity, x / (1 + sigma**2) - output * sigma / math.sqrt(1 + sigma**2))


@pytest.mark.rule("E31", "E113")
def test_sides_of_equal_length_share_a_batch_and_others_are_not_padded(model: Model) -> None:
    calls: list[tuple[int, int]] = []
    handle = model.unet.register_forward_pre_hook(lambda module, args, kwargs: calls.append(tuple(kwargs["encoder_hidden_states"].shape[:2])), with_kwargs=True)
    x = latents(2)
    with torch.inference_mode():
        short, long = contexts(77, 154)
        together = UNetNetwork(model)(x, 1.0, join_sides([short, long], 2, torch.float32, CPU))
        assert calls == [(2, 77), (2, 154)]
        calls.clear()
        alone = UNetNetwork(model)(x, 1.0, join_sides([short], 2, torch.float32, CPU))
        UNetNetwork(model)(x, 1.0, join_sides([short, short], 2, torch.float32, CPU))
        assert calls == [(2, 77), (4, 77)]
    handle.remove()
    torch.testing.assert_close(together[0], alone[0], atol=1e-5, rtol=0)


@pytest.mark.rule("E50", "E52")
def test_guidance_of_one_does_not_evaluate_the_negative_side() -> None:
    evaluated: list[int] = []

    def network(x: Tensor, sigma: float, sides: Sides) -> list[Tensor]:
        evaluated.append(sides.count)
        return [torch.full_like(x, float(index + 1)) for index in range(sides.count)]

    positive, negative = contexts(77, 77)
    x = latents()
    assert float(guided(network, positive, negative, 1.0, 1, torch.float32, CPU)(x, 1.0).mean()) == 1
    assert evaluated == [1]
    # negative comes first: U = 1, C = 2, D = U + s (C - U)
    for scale in (0.0, 0.5, 7.0):
        result = guided(network, positive, negative, scale, 1, torch.float32, CPU)(x, 1.0)
        torch.testing.assert_close(result, torch.full_like(x, 1 + scale))


@pytest.mark.rule("E113")
def test_overhead_of_a_call_is_below_a_millisecond() -> None:
    # Given a network that does nothing
    def network(x: Tensor, sigma: float, sides: Sides) -> list[Tensor]:
        return [x] * sides.count

    denoise = guided(network, *contexts(77, 77), 7.0, 1, torch.float32, CPU)
    x = latents()
    with torch.inference_mode():
        spent = []
        for _ in range(50):
            started = time.perf_counter()
            denoise(x, 1.0)
            spent.append(time.perf_counter() - started)
    assert sorted(spent)[25] < 1e-3
