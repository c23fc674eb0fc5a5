"""Perturbed self-attention: which modules it is in, what they answer, and for which rows of a batch only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor

from sfumato.engine.patches.pag import own_values
from sfumato.engine.patches.seg import blurred_queries
from sfumato.engine.patches.self_attention import Answer, SelfAttentionPatch, self_attentions
from tests.engine.patches.bare import assert_bare, noise, state_of
from tests.support.tiny_models import Kind, tiny_modules


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    return tiny_modules("sdxl", seed=4).unet


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def attention_map(attention: Attention, hidden: Tensor, mean_query: bool) -> Tensor:
    """Output of self-attention by explicit weights, (R, tokens, width); with an identity for weights, or those of the mean query."""
    heads, tokens = attention.heads, hidden.shape[1]

    def split(rows: Tensor) -> Tensor:
        return rows.view(len(rows), tokens, heads, -1).permute(0, 2, 1, 3)

    query, key, value = split(attention.to_q(hidden)), split(attention.to_k(hidden)), split(attention.to_v(hidden))
    if mean_query:
        blurred = query.mean(dim=2, keepdim=True).expand_as(query)
        weights = (blurred @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
    else:
        weights = torch.eye(tokens).expand(len(hidden), heads, -1, -1)
    return attention.to_out[0]((weights @ value).permute(0, 2, 1, 3).flatten(2))


@pytest.mark.rule("E54")
@pytest.mark.parametrize(("answer", "mean_query"), [(own_values, False), (blurred_queries, True)])
def test_only_the_named_rows_answer_differently(unet: UNet2DConditionModel, answer: Answer, mean_query: bool) -> None:
    attention = self_attentions(unet)[0]
    hidden = noise(4, 16, attention.to_q.in_features)
    plain = attention(hidden)
    before = state_of(unet)
    with SelfAttentionPatch(unet, answer) as patch:
        assert torch.equal(attention(hidden), plain)
        patch.rows = torch.tensor([1, 3])
        made = attention(hidden)
    torch.testing.assert_close(made[[0, 2]], plain[[0, 2]], atol=0, rtol=0)
    torch.testing.assert_close(made[[1, 3]], attention_map(attention, hidden, mean_query)[[1, 3]], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(made[1], plain[1], atol=1e-3)
    assert_bare(unet, before)


@pytest.mark.rule("E54")
@pytest.mark.parametrize(("kind", "places"), [("sd1", ["mid_block."]), ("sdxl", ["mid_block."])])
def test_it_is_the_middle_block_that_is_perturbed(kind: Kind, places: list[str]) -> None:
    unet = tiny_modules(kind).unet
    names = {module: name for name, module in unet.named_modules()}
    found = [names[module] for module in self_attentions(unet)]
    assert found
    assert all(name.startswith(tuple(places)) for name in found)
    other = [names[module] for module in self_attentions(unet, ("up_blocks",))]
    assert other
    assert all(name.startswith("up_blocks.") for name in other)


@pytest.mark.rule("E54", "E18")
def test_a_distilled_network_without_a_middle_is_perturbed_at_its_deepest_level() -> None:
    unet = tiny_modules("sdxl").unet
    unet.mid_block = None
    names = {module: name for name, module in unet.named_modules()}
    assert {names[module].split(".attentions")[0] for module in self_attentions(unet)} == {"down_blocks.1"}


@pytest.mark.rule("E105")
def test_an_exception_leaves_nothing_behind(unet: UNet2DConditionModel) -> None:
    before = state_of(unet)

    def fail(attention: Attention, hidden: Tensor) -> Tensor:
        raise RuntimeError("in the middle")

    patch = SelfAttentionPatch(unet, fail)

    def attend() -> None:
        with patch:
            patch.rows = torch.tensor([0])
            self_attentions(unet)[0](noise(1, 16, 64))

    with pytest.raises(RuntimeError, match="in the middle"):
        attend()
    assert patch.rows is None
    assert_bare(unet, before)
