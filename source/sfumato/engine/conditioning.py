"""Prompts to conditioning: token chunks through a CLIP text tower, weights applied, chunks joined along the tokens.

The tower is walked layer by layer, only for hidden states; which layer is read, norms, weights and joins are decided here. Each chunk is encoded on
its own, so that neither neighbours nor the cache can change a picture.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import CLIPTextModel

from sfumato.engine.family import Model
from sfumato.engine.modules import clip_body
from sfumato.prompts.chunks import Chunk, framed

CACHE_LIMIT_BYTES = 256 << 20
# Below this a mean cannot be restored by a factor.
_SMALLEST_MEAN = 1e-6


@dataclass(frozen=True)
class Conditioning:
    """`context` (1, 77 * chunks, width), float32. `is_unrestored`: weights cancelled the mean of a chunk, which was left as it is."""

    context: Tensor
    is_unrestored: bool


class EncodingCache:
    """Encoded chunks, least recently used out first, limited by bytes."""

    def __init__(self, limit_bytes: int = CACHE_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, Conditioning] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], Conditioning]) -> Conditioning:
        """What is held under `key`, else what `make` makes, held from now on."""
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        made = make()
        self._held[key] = made
        self._bytes += made.context.nbytes
        while self._bytes > self._limit_bytes and len(self._held) > 1:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= dropped.context.nbytes
        return made

    def clear(self) -> None:
        self._held.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)


def clip_hidden(tower: CLIPTextModel, tokens: Tensor, layer: int) -> Tensor:
    """The hidden state of the `layer`-th layer from the end after the final norm.

    Args:
        tokens: (B, 77) ids.
        layer: 1 is the last layer.

    Returns:
        (B, 77, width) in the tower's number format.
    """
    body = clip_body(tower)
    hidden = body.embeddings(input_ids=tokens)
    length = tokens.shape[1]
    # Every token sees itself and those before it.
    mask = torch.full((length, length), torch.finfo(hidden.dtype).min, dtype=hidden.dtype, device=hidden.device).triu(1)[None, None]
    for block in body.encoder.layers[: len(body.encoder.layers) - layer + 1]:
        hidden = block(hidden, mask)
        if isinstance(hidden, tuple):  # transformers before 5
            hidden = hidden[0]
    return body.final_layer_norm(hidden)


def emphasise(hidden: Tensor, weights: Tensor, mode: str) -> Conditioning:
    """Apply token weights (77,) to a chunk's hidden state (1, 77, width), float32. `original` restores the mean the weights changed."""
    if mode in ("ignore", "none") or bool((weights == 1).all()):
        return Conditioning(hidden, False)
    weighted = hidden * weights[None, :, None]
    if mode == "no_norm":
        return Conditioning(weighted, False)
    mean = weighted.mean()
    if float(mean.abs()) < _SMALLEST_MEAN:
        return Conditioning(weighted, True)
    return Conditioning(weighted * (hidden.mean() / mean), False)


def encode(model: Model, chunks: Sequence[Chunk], layer: int, mode: str, cache: EncodingCache, each: Callable[[], None]) -> Conditioning:
    """Encode the chunks of one prompt and join them along the tokens.

    Args:
        layer: counted from the end, 1 is the last.
        mode: "original", "no_norm", "ignore" or "none".
        each: called before each chunk; may raise to stop.
    """
    encoded: list[Conditioning] = []
    identity = (model.checkpoint.identity, model.device.dtype, str(model.device.torch), layer, mode)
    for chunk in chunks:
        each()
        tokens, weights = framed(chunk)
        encoded.append(cache.get((identity, tuple(tokens), tuple(weights)), lambda t=tokens, w=weights: _encode_chunk(model, t, w, layer, mode)))
    return Conditioning(torch.cat([part.context for part in encoded], dim=1), any(part.is_unrestored for part in encoded))


def _encode_chunk(model: Model, tokens: list[int], weights: list[float], layer: int, mode: str) -> Conditioning:
    device = model.device.torch
    hidden = clip_hidden(model.encoders[0].tower, torch.tensor([tokens], device=device), layer).float()
    return emphasise(hidden, torch.tensor(weights, dtype=torch.float32, device=device), mode)
