"""How much a control acts, when, where and on which side of the guidance. Rules: E81, E82.

The factors of the modes are those of AUTOMATIC1111's ControlNet extension: where the prompt is to win, the features of the outer layers count less; where the
control is to win, the same, and the negative side gets none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

from sfumato.engine.attachments import Moment
from sfumato.engine.denoiser import Row
from sfumato.protocol.requests.control import ControlUnit

_FALLOFF = 0.825
_ADAPTER_FACTORS = (0.25, 0.62, 0.825, 1.0)
# Shares of a pass are quotients of whole numbers.
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Steering:
    """What a unit asks of its evaluation.

    Attributes:
        start, end: shares of a pass.
        mode: "balanced", "prompt" or "control".
        mask: (B or 1, 1, h, w) in 0..1 of the latents' size: where it acts; None is everywhere.
    """

    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mode: str = "balanced"
    guess: bool = False
    mask: Tensor | None = None

    @classmethod
    def of(cls, unit: ControlUnit, mask: Tensor | None = None) -> Steering:
        return cls(unit.weight, unit.start, unit.end, unit.mode, unit.guess, mask)

    def acts(self, moment: Moment) -> bool:
        """start <= c/N <= end."""
        return self.start - _TINY <= moment.share <= self.end + _TINY

    @property
    def spares_negative(self) -> bool:
        """Whether the negative side gets nothing."""
        return self.guess or self.mode == "control"

    def control_net_factors(self, count: int) -> tuple[float, ...]:
        """For each of `count` features, from the outermost to the middle block's."""
        return tuple(self.weight * (1.0 if self.mode == "balanced" else _FALLOFF ** (count - 1 - place)) for place in range(count))

    def adapter_factors(self, count: int) -> tuple[float, ...]:
        """For each of `count` levels, from the outermost."""
        factors = (1.0,) * count if self.mode == "balanced" else (*_ADAPTER_FACTORS, *(1.0,) * count)[:count]
        return tuple(self.weight * factor for factor in factors)


@dataclass(frozen=True, eq=False)
class Acted:
    """The rows of a group that a unit acts on.

    Attributes:
        count: rows in the group.
        places: of those acted on (n,), None if it is all of them.
        images: place in the batch of each row acted on (n,).
    """

    count: int
    places: Tensor | None
    images: Tensor

    @classmethod
    def of(cls, rows: Sequence[Row], steering: Steering, device: torch.device) -> Acted | None:
        """None if there are none."""
        places = [place for place, row in enumerate(rows) if not (row.is_negative and steering.spares_negative)]
        if not places:
            return None
        images = torch.tensor([rows[place].image for place in places], device=device)
        return cls(len(rows), None if len(places) == len(rows) else torch.tensor(places, device=device), images)

    def taken(self, each: Tensor) -> Tensor:
        """Of something for each row of the group, that of the rows acted on."""
        return each if self.places is None else each.index_select(0, self.places)

    def of_images(self, each: Tensor) -> Tensor:
        """Of something for each image, or one for all, that of the rows acted on."""
        return each.expand(len(self.images), *each.shape[1:]) if each.shape[0] == 1 else each.index_select(0, self.images)

    def spread(self, feature: Tensor) -> Tensor:
        """What the rows acted on get, as what all rows get: nothing for the others."""
        if self.places is None:
            return feature
        spread = feature.new_zeros((self.count, *feature.shape[1:]))
        return spread.index_copy_(0, self.places, feature)


def masked(feature: Tensor, mask: Tensor | None, size: Sequence[int]) -> Tensor:
    """A feature (n, C, h, w), or (n, C, 1, 1) for the whole of `size` (h, w), where its mask is open; the mask is averaged to its size."""
    return feature if mask is None else feature * nnf.adaptive_avg_pool2d(mask, (size[0], size[1])).to(feature.dtype)
