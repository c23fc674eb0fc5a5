"""Wordings to conditioning: chunks through the text encoders of a model, weights applied, encoders joined side by side, chunks one after the other.

Each chunk is encoded on its own and kept under everything its hidden state depends on, so neither neighbours nor the cache can change a picture; weights
act afterwards, so turning one needs no encoder. Used so:

    settings = text_settings(request)
    conditioner = Conditioner(model, settings, loaded.encodings, networks=what of a prompt's networks acts on the model)
    conditioning = conditioner.encode(wording)               # or encode(wording, second=wording for the second encoder, networks=those in force)

`script.py` does this for all texts of a pass.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from sfumato.engine.embeddings import KeptEmbeddings, Vocabulary
from sfumato.engine.family import Model, TextEncoder
from sfumato.engine.networks.acting import ModelNetworks
from sfumato.engine.networks.shares import NO_SHARES, NOTHING, Acting, Shares
from sfumato.engine.text_encoding import Hidden, read_chunk
from sfumato.prompts import Chunk, ClipTokenizer, Embedding, Emphasis, Network, Placed, Wording, clip_tokenizer, framed
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate

CACHE_LIMIT_BYTES = 256 << 20
# Below this a mean cannot be restored by a factor.
_SMALLEST_MEAN = 1e-6
_EMPTY = Chunk((), ())
# The request field whose text encoder reads the second texts.
_SECOND = "clip_2"

Padding = Literal["off", "on", "v0"]


@dataclass(frozen=True)
class TextSettings:
    """How texts are encoded; names are those of the request.

    Attributes:
        clip_skip: layer that is read, from the end, 1 is the last; 0 is the family's own.
        emphasis: how weights act.
        attention_negative: "value": the size of a weight acts as usual, its sign turns the values of its tokens in cross-attention.
        comma_padding_backtrack: how far back a comma may be that ends a full chunk, in tokens.
        pad_conds: how prompt and negative are made equally long.
        zero_empty_negative: whether families that were trained so get zeros for an empty negative prompt.
    """

    clip_skip: int = 0
    emphasis: Emphasis = "original"
    attention_negative: Literal["embedding", "value"] = "embedding"
    comma_padding_backtrack: int = 20
    pad_conds: Padding = "off"
    zero_empty_negative: bool = True


def text_settings(request: Generate) -> TextSettings:
    """The request's own."""
    return TextSettings(**{name: getattr(request, name) for name in TextSettings.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What the network reads of one text.

    Attributes:
        context: (1, 77 * chunks, width), float32.
        pooled: (1, P), float32; None where the family wants none.
        signs: factors of `context` before it becomes values in cross-attention, shaped like it; None where all are 1.
        is_unrestored: weights cancelled the mean of a chunk, which was left as it is.
    """

    context: Tensor
    pooled: Tensor | None = None
    signs: Tensor | None = None
    is_unrestored: bool = False

    @property
    def length(self) -> int:
        return self.context.shape[1]


class EncodingCache:
    """Encoded chunks, least recently used out first, limited by bytes."""

    def __init__(self, limit_bytes: int = CACHE_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, Hidden] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], Hidden]) -> Hidden:
        """What is held under `key`, else what `make` makes, held from now on."""
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        made = make()
        self._held[key] = made
        self._bytes += made.nbytes
        while self._bytes > self._limit_bytes and len(self._held) > 1:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= dropped.nbytes
        return made

    @property
    def nbytes(self) -> int:
        return self._bytes

    def clear(self) -> None:
        self._held.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)


def emphasise(states: Tensor, weights: Tensor, mode: Emphasis, empty: Tensor | None = None) -> tuple[Tensor, bool]:
    """Apply token weights (77,) to a chunk's hidden state (1, 77, width), float32.

    `original` restores the mean that the weights changed; the second value tells that it could not. `interpolate` moves from `empty`, the hidden state of
    an empty chunk, by the weight towards the state.
    """
    if mode in ("ignore", "none") or bool((weights == 1).all()):
        return states, False
    factors = weights[None, :, None]
    if mode == "interpolate":
        assert empty is not None
        return empty + factors * (states - empty), False
    weighted = states * factors
    if mode == "no_norm":
        return weighted, False
    mean = weighted.mean()
    if float(mean.abs()) < _SMALLEST_MEAN:
        return weighted, True
    return weighted * (states.mean() / mean), False


class Conditioner:
    """Encodes the texts of one model under one set of settings.

    Args:
        networks: of the job; None if it names none, and none is in the encoders' weights.
        embeddings: that texts may name, whatever model they are for.
        files: keeper of what is read of those.
    """

    def __init__(
        self,
        model: Model,
        settings: TextSettings,
        cache: EncodingCache,
        tokenizer: ClipTokenizer | None = None,
        networks: ModelNetworks | None = None,
        embeddings: Sequence[Embedding] = (),
        files: KeptEmbeddings | None = None,
    ) -> None:
        self.model = model
        self.settings = settings
        self._cache = cache
        self._networks = networks
        self._tokenizer = tokenizer or clip_tokenizer()
        self._layer = settings.clip_skip or model.text.layer
        self._second = model.family.roles.get(_SECOND, "")
        self._vocabulary = Vocabulary(embeddings, files or KeptEmbeddings(), model.encoders, self._tokenizer)
        self._chunks: dict[tuple[Wording, tuple[Embedding, ...]], tuple[Chunk, ...]] = {}
        self._identities: dict[str, tuple[Hashable, ...]] = {}

    @property
    def warnings(self) -> tuple[JobWarning, ...]:
        """What of the settings this model cannot do, and what the texts so far named that it cannot use."""
        absent = max((encoder.absent for encoder in self.model.encoders), default=0)
        named = tuple(self._vocabulary.warnings)
        if self._layer > absent:
            return named
        message = f"'{self.model.checkpoint.name}' has no layer {self._layer} from the end of its text encoder; layer {absent + 1} was read."
        return (JobWarning(code="clip_skip", message=message, path="clip_skip"), *named)

    def chunks_of(self, wording: Wording, bundled: tuple[Embedding, ...] = ()) -> tuple[Chunk, ...]:
        """The chunks of a wording, at least one; `bundled` are embeddings that the networks of its picture bring along."""
        key = wording, bundled
        if key not in self._chunks:
            self._chunks[key] = self._vocabulary.lay_out(wording.pieces, self.settings.comma_padding_backtrack, bundled)
        return self._chunks[key]

    def passes(self, wording: Wording, second: Wording | None = None, bundled: tuple[Embedding, ...] = ()) -> int:
        """How many chunks `encode` will read, each by one encoder."""
        # A shorter text of one encoder is read as long as that of another.
        return len(self.model.encoders) * max(len(self.chunks_of(self._text_for(encoder, wording, second), bundled)) for encoder in self.model.encoders)

    def encode(
        self,
        wording: Wording,
        second: Wording | None = None,
        each: Callable[[], None] = lambda: None,
        networks: Sequence[Network] = (),
        bundled: tuple[Embedding, ...] = (),
    ) -> Conditioning:
        """The conditioning of one text.

        Args:
            second: what the second encoder reads instead.
            each: called before each chunk and encoder; may raise to stop.
            networks: with which it is read.
            bundled: embeddings that the networks of its picture bring along.
        """
        return self._encode([self.chunks_of(self._text_for(encoder, wording, second), bundled) for encoder in self.model.encoders], each, networks)

    def empty(self, networks: Sequence[Network] = ()) -> Conditioning:
        """The conditioning of the empty text."""
        return self._encode([(_EMPTY,) for _ in self.model.encoders], lambda: None, networks)

    def zeros(self) -> Conditioning:
        """Zeros of one chunk, for an empty negative prompt."""
        device = self.model.device.torch
        width = sum(encoder.width for encoder in self.model.encoders)
        context = torch.zeros((1, len(framed(_EMPTY)[0]), width), device=device)
        pooled = [encoder.projection for encoder in self.model.encoders if encoder.part == self.model.text.pooled]
        return Conditioning(context, torch.zeros((1, pooled[0].shape[0]), device=device) if pooled and pooled[0] is not None else None)

    @property
    def zeroes_empty_negative(self) -> bool:
        """Whether an empty negative prompt is zeros: for families that were trained so, unless the settings forbid it."""
        return self.model.text.zero_empty_negative and self.settings.zero_empty_negative

    def unconditional(self, networks: Sequence[Network] = ()) -> Conditioning:
        """The conditioning of an empty negative prompt."""
        return self.zeros() if self.zeroes_empty_negative else self.empty(networks)

    def acting(self, networks: Sequence[Network]) -> Acting:
        """What of networks acts on the model's denoiser."""
        return self._networks.acting(networks) if self._networks and networks else NOTHING

    def _text_for(self, encoder: TextEncoder, wording: Wording, second: Wording | None) -> Wording:
        return second if second is not None and encoder.part == self._second else wording

    def _encode(self, chunks: Sequence[Sequence[Chunk]], each: Callable[[], None], networks: Sequence[Network]) -> Conditioning:
        """`chunks` are those of each encoder; the shorter text is extended by empty chunks."""
        count = max(len(own) for own in chunks)
        contexts, signs, pooled, is_unrestored = [], [], None, False
        for encoder, own in zip(self.model.encoders, chunks, strict=True):
            states, turns = [], []
            shares = self._networks.reading(encoder, networks) if self._networks else NO_SHARES
            for number in range(count):
                each()
                state, turn, vector, unrestored = self._read(encoder, own[number] if number < len(own) else _EMPTY, shares)
                states.append(state)
                turns.append(turn)
                is_unrestored |= unrestored
                if number == 0 and vector is not None:
                    pooled = vector
            contexts.append(torch.cat(states, dim=1))
            signs.append(torch.cat(turns, dim=1))
        turned = torch.cat(signs, dim=-1)
        return Conditioning(torch.cat(contexts, dim=-1), pooled, turned if bool((turned < 0).any()) else None, is_unrestored)

    def _read(self, encoder: TextEncoder, chunk: Chunk, shares: Shares) -> tuple[Tensor, Tensor, Tensor | None, bool]:
        """(state, signs) (1, 77, width) of a chunk, its pooled vector, and whether its mean could not be restored."""
        tokens, numbers = framed(chunk, encoder.padding)
        hidden = self._hidden(encoder, tokens, shares, chunk.embeddings)
        mode = self.settings.emphasis
        weights = torch.tensor(numbers, dtype=torch.float32, device=hidden.states.device)
        turns = torch.ones_like(hidden.states)
        if self.settings.attention_negative == "value" and mode not in ("ignore", "none"):
            turns = turns * torch.where(weights < 0, -1.0, 1.0)[None, :, None]
            weights = weights.abs()
        empty = self._hidden(encoder, framed(_EMPTY, encoder.padding)[0], shares).states if mode == "interpolate" and max(numbers) != min(numbers) else None
        state, is_unrestored = emphasise(hidden.states, weights, mode, empty)
        return state, turns, hidden.pooled, is_unrestored

    def _hidden(self, encoder: TextEncoder, tokens: list[int], shares: Shares, placed: Sequence[Placed] = ()) -> Hidden:
        rule = self.model.text
        pooled = encoder.part == rule.pooled
        # Not the shares themselves, which would keep their files in memory.
        networks = tuple((share.identity, share.weight, share.rank) for share in shares)
        key = (*self._identity(encoder), networks, encoder.blocks(self._layer), rule.final_norm, tuple(tokens), self._vocabulary.identities(placed))

        def make() -> Hidden:
            if self._networks:
                self._networks.merge_into(encoder, shares)
            # The token that starts a chunk stands before its own.
            vectors = [(place + 1, table) for place, table in self._vocabulary.vectors(encoder, placed)]
            with workplace.using(encoder.tower):
                return read_chunk(encoder, tokens, self._layer, rule.final_norm, pooled, vectors, self.model.device.torch)

        workplace = self.model.workplace
        return self._cache.get(key, lambda: workplace.attempt("text", make))

    def _identity(self, encoder: TextEncoder) -> tuple[Hashable, ...]:
        """What an encoder's weights are: its own files, which may be others than the checkpoint's, and the numbers it computes in."""
        if encoder.part not in self._identities:
            checkpoint, device = self.model.checkpoint, self.model.device
            files = {str(stored.file) for stored in checkpoint.parts.get(encoder.part, {}).values()}
            own = tuple(entry for entry in checkpoint.identity if entry[0] in files)
            self._identities[encoder.part] = (encoder.part, own or checkpoint.identity, device.dtype_of(encoder.part), str(device.torch))
        return self._identities[encoder.part]


def extended(conditioning: Conditioning, length: int) -> Conditioning:
    """At `length` tokens by repeating the last vector, or cut."""
    missing = length - conditioning.length
    if missing <= 0:
        return _mapped(conditioning, lambda rows: rows[:, :length])
    return _mapped(conditioning, lambda rows: torch.cat([rows, rows[:, -1:].expand(-1, missing, -1)], dim=1))


def filled(conditioning: Conditioning, length: int, empty: Conditioning) -> Conditioning:
    """At `length` tokens by chunks of the empty text."""
    count = (length - conditioning.length) // empty.length
    if count <= 0:
        return conditioning
    context = torch.cat([conditioning.context, *[empty.context] * count], dim=1)
    signs = conditioning.signs
    if signs is not None:
        signs = torch.cat([signs, *[torch.ones_like(empty.context)] * count], dim=1)
    return replace(conditioning, context=context, signs=signs)


def _mapped(conditioning: Conditioning, change: Callable[[Tensor], Tensor]) -> Conditioning:
    signs = None if conditioning.signs is None else change(conditioning.signs)
    return replace(conditioning, context=change(conditioning.context), signs=signs)
