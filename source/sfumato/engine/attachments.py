"""What a pass may add to the network's evaluations beside its inputs: control, image prompts, networks.

An `Attachment` is entered with the network's other patches, is shown the rows of every group once, and then stands around each evaluation of that group; what
it returns there is added to the network's features.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from sfumato.engine.denoiser import Row
    from sfumato.engine.family import Model


@dataclass(frozen=True)
class Moment:
    """Where in a pass an evaluation stands: the number of the call, and of how many planned."""

    call: int = 0
    planned: int = 1

    @property
    def share(self) -> float:
        return self.call / self.planned


BEGINNING = Moment()


@dataclass(frozen=True, eq=False)
class NetworkCall:
    """One evaluation of a group of rows, as the network gets it.

    Attributes:
        latents: (R, C, h, w), scaled, in the network's number format; without the channels that only inpainting and pix2pix networks see.
        time: (1,) float32, in training steps.
        context: (R, tokens, width); `added`: the vector's parts, if the network wants one.
        moment, sigma: when.
    """

    latents: Tensor
    time: Tensor
    context: Tensor
    added: dict[str, Tensor] | None
    moment: Moment
    sigma: float


@dataclass(frozen=True, eq=False)
class Residuals:
    """What is added to the network's features, each shaped as the feature it is added to, rows first; None where nothing is.

    Attributes:
        down: to each of the skip connections.
        middle: to the middle block's output.
        within: at the end of each level of the way down (T2I-Adapter).
    """

    down: tuple[Tensor, ...] | None = None
    middle: Tensor | None = None
    within: tuple[Tensor, ...] | None = None


class Attachment(Protocol):
    """Something that acts while the network is evaluated."""

    def attached(self, model: Model) -> AbstractContextManager[None]:
        """Entered for a pass; leaves the model exactly as it was found."""
        ...

    def prepare(self, rows: Sequence[Row], batch: int) -> Any:
        """Make ready for evaluations of these rows, over a batch of so many images."""
        ...

    def around(self, prepared: Any, call: NetworkCall) -> AbstractContextManager[Residuals | None]:
        """Entered for one evaluation of the rows that `prepared` was made for."""
        ...


def summed(residuals: Sequence[Residuals | None]) -> dict[str, Any]:
    """All that several attachments add, as arguments of a diffusers UNet."""
    told = [each for each in residuals if each is not None]
    down = _added([each.down for each in told if each.down is not None])
    within = _added([each.within for each in told if each.within is not None])
    middle = _added([(each.middle,) for each in told if each.middle is not None])
    arguments: dict[str, Any] = {}
    if down is not None or middle is not None:
        arguments |= {"down_block_additional_residuals": down, "mid_block_additional_residual": None if middle is None else middle[0]}
    if within is not None:
        arguments["down_intrablock_additional_residuals"] = list(within)
    return arguments


def _added(features: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...] | None:
    if not features:
        return None
    total = features[0]
    for more in features[1:]:
        total = tuple(one + other for one, other in zip(total, more, strict=True))
    return total
