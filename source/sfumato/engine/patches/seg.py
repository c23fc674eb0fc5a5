"""Smoothed-energy guidance (Hong 2024): attention whose weights are blurred over the picture.

Blurring the weights before the softmax is blurring the queries, which are linear in them. The blur is as wide as it gets, the paper's strongest: all
queries become their mean, so every token is answered alike.
"""

from __future__ import annotations

from diffusers.models.attention_processor import Attention
from torch import Tensor
from torch.nn import functional

from sfumato.engine.patches.self_attention import projected_out


def blurred_queries(attention: Attention, hidden: Tensor) -> Tensor:
    """One mean query for all tokens, attending to all of them."""

    def heads(rows: Tensor) -> Tensor:
        return rows.unflatten(-1, (attention.heads, -1)).transpose(1, 2)

    assert attention.to_k is not None
    assert attention.to_v is not None
    # The mean of the queries is the query of the mean: the projection is linear.
    query = heads(attention.to_q(hidden.mean(dim=1, keepdim=True)))
    seen = functional.scaled_dot_product_attention(query, heads(attention.to_k(hidden)), heads(attention.to_v(hidden)), scale=attention.scale)
    return projected_out(attention, seen.transpose(1, 2).flatten(2)).expand_as(hidden)
