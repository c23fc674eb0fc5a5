"""From an encoded picture to tokens that attention reads beside the text's. Weights are called as in the files. Rule: E83.

The construction is that of the original IP-Adapter project; the resampler is Flamingo's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sfumato.engine.image_prompts.shapes import HEAD_WIDTH, AdapterShape
from sfumato.engine.modules import unfilled


class Plain(nn.Module):
    """One layer from the embedding (B, E) to (B, tokens, width)."""

    def __init__(self, shape: AdapterShape) -> None:
        super().__init__()
        self.proj = nn.Linear(shape.picture_width, shape.tokens * shape.context_width)
        self.norm = nn.LayerNorm(shape.context_width)

    def forward(self, picture: Tensor) -> Tensor:
        return self.norm(self.proj(picture).unflatten(-1, (-1, self.norm.normalized_shape[0])))


class Full(nn.Module):
    """Two layers for every token of the picture, (B, n, E) -> (B, n, width)."""

    def __init__(self, shape: AdapterShape) -> None:
        super().__init__()
        width = shape.picture_width
        self.proj = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, shape.context_width), nn.LayerNorm(shape.context_width))

    def forward(self, picture: Tensor) -> Tensor:
        return self.proj(picture)


class _Perceiving(nn.Module):
    """Attention of the queries to the picture and to themselves."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        inner = heads * HEAD_WIDTH
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)

    def forward(self, picture: Tensor, queries: Tensor) -> Tensor:
        queries = self.norm2(queries)
        seen = torch.cat([self.norm1(picture), queries], dim=1)
        query, key, value = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in (self.to_q(queries), *self.to_kv(seen).chunk(2, dim=-1)))
        return self.to_out(functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Plus(nn.Module):
    """A resampler: learnt queries look at the picture's tokens, (B, n, E) -> (B, tokens, width)."""

    def __init__(self, shape: AdapterShape, wider: int) -> None:
        super().__init__()
        width = shape.inner_width
        self.latents = nn.Parameter(torch.empty(1, shape.tokens, width))
        self.proj_in = nn.Linear(shape.picture_width, width)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    _Perceiving(width, shape.heads),
                    nn.Sequential(nn.LayerNorm(width), nn.Linear(width, wider, bias=False), nn.GELU(), nn.Linear(wider, width, bias=False)),
                ]
            )
            for _ in range(shape.layers)
        )
        self.proj_out = nn.Linear(width, shape.context_width)
        self.norm_out = nn.LayerNorm(shape.context_width)

    def forward(self, picture: Tensor) -> Tensor:
        picture = self.proj_in(picture)
        queries = self.latents.expand(len(picture), -1, -1)
        for perceive, feed in self.layers:  # type: ignore[misc]  a list of two modules each
            queries = queries + perceive(picture, queries)
            queries = queries + feed(queries)
        return self.norm_out(self.proj_out(queries))


class Adapter(nn.Module):
    """All weights of an adapter: `image_proj`, and `ip_adapter` with keys and values for each attention to the text, in the file's order."""

    def __init__(self, shape: AdapterShape, numbers: list[int], wider: int = 0) -> None:
        super().__init__()
        self.image_proj = Plus(shape, wider) if shape.projection == "plus" else (Full if shape.projection == "full" else Plain)(shape)
        pairs = {}
        for number, width in zip(numbers, shape.widths, strict=True):
            pair = {name: nn.Linear(shape.context_width, width, bias=False) for name in ("to_k_ip", "to_v_ip")}
            pairs[str(number)] = nn.ModuleDict(pair)
        self.ip_adapter = nn.ModuleDict(pairs)

    def forward(self, picture: Tensor) -> list[tuple[Tensor, Tensor]]:
        """What is read of an encoded picture -> keys and values (B, tokens, width) for each attention."""
        return self.pairs(self.image_proj(picture))

    def pairs(self, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        return [(pair["to_k_ip"](tokens), pair["to_v_ip"](tokens)) for pair in self.ip_adapter.values()]  # type: ignore[index]


def build_adapter(shape: AdapterShape, numbers: list[int], wider: int) -> Adapter:
    """An empty one (meta device). `wider`: inner width of the resampler's feed-forward layers."""
    with torch.device("meta"), unfilled():
        return Adapter(shape, numbers, wider)
