"""ESRGAN's network, also that of Real-ESRGAN and BSRGAN: residual in residual dense blocks.

Wang et al. 2018 (ESRGAN, figure 4), Wang et al. 2021 (Real-ESRGAN: smaller factors by unshuffling the input's pixels). Parameters are named as Real-ESRGAN
names them; `builtin` renames those of the others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Share of a block's output that is added to its input.
_RESIDUAL = 0.2
_SLOPE = 0.2
_CONVOLUTIONS = 5


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees what all before it made."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for number in range(_CONVOLUTIONS):
            outputs = growth if number < _CONVOLUTIONS - 1 else features
            self.add_module(f"conv{number + 1}", _convolution(features + number * growth, outputs))

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for number in range(1, _CONVOLUTIONS):
            seen.append(functional.leaky_relu(self.get_submodule(f"conv{number}")(torch.cat(seen, 1)), _SLOPE, inplace=True))
        return self.get_submodule(f"conv{_CONVOLUTIONS}")(torch.cat(seen, 1)) * _RESIDUAL + x


class ResidualDenseBlock(nn.Module):
    """Three dense blocks in a row."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (DenseBlock(features, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.rdb3(self.rdb2(self.rdb1(x))) * _RESIDUAL + x


class Rrdb(nn.Module):
    """(B, colours, h, w) -> (B, colours, h * 2^doublings / unshuffle, w * ...).

    Args:
        colours: of the picture, in and out.
        unshuffle: side of the squares of pixels that become channels first.
        doublings: how often the features are doubled in size.
    """

    def __init__(self, inputs: int, outputs: int, features: int, growth: int, blocks: int, doublings: int, unshuffle: int) -> None:
        super().__init__()
        self.unshuffle, self.doublings = unshuffle, doublings
        self.conv_first = _convolution(inputs * unshuffle**2, features)
        self.body = nn.Sequential(*(ResidualDenseBlock(features, growth) for _ in range(blocks)))
        self.conv_body = _convolution(features, features)
        for number in range(doublings):
            self.add_module(f"conv_up{number + 1}", _convolution(features, features))
        self.conv_hr = _convolution(features, features)
        self.conv_last = _convolution(features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if self.unshuffle > 1:
            beyond = (0, -width % self.unshuffle, 0, -height % self.unshuffle)
            # A side of a pixel or two has too little to mirror.
            mode = "reflect" if beyond[1] < width and beyond[3] < height else "replicate"
            x = functional.pixel_unshuffle(functional.pad(x, beyond, mode=mode) if any(beyond) else x, self.unshuffle)
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        for number in range(self.doublings):
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = functional.leaky_relu(self.get_submodule(f"conv_up{number + 1}")(x), _SLOPE, inplace=True)
        x = self.conv_last(functional.leaky_relu(self.conv_hr(x), _SLOPE, inplace=True))
        scale = 2**self.doublings // self.unshuffle
        return x[..., : height * scale, : width * scale]
