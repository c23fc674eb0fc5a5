"""Real-ESRGAN's compact network: plain convolutions, pixels shuffled out at the end, added to the nearest-neighbour enlargement.

Wang et al. 2021 (Real-ESRGAN), its release "realesr-animevideov3" and "realesr-general-x4v3".
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Compact(nn.Module):
    """(B, inputs, h, w) -> (B, outputs, h * scale, w * scale)."""

    def __init__(self, inputs: int, outputs: int, features: int, convolutions: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(inputs, features, 3, padding=1), nn.PReLU(features)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(features, features, 3, padding=1), nn.PReLU(features)]
        self.body = nn.Sequential(*layers, nn.Conv2d(features, outputs * scale**2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        base = functional.interpolate(x, scale_factor=self.scale, mode="nearest")
        return functional.pixel_shuffle(self.body(x), self.scale) + base
