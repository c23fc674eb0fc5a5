"""What of a network acts on one part of a model, and how strongly: the engine's side of a tag in a prompt. Rules: E88, P37, P39, P42."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from sfumato.engine.layouts.original import UNET
from sfumato.prompts.blocks import BlockWeights

if TYPE_CHECKING:
    from sfumato.engine.networks.delta import Delta
    from sfumato.engine.networks.file import NetworkFile
    from sfumato.engine.networks.hypernetworks import Hypernetwork
    from sfumato.engine.networks.names import Target


@dataclass(frozen=True)
class Share:
    """A network file at a strength. Equal shares change a weight equally.

    Attributes:
        weight: factor on its changes.
        rank: ranks kept of it, None for all.
        blocks: further factors on the blocks of the denoiser, None for 1 throughout.
    """

    file: NetworkFile = field(compare=False, repr=False)
    weight: float
    rank: int | None = None
    blocks: BlockWeights | None = None
    identity: Hashable = field(init=False)

    def __post_init__(self) -> None:
        # Readings of one file, for different models or after it was let go, are one network.
        object.__setattr__(self, "identity", self.file.identity)

    def factor(self, target: Target) -> float:
        """The strength at one weight. What belongs to no block (time embedding, last convolution) has the network's own."""
        if self.blocks is None or target.part != UNET:
            return self.weight
        return self.weight * self._factors.get(self.file.block(target), 1.0)

    @cached_property
    def _factors(self) -> dict[str, float]:
        return dict(self.blocks.blocks) if self.blocks else {}


Shares = tuple[Share, ...]
NO_SHARES: Shares = ()


@dataclass(frozen=True)
class Acting:
    """All networks that act on the denoiser for one side of one image; hypernetworks with their strengths, in the order in which they are chained."""

    shares: Shares = NO_SHARES
    hypernetworks: tuple[tuple[Hypernetwork, float], ...] = ()


NOTHING = Acting()


def arranged(shares: Iterable[Share]) -> Shares:
    """In an order that does not depend on the prompt's, so that equal sets are equal tuples and sums are rounded alike."""
    return tuple(sorted(shares, key=lambda share: (str(share.identity), share.weight, share.rank or 0, str(share.blocks))))


def shared_by_all(sets: Sequence[Shares]) -> Shares:
    """The shares that every one of these sets holds."""
    common = list(sets[0]) if sets else []
    for shares in sets[1:]:
        left, kept = list(shares), []
        for share in common:
            if share in left:
                left.remove(share)
                kept.append(share)
        common = kept
    return tuple(common)


class Change(NamedTuple):
    """What one network does to one weight."""

    delta: Delta
    factor: float
    rank: int | None


Changes = Mapping["Target", tuple[Change, ...]]


def changes_of(shares: Shares, part: str) -> Changes:
    """All that shares do to a part of a model, by weight; what has factor 0 is left out."""
    found: dict[Target, list[Change]] = {}
    for share in shares:
        for target, delta in share.file.deltas.items():
            if target.part == part and (factor := share.factor(target)):
                found.setdefault(target, []).append(Change(delta, factor, share.rank))
    return {target: tuple(changes) for target, changes in found.items()}
