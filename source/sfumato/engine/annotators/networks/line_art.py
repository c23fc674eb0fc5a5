"""Line art: the generators of "Learning to generate line drawings that convey geometry and semantics" (Chan, Durand and Isola, 2022), and the one for drawings
that ControlNet's anime line art was trained with. Both draw dark lines on white; the maps are white on black."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sfumato.engine.annotators.networks.files import NetworkFile
from sfumato.engine.annotators.networks.seeing import as_bytes, as_tensor, padded, scaled
from sfumato.engine.annotators.row import Bytes, Seen

_PROJECT = "the project lllyasviel/Annotators"
_ANIME_MULTIPLE = 256


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, values: Tensor) -> Tensor:
        return values + self.conv_block(values)


class Drawer(nn.Module):
    """(B, 3, H, W) in 0..1, sides multiples of 4 -> a drawing (B, 1, H, W) in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.model0 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(3, 64, 7), nn.InstanceNorm2d(64), nn.ReLU())
        self.model1 = nn.Sequential(
            nn.Conv2d(64, 128, 3, stride=2, padding=1), nn.InstanceNorm2d(128), nn.ReLU(),
            nn.Conv2d(128, 256, 3, stride=2, padding=1), nn.InstanceNorm2d(256), nn.ReLU(),
        )  # fmt: skip
        self.model2 = nn.Sequential(*(_Residual(256) for _ in range(3)))
        self.model3 = nn.Sequential(
            nn.ConvTranspose2d(256, 128, 3, stride=2, padding=1, output_padding=1), nn.InstanceNorm2d(128), nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 3, stride=2, padding=1, output_padding=1), nn.InstanceNorm2d(64), nn.ReLU(),
        )  # fmt: skip
        self.model4 = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(64, 1, 7), nn.Sigmoid())

    def forward(self, values: Tensor) -> Tensor:
        for number in range(5):
            values = self.get_submodule(f"model{number}")(values)
        return values


class _Level(nn.Module):
    """One level of a U-Net: down, what is inside, up; its input is passed on beside the result, but for the outermost."""

    def __init__(self, outer: int, inner: int, inside: _Level | None, channels: int | None = None) -> None:
        super().__init__()
        self._is_outermost = channels is not None
        down: list[nn.Module] = [nn.Conv2d(channels or outer, inner, 4, stride=2, padding=1)]
        up: list[nn.Module] = [nn.ReLU(), nn.ConvTranspose2d(inner * (2 if inside else 1), outer, 4, stride=2, padding=1)]
        if self._is_outermost:
            up.append(nn.Tanh())
        else:
            down = [nn.LeakyReLU(0.2), *down, *([nn.InstanceNorm2d(inner)] if inside else [])]
            up.append(nn.InstanceNorm2d(outer))
        self.model = nn.Sequential(*down, *([inside] if inside else []), *up)

    def forward(self, values: Tensor) -> Tensor:
        made = self.model(values)
        return made if self._is_outermost else torch.cat([values, made], 1)


class AnimeDrawer(nn.Module):
    """(B, 3, H, W) in -1..1, sides multiples of 256 -> a drawing (B, 1, H, W) in -1..1."""

    def __init__(self) -> None:
        super().__init__()
        level = _Level(512, 512, None)
        for outer, inner in ((512, 512), (512, 512), (512, 512), (256, 512), (128, 256), (64, 128)):
            level = _Level(outer, inner, level)
        self.model = _Level(1, 64, level, channels=3)

    def forward(self, values: Tensor) -> Tensor:
        return self.model(values)


FILE = NetworkFile("sk_model", "line drawing network", _PROJECT, Drawer)
COARSE_FILE = NetworkFile("sk_model2", "line drawing network", _PROJECT, Drawer)
ANIME_FILE = NetworkFile("netG", "anime line drawing network", _PROJECT, AnimeDrawer, lambda name: name.removeprefix("module."))


def line_art(seen: Seen, file: NetworkFile = FILE) -> Bytes:
    """(H, W): lines that a person would draw of the picture."""
    network = seen.networks.open(file)
    height, width, _ = seen.pixels.shape
    with torch.inference_mode():
        drawn = network(padded(as_tensor(seen.pixels, seen.device) / 255, 16))[..., :height, :width]
        return as_bytes(1 - drawn)


def anime_line_art(seen: Seen) -> Bytes:
    """(H, W): lines of a drawing."""
    network = seen.networks.open(ANIME_FILE)
    height, width, _ = seen.pixels.shape
    size = tuple(-(-side // _ANIME_MULTIPLE) * _ANIME_MULTIPLE for side in (height, width))
    with torch.inference_mode():
        drawn = network(scaled(as_tensor(seen.pixels, seen.device) / 127.5 - 1, (size[0], size[1]), "bicubic"))
        return as_bytes(0.5 - scaled(drawn, (height, width), "bicubic") / 2)
