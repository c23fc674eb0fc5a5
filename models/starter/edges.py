"""Edge maps of drawn pictures, white lines on black: those of the preprocessor `canny`, and lines as a hand may draw them."""

from __future__ import annotations

import random

import numpy as np
import world
from numpy.typing import NDArray
from PIL import Image

from sfumato.engine.annotators.edges import canny

_THRESHOLDS = (0.4, 0.8)  # the preprocessor's own
_COVERED = 0.5


def coverage(scene: world.Scene, side: int = world.SIZE_PX) -> NDArray[np.bool_]:
    """Which pixels the shapes cover, (side, side); the scene's own colours do not matter."""
    things = tuple(world.Thing("white", thing.shape, thing.x, thing.y, thing.radius) for thing in scene.things)
    ground, shape = (world.COLOURS[name][0] for name in ("black", "white"))
    painted = np.asarray(world.draw(world.Scene("black", things, ""), side).convert("L"), np.float32)
    return (painted - ground) / (shape - ground) > _COVERED


def outline(scene: world.Scene, side: int = world.SIZE_PX, inside: bool = True) -> Image.Image:
    """The edge of a scene's shapes as an L picture of `side` pixels: the outermost covered pixels, or (not `inside`) the first uncovered ones."""
    covered = coverage(scene, side)
    if not inside:
        covered = ~covered
    padded = np.pad(covered, 1, mode="edge")
    whole = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return Image.fromarray(((covered & ~whole) * 255).astype(np.uint8))


def edge_map(scene: world.Scene, rng: random.Random) -> NDArray[np.uint8]:
    """(H, W): mostly what `canny` finds in the drawn picture, else the outline on one side of the edge or both."""
    kind = rng.choices(["canny", "inside", "outside", "both"], [0.6, 0.15, 0.15, 0.1])[0]
    if kind == "canny":
        return canny(np.asarray(world.draw(scene)), *_THRESHOLDS)
    sides = (True, False) if kind == "both" else (kind == "inside",)
    return np.maximum.reduce([np.asarray(outline(scene, inside=inside)) for inside in sides])
