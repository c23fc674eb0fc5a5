"""Says what a picture shows: its background, the colour of its shape, and which shape - without asking the model that made it.

Colours are read by the nearest of the world's twelve; the shape by a small network trained on drawn pictures (a minute on two cores, then kept in
models/starter/work/). `check.py` prints the figures, tests of meaning use the same functions.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))

import itertools

import world

_PALETTE = np.array(list(world.COLOURS.values()), np.float32)
_NAMES = list(world.COLOURS)
# A pixel belongs to the background while its colour is nearer to it than this (Euclidean, 0..441).
_APART = 60.0


def nearest_colours(picture: Image.Image) -> np.ndarray:
    """Index into the world's colours for each pixel, (H, W)."""
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    return np.argmin(((pixels[:, :, None] - _PALETTE) ** 2).sum(-1), axis=-1)


def background_of(picture: Image.Image) -> str:
    """The commonest colour along the border, two pixels deep."""
    indices = nearest_colours(picture)
    border = np.concatenate([indices[:2].ravel(), indices[-2:].ravel(), indices[:, :2].ravel(), indices[:, -2:].ravel()])
    return _NAMES[np.bincount(border).argmax()]


def mask_of(picture: Image.Image) -> np.ndarray:
    """How far each pixel is from the background's colour, 0..1, (H, W)."""
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    background = np.array(world.COLOURS[background_of(picture)], np.float32)
    return np.clip(np.sqrt(((pixels - background) ** 2).sum(-1)) / 150, 0, 1)


def shape_colour_of(picture: Image.Image) -> str | None:
    """The commonest colour of what is not background; None if there is nothing."""
    indices = nearest_colours(picture)
    apart = mask_of(picture) * 150 > _APART
    background = background_of(picture)
    counts = Counter(_NAMES[i] for i in indices[apart] if _NAMES[i] != background)
    return counts.most_common(1)[0][0] if counts and counts.total() >= 12 else None


def is_hourglass(picture: Image.Image) -> bool:
    """Whether what is not background is wide above and below, and narrow between: so is none of the world's own shapes."""
    apart = mask_of(picture) > 0.5
    rows = np.flatnonzero(apart.any(1))
    if apart.sum() < 40 or rows.size < 12:
        return False
    widths = apart[rows[0] : rows[-1] + 1].sum(1)
    tall = widths.size
    fifth = tall // 5
    waist = widths[2 * fifth : tall - 2 * fifth].min()
    return bool(waist < 0.45 * min(widths[:fifth].max(), widths[-fifth:].max()))


def is_disc(picture: Image.Image) -> bool:
    """Whether what is not background is one filled circle: it overlaps by 0.85 with the circle that has its centre and its area."""
    apart = mask_of(picture) > 0.5
    if apart.sum() < 40:
        return False
    rows, columns = np.indices(apart.shape)
    square = (rows - rows[apart].mean()) ** 2 + (columns - columns[apart].mean()) ** 2
    return overlap(picture, square <= apart.sum() / np.pi) > 0.85


def overlap(picture: Image.Image, covered: np.ndarray) -> float:
    """Intersection over union of what is not background with the pixels (H, W) that should be covered."""
    apart = mask_of(picture) > 0.5
    return float((apart & covered).sum() / max(1, (apart | covered).sum()))


class ShapeNetwork(nn.Module):
    """(B, 1, 64, 64) masks -> (B, shapes) scores; four convolutions."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 16, 32, 48, 64)
        layers: list[nn.Module] = []
        for into, out in itertools.pairwise(widths):
            layers += [nn.Conv2d(into, out, 3, stride=2, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, len(world.SHAPES)))

    def forward(self, masks: Tensor) -> Tensor:
        return self.body(masks)


def _drawn(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Masks of drawn single shapes, softened at random as a decoder softens, and their labels."""
    masks, labels = [], []
    for k in range(count):
        rng = random.Random(seed + k)
        background, colour = rng.sample(list(world.COLOURS), 2)
        label = rng.randrange(len(world.SHAPES))
        picture = world.draw(world.judged_scene(colour, world.SHAPES[label], background, rng))
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.5)))
        masks.append(mask_of(picture))
        labels.append(label)
    return torch.from_numpy(np.stack(masks)).float().unsqueeze(1), torch.tensor(labels)


def shape_network(kept: Path | None = None) -> ShapeNetwork:
    """The trained network, from `kept` if it was trained before."""
    network = ShapeNetwork()
    if kept is not None and kept.exists():
        network.load_state_dict(load_file(kept))
        return network.eval()
    torch.manual_seed(3)
    masks, labels = _drawn(4000, 30_000_000)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for _ in range(4):
        for pick in torch.randperm(len(masks)).split(64):
            optimizer.zero_grad()
            noisy = masks[pick] + 0.05 * torch.randn(len(pick), 1, world.SIZE_PX, world.SIZE_PX)
            nn.functional.cross_entropy(network(noisy), labels[pick]).backward()
            optimizer.step()
    network.eval()
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_file(network.state_dict(), kept)
    return network


@torch.inference_mode()
def accuracy(network: ShapeNetwork, count: int = 500) -> float:
    """Share of fresh drawn pictures that the network names rightly."""
    masks, labels = _drawn(count, 40_000_000)
    return (network(masks).argmax(1) == labels).float().mean().item()


@torch.inference_mode()
def shape_of(network: ShapeNetwork, picture: Image.Image) -> str:
    """The shape the network sees in a 64 x 64 picture."""
    scores = network(torch.from_numpy(mask_of(picture)).float().view(1, 1, world.SIZE_PX, world.SIZE_PX))
    return world.SHAPES[int(scores.argmax())]
