"""One chunk of tokens through one CLIP text tower: the hidden state of a layer, and the pooled vector.

The tower is walked block by block, only for hidden states; which layer is read, whether it is normed and what becomes of it is decided outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from sfumato.engine.family import TextEncoder
from sfumato.engine.modules import clip_body
from sfumato.prompts.tokenizer import END


@dataclass(frozen=True, eq=False)
class Hidden:
    """What a tower made of one chunk: `states` (1, 77, width) and `pooled` (1, P), None if it was not asked for; float32."""

    states: Tensor
    pooled: Tensor | None = None

    @property
    def nbytes(self) -> int:
        return self.states.nbytes + (0 if self.pooled is None else self.pooled.nbytes)


def read_chunk(
    encoder: TextEncoder,
    tokens: Sequence[int],
    layer: int,
    final_norm: bool,
    pooled: bool,
    vectors: Sequence[tuple[int, Tensor]] = (),
    device: torch.device | None = None,
) -> Hidden:
    """One pass of a tower.

    Args:
        tokens: 77 ids, start and end among them.
        layer: counted from the end of the tower as it was made, 1 is the last.
        final_norm: whether the tower's last norm is applied to that layer.
        pooled: whether the pooled vector is wanted: last layer, normed, at the (first) end token, projected.
        vectors: (place, (k, width)) that the tower reads instead of what it knows of the k tokens from that place on.
        device: on which the tower works, where its weights wait elsewhere; None = where they are.
    """
    body = clip_body(encoder.tower)
    known: Any = body.embeddings.token_embedding
    words = known(torch.tensor([list(tokens)], device=device or known.weight.device))
    for place, table in vectors:
        words[0, place : place + len(table)] = table.to(words)
    hidden = body.embeddings(inputs_embeds=words)
    mask = _causal(hidden)
    wanted = encoder.blocks(layer)
    states = hidden
    # Kept between jobs, so its bits must not tell by which kernels the job that asked first computed.
    with sdpa_kernel(SDPBackend.MATH):
        for number, block in enumerate(body.encoder.layers, 1):
            hidden = _through(block, hidden, mask)
            if number == wanted:
                states = hidden
                if not pooled:
                    break
    if final_norm:
        states = body.final_layer_norm(states)
    if not pooled or encoder.projection is None:
        return Hidden(states.float())
    last = body.final_layer_norm(hidden[:, list(tokens).index(END)])
    return Hidden(states.float(), functional.linear(last, encoder.projection.to(last.device)).float())


def _causal(hidden: Tensor) -> Tensor:
    """Every token sees itself and those before it."""
    length = hidden.shape[1]
    return torch.full((length, length), torch.finfo(hidden.dtype).min, dtype=hidden.dtype, device=hidden.device).triu(1)[None, None]


def _through(block: torch.nn.Module, hidden: Tensor, mask: Tensor) -> Tensor:
    out = block(hidden, mask)
    return out[0] if isinstance(out, tuple) else out  # a tuple before transformers 5
