"""Soft edges by PiDiNet, whose filters look at differences of pixels (Su et al., "Pixel Difference Networks", 2021; configuration carv4, 60 channels)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from sfumato.engine.annotators.networks.files import NetworkFile
from sfumato.engine.annotators.networks.seeing import as_bytes, as_tensor, scaled
from sfumato.engine.annotators.row import Bytes, Seen

_CHANNELS, _REDUCED = 60, 24
# Of a 3x3 filter's places, each one's neighbour around the middle.
_CLOCKWISE = (3, 0, 1, 6, 4, 2, 7, 8, 5)
# Of a 5x5 filter: where the eight outer weights of a 3x3 one go, and where their negatives.
_OUTER = (0, 2, 4, 10, 14, 20, 22, 24)
_INNER = (6, 7, 8, 11, 13, 16, 17, 18)


def _plain(weight: Tensor) -> Tensor:
    return weight


def _central(weight: Tensor) -> Tensor:
    """Differences to the middle pixel."""
    middle = torch.zeros_like(weight)
    middle[..., 1, 1] = weight.sum(dim=(2, 3))
    return weight - middle


def _angular(weight: Tensor) -> Tensor:
    """Differences to the neighbour around the middle."""
    flat = weight.flatten(2)
    return (flat - flat[..., list(_CLOCKWISE)]).view_as(weight)


def _radial(weight: Tensor) -> Tensor:
    """Differences of an outer ring to an inner one: a filter of 5x5."""
    flat = weight.flatten(2)
    wide = weight.new_zeros(*weight.shape[:2], 25)
    wide[..., list(_OUTER)] = flat[..., 1:]
    wide[..., list(_INNER)] = -flat[..., 1:]
    return wide.view(*weight.shape[:2], 5, 5)


Difference = Callable[[Tensor], Tensor]
# The sixteen convolutions in their order: central, angular, radial, plain, four times.
_ORDER: tuple[Difference, ...] = (_central, _angular, _radial, _plain) * 4


class _Differing(nn.Module):
    """A convolution without bias whose 3x3 weights are turned into differences first."""

    def __init__(self, difference: Difference, channels: int, wide: int, groups: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(wide, channels // groups, 3, 3))
        self._difference, self._groups = difference, groups

    def forward(self, values: Tensor) -> Tensor:
        weight = self._difference(self.weight)
        return nnf.conv2d(values, weight, padding=weight.shape[-1] // 2, groups=self._groups)


class _Block(nn.Module):
    """A difference and a mixing of channels, added to what it got; the first of a level halves the resolution."""

    def __init__(self, difference: Difference, channels: int, wide: int, halves: bool) -> None:
        super().__init__()
        self.conv1 = _Differing(difference, channels, channels, groups=channels)
        self.conv2 = nn.Conv2d(channels, wide, 1, bias=False)
        self.shortcut = nn.Conv2d(channels, wide, 1) if halves else None

    def forward(self, values: Tensor) -> Tensor:
        if self.shortcut is None:
            return values + self.conv2(nnf.relu(self.conv1(values)))
        values = nnf.max_pool2d(values, 2, ceil_mode=min(values.shape[-2:]) < 2)
        return self.shortcut(values) + self.conv2(nnf.relu(self.conv1(values)))


class _Spread(nn.Module):
    """Convolutions of four reaches, added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, _REDUCED, 1)
        for number, reach in enumerate((5, 7, 9, 11), 1):
            self.add_module(f"conv2_{number}", nn.Conv2d(_REDUCED, _REDUCED, 3, dilation=reach, padding=reach, bias=False))

    def forward(self, values: Tensor) -> Tensor:
        values = self.conv1(nnf.relu(values))
        parts = [self.get_submodule(f"conv2_{number}")(values) for number in (1, 2, 3, 4)]
        return parts[0] + parts[1] + parts[2] + parts[3]


class _Attention(nn.Module):
    """Where to look."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(_REDUCED, 4, 1)
        self.conv2 = nn.Conv2d(4, 1, 3, padding=1, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        return values * self.conv2(self.conv1(nnf.relu(values))).sigmoid()


class _Reduced(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(_REDUCED, 1, 1)

    def forward(self, values: Tensor) -> Tensor:
        return self.conv(values)


class PiDiNet(nn.Module):
    """(B, 3, H, W) in 0..1, channels blue, green, red -> edges (B, 1, H, W) in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.init_block = _Differing(_ORDER[0], 3, _CHANNELS)
        widths = (_CHANNELS, 2 * _CHANNELS, 4 * _CHANNELS, 4 * _CHANNELS)
        place, channels = 1, _CHANNELS
        for level, wide in enumerate(widths, 1):
            for number in range(1, 4 if level == 1 else 5):
                self.add_module(f"block{level}_{number}", _Block(_ORDER[place], channels, wide, halves=level > 1 and number == 1))
                place, channels = place + 1, wide
        self.dilations = nn.ModuleList(_Spread(wide) for wide in widths)
        self.attentions = nn.ModuleList(_Attention() for _ in widths)
        self.conv_reduces = nn.ModuleList(_Reduced() for _ in widths)
        self.classifier = nn.Conv2d(4, 1, 1)

    def forward(self, values: Tensor) -> Tensor:
        size = (values.shape[-2], values.shape[-1])
        values = self.init_block(values)
        said = []
        for level in range(4):
            for number in range(1, 4 if level == 0 else 5):
                values = self.get_submodule(f"block{level + 1}_{number}")(values)
            seen = self.attentions[level](self.dilations[level](values))
            said.append(scaled(self.conv_reduces[level](seen), size))
        return self.classifier(torch.cat(said, dim=1)).sigmoid()


FILE = NetworkFile(
    "table5_pidinet",
    "PiDiNet",
    "the project lllyasviel/Annotators",
    PiDiNet,
    lambda name: name.removeprefix("state_dict.").removeprefix("module."),
)


def soft_edges(seen: Seen) -> Bytes:
    """(H, W): as sure as the network is of an edge."""
    network = seen.networks.open(FILE)
    with torch.inference_mode():
        return as_bytes(network(as_tensor(seen.pixels, seen.device).flip(1) / 255))
