"""Soft edges by the HED network that its author trained anew for ControlNets (Xie and Tu, 2015; L. Zhang's Apache-licensed version, ControlNetHED)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from sfumato.engine.annotators.edges import blurred
from sfumato.engine.annotators.networks.files import NetworkFile
from sfumato.engine.annotators.networks.seeing import as_bytes, as_tensor, scaled
from sfumato.engine.annotators.row import Bytes, Seen

_NEIGHBOURS = (((0, -1), (0, 1)), ((-1, 0), (1, 0)), ((-1, -1), (1, 1)), ((-1, 1), (1, -1)))


class _Block(nn.Module):
    """Convolutions at one resolution, and what they say of edges there."""

    def __init__(self, channels: int, wide: int, count: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels if number == 0 else wide, wide, 3, padding=1) for number in range(count))
        self.projection = nn.Conv2d(wide, 1, 1)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        for conv in self.convs:
            values = nnf.relu(conv(values))
        return values, self.projection(values)


class HedNetwork(nn.Module):
    """(B, 3, H, W) in 0..255 -> edges (B, 1, H, W) in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.Parameter(torch.zeros(1, 3, 1, 1))
        widths = (3, 64, 128, 256, 512, 512)
        for number, count in enumerate((2, 2, 3, 3, 3), 1):
            self.add_module(f"block{number}", _Block(widths[number - 1], widths[number], count))

    def forward(self, values: Tensor) -> Tensor:
        size = (values.shape[-2], values.shape[-1])
        values = values - self.norm
        said = []
        for number in range(1, 6):
            values, edges = self.get_submodule(f"block{number}")(values if number == 1 else nnf.max_pool2d(values, 2, ceil_mode=min(values.shape[-2:]) < 2))
            said.append(scaled(edges, size))
        return torch.stack(said).mean(dim=0).sigmoid()


FILE = NetworkFile("ControlNetHED", "HED network", "the project lllyasviel/Annotators", HedNetwork)


def soft_edges(seen: Seen) -> Bytes:
    """(H, W): as sure as the network is of an edge."""
    network = seen.networks.open(FILE)
    with torch.inference_mode():
        return as_bytes(network(as_tensor(seen.pixels, seen.device)))


def scribble(seen: Seen) -> Bytes:
    """(H, W), black and white: the ridges of the soft edges as broad strokes."""
    smooth = blurred(soft_edges(seen), 3.0)
    around = np.pad(smooth, 1, mode="edge")
    height, width = smooth.shape

    def at(place: tuple[int, int]) -> np.ndarray:
        return around[1 + place[0] : 1 + place[0] + height, 1 + place[1] : 1 + place[1] + width]

    ridges = np.any([(smooth >= at(first)) & (smooth >= at(second)) for first, second in _NEIGHBOURS], axis=0) & (smooth > 127)
    return np.where(blurred(np.where(ridges, 255, 0), 3.0) > 4, 255, 0).astype(np.uint8)
