"""Negative weights that turn values: cross-attention with values of turned tokens, and nothing else changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch.nn import functional

from sfumato.engine.patches.negative_values import NegativeValues
from tests.engine.patches.bare import assert_bare, noise, state_of
from tests.support.tiny_models import tiny_modules


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    return tiny_modules(seed=4).unet


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.mark.rule("P65", "E105")
def test_values_are_turned_and_keys_are_not(unet: UNet2DConditionModel) -> None:
    attention = unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2
    hidden, context, signs = noise(2, 16, attention.to_q.in_features), noise(2, 77, 32, seed=2), torch.ones(2, 77, 32)
    signs[1, 3:6] = -1
    before, plain = state_of(unet), attention(hidden, encoder_hidden_states=context)
    with NegativeValues(unet) as patch:
        assert torch.equal(attention(hidden, encoder_hidden_states=context), plain)
        patch.signs = signs
        made = attention(hidden, encoder_hidden_states=context)

    def heads(rows: torch.Tensor) -> torch.Tensor:
        return rows.view(2, -1, attention.heads, rows.shape[-1] // attention.heads).transpose(1, 2)

    values = heads(attention.to_v(context) * signs[..., :1])
    seen = functional.scaled_dot_product_attention(heads(attention.to_q(hidden)), heads(attention.to_k(context)), values)
    torch.testing.assert_close(made, attention.to_out[0](seen.transpose(1, 2).flatten(2)), atol=1e-5, rtol=0)
    assert torch.equal(made[0], plain[0])
    assert not torch.allclose(made[1], plain[1], atol=1e-3)
    assert_bare(unet, before)


@pytest.mark.rule("E105")
def test_an_exception_leaves_nothing_behind(unet: UNet2DConditionModel) -> None:
    before, patch = state_of(unet), NegativeValues(unet)

    def cancelled() -> None:
        with patch:
            patch.signs = torch.ones(1, 77, 32)
            raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        cancelled()
    assert patch.signs is None
    assert_bare(unet, before)
