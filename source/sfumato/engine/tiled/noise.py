"""The noise of one tile: cut from the noise of the whole picture, so that it does not depend on how the picture is cut."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sfumato.engine.noise import NoiseSource
from sfumato.engine.tiled.grid import Tile


class TileNoise:
    """What `sample` draws from, for a tile. `whole` draws for the picture, and must be the tile's own: every tile begins with its first draw."""

    def __init__(self, whole: NoiseSource, tile: Tile) -> None:
        self._whole = whole
        self._tile = tile

    def __call__(self) -> Tensor:
        return self._tile.of(self._whole()).contiguous()

    def cover(self, sigmas: Sequence[float]) -> None:
        self._whole.cover(sigmas)

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        return self._tile.of(self._whole.brownian(sigma, sigma_next)).contiguous()
