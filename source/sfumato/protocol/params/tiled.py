"""A large picture painted over in tiles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.text import PROMPT_LIMIT
from sfumato.protocol.params.ui import Ui

SMALLEST_PX = 64
# Passes that paint over a picture.
_OVER = ("image", "hr_scale", "hr_width", "hr_height")
_ON = ("tiled",)

Tiled = Annotated[
    Literal["off", "tiles", "multidiffusion"],
    Field(
        title="Tiled painting",
        description="Paint over large pictures in tiles: one by one, faded together, or all at every step, averaged. An unset size is the picture's own.",
    ),
    Ui("tiled", label="Tiled painting", needs=_OVER),
]
TileSize = Annotated[
    int,
    Field(ge=0, le=4096, title="Tile size", description=f"Side of a tile, at least {SMALLEST_PX} px; 0 is the size that the model was made for."),
    Ui("tiled", step=64, slider=(0, 2048), unit="px", label="Tiled painting size", needs=_ON),
]
TileOverlap = Annotated[
    int,
    Field(ge=0, le=512, title="Tile overlap", description="Pixels that neighbouring tiles share at least; no more than half a tile is used."),
    Ui("tiled", step=8, slider=(0, 256), unit="px", label="Tiled painting overlap", needs=_ON),
]
TileCaptions = Annotated[
    tuple[Annotated[str, Field(max_length=PROMPT_LIMIT)], ...],
    Field(
        max_length=1024,
        title="Tile captions",
        description="What each tile shows, row by row from the top left; added to the prompt there. Tiles without one are told the prompt alone.",
    ),
    Ui("tiled", advanced=True, label="Tiled painting captions", needs=_ON),
]
