"""Straight lines by M-LSD (Gu et al., "Towards Light-weight and Real-time Line Segment Detection", 2022; the large model at 512 pixels)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as nnf
from PIL import Image, ImageDraw
from torch import Tensor, nn

from sfumato.engine.annotators.networks.files import NetworkFile
from sfumato.engine.annotators.networks.seeing import as_tensor, scaled
from sfumato.engine.annotators.row import Bytes, Seen

Line = tuple[float, float, float, float]

_MULTIPLE = 64
_LINES_AT_MOST = 200
# Of MobileNetV2's blocks: expansion, channels, repetitions, stride of the first; and which of its layers are looked at.
_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
_LOOKED_AT = (1, 3, 6, 10, 13)


class _Conv(nn.Sequential):
    """A stride of two pads at the right and below alone, as the network was trained."""

    def __init__(self, channels: int, wide: int, side: int = 3, stride: int = 1, groups: int = 1) -> None:
        padding = 0 if stride == 2 else side // 2
        super().__init__(nn.Conv2d(channels, wide, side, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(wide), nn.ReLU6())
        self._pads = stride == 2

    def forward(self, values: Tensor) -> Tensor:
        return super().forward(nnf.pad(values, (0, 1, 0, 1)) if self._pads else values)


class _Inverted(nn.Module):
    def __init__(self, channels: int, wide: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        first = [_Conv(channels, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(*first, _Conv(hidden, hidden, 3, stride, hidden), nn.Conv2d(hidden, wide, 1, bias=False), nn.BatchNorm2d(wide))
        self._adds = stride == 1 and channels == wide

    def forward(self, values: Tensor) -> Tensor:
        return values + self.conv(values) if self._adds else self.conv(values)


class _Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_Conv(4, 32, stride=2)]
        channels = 32
        for expansion, wide, count, stride in _BLOCKS:
            for number in range(count):
                layers.append(_Inverted(channels, wide, stride if number == 0 else 1, expansion))
                channels = wide
        self.features = nn.Sequential(*layers)

    def forward(self, values: Tensor) -> list[Tensor]:
        seen = []
        for number, layer in enumerate(self.features):
            values = layer(values)
            if number in _LOOKED_AT:
                seen.append(values)
        return seen


def _normed(channels: int, wide: int, side: int, reach: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, wide, side, padding=reach * (side // 2), dilation=reach), nn.BatchNorm2d(wide), nn.ReLU())


class _Joined(nn.Module):
    """What a finer level sees beside what a coarser one sees."""

    def __init__(self, fine: int, coarse: int, grows: bool = True) -> None:
        super().__init__()
        self.conv1 = _normed(coarse, 64, 1)
        self.conv2 = _normed(fine, 64, 1)
        self._grows = grows

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        coarse = self.conv1(coarse)
        if self._grows:
            coarse = nnf.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=True)
        return torch.cat((self.conv2(fine), coarse), dim=1)


class _Refined(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _normed(128, 128, 3)
        self.conv2 = _normed(128, 64, 3)

    def forward(self, values: Tensor) -> Tensor:
        return self.conv2(self.conv1(values) + values)


class _Last(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _normed(64, 64, 3, reach=5)
        self.conv2 = _normed(64, 64, 3)
        self.conv3 = nn.Conv2d(64, 16, 1)

    def forward(self, values: Tensor) -> Tensor:
        return self.conv3(self.conv2(self.conv1(values)))


class LineNetwork(nn.Module):
    """(B, 4, H, W), red, green, blue and ones in -1..1, sides multiples of 16 -> (B, 9, H/2, W/2): how likely each place is the middle of a line (as a logit),
    and how far from it the line's two ends are (x, y, x, y); the rest was for training."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _Backbone()
        for number, (fine, coarse) in zip((15, 17, 19, 21), ((64, 96), (32, 64), (24, 64), (16, 64)), strict=True):
            self.add_module(f"block{number}", _Joined(fine, coarse, grows=number > 15))
            self.add_module(f"block{number + 1}", _Refined())
        self.block23 = _Last()

    def forward(self, values: Tensor) -> Tensor:
        *finer, values = self.backbone(values)
        for number, fine in zip((15, 17, 19, 21), reversed(finer), strict=True):
            values = self.get_submodule(f"block{number + 1}")(self.get_submodule(f"block{number}")(fine, values))
        return self.block23(values)[:, 7:]


FILE = NetworkFile("mlsd_large_512_fp32", "M-LSD network", "the project lllyasviel/ControlNet, folder annotator/ckpts", LineNetwork)


def lines_of(found: Tensor, score: float, length: float) -> Iterator[Line]:
    """The lines (x, y, x, y) in pixels of the network's input, the likeliest first.

    Args:
        found: (1, 9, h, w), what `LineNetwork` says.
        score: least likelihood of a line's middle, 0..1.
        length: least distance of its ends, in pixels of `found`.
    """
    likely = found[0, 0].sigmoid()
    peaks = likely * (nnf.max_pool2d(likely[None, None], 3, stride=1, padding=1)[0, 0] == likely)
    best = torch.topk(peaks.flatten(), min(_LINES_AT_MOST, peaks.numel()))
    wide = found.shape[-1]
    for likelihood, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        y, x = divmod(place, wide)
        left, top, right, bottom = found[0, 1:5, y, x].tolist()
        if likelihood > score and np.hypot(left - right, top - bottom) > length:
            yield 2 * (x + left), 2 * (y + top), 2 * (x + right), 2 * (y + bottom)


def straight_lines(seen: Seen, score: float, length: float) -> Bytes:
    """(H, W): straight lines of one pixel, for rooms and buildings."""
    network = seen.networks.open(FILE)
    height, width, _ = seen.pixels.shape
    size = tuple(max(_MULTIPLE, round(side / _MULTIPLE) * _MULTIPLE) for side in (height, width))
    with torch.inference_mode():
        shown = scaled(as_tensor(seen.pixels, seen.device), (size[0], size[1]))
        found = network(torch.cat([shown, torch.ones_like(shown[:, :1])], dim=1) / 127.5 - 1).cpu()
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    across, down = width / size[1], height / size[0]
    for left, top, right, bottom in lines_of(found, score, length):
        pen.line([(int(left * across), int(top * down)), (int(right * across), int(bottom * down))], fill=255)
    return np.asarray(image)
