"""Kernels of attention: all agree, and none leaves a trace."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import Attention
from PIL import Image

from sfumato.engine import attention
from sfumato.engine.attention import KERNELS, attending, kernel_for
from sfumato.protocol.errors import Invalid, MissingPackage
from sfumato.protocol.params.operation import Attention as AttentionParameter
from tests.engine.conftest import Bench, TinyModel

CPU = torch.device("cpu")
HERE = [name for name, row in KERNELS.items() if not row.devices and row.is_installed]


def evaluated(unet: torch.nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn((2, 4, 16, 8), generator=generator)
    context = torch.randn((2, 77, 32), generator=generator)
    with torch.inference_mode():
        found: torch.Tensor = unet(x, torch.tensor([500.0]), encoder_hidden_states=context, return_dict=False)[0]
    return found


@pytest.mark.rule("E106")
@pytest.mark.parametrize("name", HERE)
def test_every_kernel_gives_the_same_numbers(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(attention, "SPLIT_BYTES", 4096)
    unet = tiny_model("sd1")[0].unet
    plain = evaluated(unet)
    with attending([unet], kernel_for(name, CPU)):
        torch.testing.assert_close(evaluated(unet), plain, atol=2e-6, rtol=1e-4)


@pytest.mark.rule("E105", "E108")
def test_a_kernel_acts_inside_another_and_gives_way_to_it_again(tiny_model: TinyModel) -> None:
    unet = tiny_model("sd1")[0].unet
    place = next(module for module in unet.modules() if isinstance(module, Attention))
    with attending([unet], KERNELS["split"]):
        with attending([unet], KERNELS["upcast"]):
            assert attention.scores_of(place) is attention.upcast
        assert attention.scores_of(place) is attention.split


def test_pieces_are_no_larger_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = torch.nn.functional.scaled_dot_product_attention

    def watched(query: torch.Tensor, *others: torch.Tensor, **named: torch.Tensor) -> torch.Tensor:
        seen.append(query.shape[2])
        return original(query, *others, **named)  # type: ignore[arg-type]  as it was called

    monkeypatch.setattr(attention, "SPLIT_BYTES", 2 * 64 * 4 * 10)
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn((1, 2, 64, 8), generator=generator) for _ in range(3))
    mask = torch.randn((1, 2, 64, 64), generator=generator)
    made = attention.split(query, key, value, mask)
    assert max(seen) == 10 and sum(seen) == 64
    torch.testing.assert_close(made, original(query, key, value, attn_mask=mask))


@pytest.mark.rule("E105")
def test_processors_come_back_after_an_exception(tiny_model: TinyModel) -> None:
    unet = tiny_model("sd1")[0].unet
    before = {name: module.processor for name, module in unet.named_modules() if isinstance(module, Attention)}
    told: list[bool] = []

    def fail() -> None:
        with attending([unet], KERNELS["split"]):
            told.extend(module.processor is not before[name] for name, module in unet.named_modules() if isinstance(module, Attention))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert told and all(told)
    assert {name: module.processor for name, module in unet.named_modules() if isinstance(module, Attention)} == before


def test_the_parameter_offers_every_kernel() -> None:
    assert AttentionParameter.__origin__.__args__ == tuple(KERNELS)  # type: ignore[attr-defined]  a Literal inside


def test_what_is_not_installed_is_named() -> None:
    with pytest.raises(Invalid, match="needs an Nvidia or AMD card"):
        kernel_for("flash", CPU)
    with pytest.raises(MissingPackage, match="'sageattention'") as caught:
        kernel_for("sage", torch.device("cuda"))
    assert caught.value.path == "attention"


def test_a_job_runs_with_the_kernel_it_asks_for(bench: Bench) -> None:
    bench.run(width=64, height=64)
    plain = bench.pictures[0]
    bench.run(width=64, height=64, attention="split")
    shown = [np.asarray(Image.open(BytesIO(data))).astype(int) for data in (plain, bench.pictures[0])]
    assert np.abs(shown[0] - shown[1]).max() <= 1
    with pytest.raises(Invalid, match="needs an Nvidia"):
        bench.run(attention="xformers")
