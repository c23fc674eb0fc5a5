"""RetinaFace: a network that tells at every place of a picture whether a face is there, how large, and where its eyes, nose and mouth are.

Deng et al. 2019, with MobileNetV1 x 0.25 or ResNet-50 below. Modules are named as in the published weights ("mobilenet0.25_Final", "Resnet50_Final" and
facexlib's "detection_..." copies of them).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

# Anchors at each place; see `detection`.
_ANCHORS = 2
_NARROW = 64


def _normalised(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]


def _activated(inputs: int, outputs: int, slope: float, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*_normalised(inputs, outputs, kernel, stride), nn.LeakyReLU(slope, inplace=True))


def _separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A convolution within each channel, then one across them."""
    return nn.Sequential(
        *_normalised(inputs, inputs, 3, stride, groups=inputs), nn.LeakyReLU(0.1, inplace=True),
        *_normalised(inputs, outputs, 1), nn.LeakyReLU(0.1, inplace=True),
    )  # fmt: skip


class MobileNet(nn.Module):
    """MobileNetV1 with a quarter of its channels: (B, 3, h, w) -> features at 1/8, 1/16 and 1/32 of the size."""

    widths = (64, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            _activated(3, 8, 0.1, stride=2), *(_separable(*row) for row in ((8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)))
        )
        self.stage2 = nn.Sequential(_separable(64, 128, 2), *(_separable(128, 128, 1) for _ in range(5)))
        self.stage3 = nn.Sequential(_separable(128, 256, 2), _separable(256, 256, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in (self.stage1, self.stage2, self.stage3):
            x = stage(x)
            features.append(x)
        return features


class Bottleneck(nn.Module):
    """A block of ResNet-50: narrow, convolve, widen, add (He et al. 2015); the stride is at the middle convolution."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _normalised(inputs, width, 1)
        self.conv2, self.bn2 = _normalised(width, width, 3, stride)
        self.conv3, self.bn3 = _normalised(width, 4 * width, 1)
        is_same = stride == 1 and inputs == 4 * width
        self.downsample = nn.Identity() if is_same else nn.Sequential(*_normalised(inputs, 4 * width, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet50(nn.Module):
    """ResNet-50 without its last layers: (B, 3, h, w) -> features at 1/8, 1/16 and 1/32 of the size."""

    widths = (512, 1024, 2048)

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = _normalised(3, 64, 7, 2)
        inputs = 64
        for number, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 1):
            stride = 1 if number == 1 else 2
            layer = [Bottleneck(inputs, width, stride), *(Bottleneck(4 * width, width, 1) for _ in range(blocks - 1))]
            self.add_module(f"layer{number}", nn.Sequential(*layer))
            inputs = 4 * width

    def forward(self, x: Tensor) -> list[Tensor]:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        features = []
        for number in (1, 2, 3, 4):
            x = self.get_submodule(f"layer{number}")(x)
            features.append(x)
        return features[1:]


class Pyramid(nn.Module):
    """What is seen at small sizes added to what is seen at large ones."""

    def __init__(self, widths: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        slope = 0.1 if outputs <= _NARROW else 0.0
        self.output1, self.output2, self.output3 = (_activated(width, outputs, slope, 1) for width in widths)
        self.merge1, self.merge2 = (_activated(outputs, outputs, slope) for _ in range(2))

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = (layer(each) for layer, each in zip((self.output1, self.output2, self.output3), features, strict=True))
        middle = self.merge2(middle + functional.interpolate(coarse, size=middle.shape[-2:], mode="nearest"))
        fine = self.merge1(fine + functional.interpolate(middle, size=fine.shape[-2:], mode="nearest"))
        return [fine, middle, coarse]


class Context(nn.Module):
    """Fields of view of 3, 5 and 7 pixels side by side (Najibi et al. 2017, SSH)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        slope = 0.1 if width <= _NARROW else 0.0
        quarter = width // 4
        self.conv3X3 = nn.Sequential(*_normalised(width, width // 2))
        self.conv5X5_1 = _activated(width, quarter, slope)
        self.conv5X5_2 = nn.Sequential(*_normalised(quarter, quarter))
        self.conv7X7_2 = _activated(quarter, quarter, slope)
        self.conv7x7_3 = nn.Sequential(*_normalised(quarter, quarter))

    def forward(self, x: Tensor) -> Tensor:
        wide = self.conv5X5_1(x)
        return functional.relu(torch.cat([self.conv3X3(x), self.conv5X5_2(wide), self.conv7x7_3(self.conv7X7_2(wide))], dim=1))


class Head(nn.Module):
    """(B, width, h, w) -> (B, h * w * anchors, values)."""

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(width, _ANCHORS * values, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1x1(x).permute(0, 2, 3, 1).reshape(len(x), -1, self.values)


class RetinaFace(nn.Module):
    """(B, 3, h, w), blue, green and red in 0..255 less their means -> boxes (B, N, 4), chances (B, N), landmarks (B, N, 10), all relative to N anchors."""

    def __init__(self, body: MobileNet | ResNet50, width: int) -> None:
        super().__init__()
        self.body = body
        self.fpn = Pyramid(body.widths, width)
        self.ssh1, self.ssh2, self.ssh3 = (Context(width) for _ in range(3))
        self.ClassHead, self.BboxHead, self.LandmarkHead = (nn.ModuleList(Head(width, values) for _ in range(3)) for values in (2, 4, 10))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = [layer(each) for layer, each in zip((self.ssh1, self.ssh2, self.ssh3), self.fpn(self.body(x)), strict=True)]
        chances, boxes, landmarks = (
            torch.cat([head(each) for head, each in zip(heads, features, strict=True)], dim=1) for heads in (self.ClassHead, self.BboxHead, self.LandmarkHead)
        )
        return boxes, chances.softmax(dim=-1)[..., 1], landmarks


def network_for(shapes: Mapping[str, tuple[int, ...]]) -> RetinaFace | None:
    """The detector that these weights belong to, without them; None if they are no detector's."""
    if "fpn.output1.0.weight" not in shapes or "LandmarkHead.0.conv1x1.weight" not in shapes:
        return None
    width = shapes["fpn.output1.0.weight"][0]
    if "body.stage1.0.0.weight" in shapes:
        return RetinaFace(MobileNet(), width)
    return RetinaFace(ResNet50(), width) if "body.layer4.2.conv3.weight" in shapes else None
