"""A picture to an exact size with a network: as often through it as it takes, then resampled; what is transparent apart. Rule: E78 of engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from sfumato.engine.decoding import Pixels
from sfumato.engine.device import free_caches
from sfumato.engine.inputs.resizing import PIXEL_UPSCALERS, Size
from sfumato.engine.ladder import is_out_of_memory
from sfumato.engine.upscalers.network import ImageNetwork
from sfumato.engine.upscalers.tiles import Tiling, enlarge

_PASSES = 3


def passes(source: Size, target: Size, scale: int) -> list[Size]:
    """The sizes of what goes through the network on the way from `source` to `target`; none where both sides are there already.

    What only mends goes through it once.
    """
    if scale == 1:
        return [source]
    found: list[Size] = []
    while len(found) < _PASSES and (source[0] < target[0] or source[1] < target[1]):
        found.append(source)
        source = (source[0] * scale, source[1] * scale)
    return found


@dataclass
class Enlarger:
    """Enlarges pictures with one network.

    Attributes:
        tiling: how they are cut; smaller tiles are remembered once memory did not suffice.
        say: told a sentence when tiles get smaller.
    """

    network: ImageNetwork
    tiling: Tiling = field(default_factory=Tiling)
    say: Callable[[str], None] = lambda sentence: None

    def __post_init__(self) -> None:
        if not self.network.is_tiled:
            self.tiling = Tiling(0)

    def count(self, source: Size, target: Size, is_transparent: bool = False) -> int:
        """How many tiles it takes."""
        each = sum(self.tiling.count(*size) for size in passes(source, target, self.network.scale))
        return each * (2 if is_transparent else 1)

    def __call__(self, picture: Image.Image, size: Size, told: Callable[[], None] = lambda: None) -> Image.Image:
        """An "RGB" or "RGBA" picture in exactly `size`.

        `told` is called before each tile and may raise to stop. If even the smallest tiles are too large, what the device said of its memory is raised.
        """
        if picture.mode == "RGBA":
            colours, alpha = (self(part.convert("RGB"), size, told) for part in (picture.convert("RGB"), picture.getchannel("A")))
            colours.putalpha(alpha.convert("L"))
            return colours
        pixels = np.asarray(picture)
        for _ in passes(picture.size, size, self.network.scale):
            pixels = self._through(pixels, told)
        return PIXEL_UPSCALERS["Lanczos"](Image.fromarray(pixels), size)

    def _through(self, pixels: Pixels, told: Callable[[], None]) -> Pixels:
        height, width, _ = pixels.shape
        while True:
            try:
                return enlarge(pixels, self.network, self.network.scale, self.tiling, told)
            except (MemoryError, RuntimeError) as error:
                smaller = self.tiling.halved(width, height) if self.network.is_tiled and is_out_of_memory(error) else None
                if smaller is None:
                    raise
            # Outside the handler, so that nothing of the failed try is held by its traceback.
            self.tiling = smaller
            free_caches(self.network.device)
            self.say(f"Memory ran out: the upscaler works in tiles of {smaller.tile} pixels")


def scaled(source: Size, factor: float) -> Size:
    """A size times a factor, in whole pixels, as AUTOMATIC1111 counts them."""
    return max(1, math.floor(source[0] * factor)), max(1, math.floor(source[1] * factor))
