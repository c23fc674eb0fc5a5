"""Shortcuts that change pictures a little for more speed; all are off unless asked for, and told in the picture's text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.ui import Ui

TokenMerging = Annotated[
    float,
    Field(ge=0, le=0.75, title="Token merging", description="Share of alike places that are attended to as one; faster at large sizes, changes the picture."),
    Ui("speed", step=0.05, slider=(0, 0.75), advanced=True, label="Token merging ratio"),
]
HyperTileSide = Annotated[
    int,
    Field(ge=0, le=2048, title="HyperTile", description="Side of tiles that attend to themselves only, 0 is off; faster at large sizes, changes the picture."),
    Ui("speed", step=64, slider=(0, 1024), unit="px", advanced=True, label="Hypertile U-Net max tile size"),
]
DeepCacheInterval = Annotated[
    int,
    Field(ge=0, le=5, title="DeepCache", description="Calls that share one evaluation of the deep layers; below 2 is off. Faster, changes the picture."),
    Ui("speed", step=1, advanced=True, label="DeepCache"),
]
DeepCacheStart = Annotated[
    float,
    Field(ge=0, le=1, title="DeepCache start", description="Share of the pass before which nothing is reused."),
    Ui("speed", step=0.05, slider=(0, 1), advanced=True, label="DeepCache start", needs=("deepcache",)),
]
DeepCacheEnd = Annotated[
    float,
    Field(ge=0, le=1, title="DeepCache end", description="Share of the pass after which nothing is reused."),
    Ui("speed", step=0.05, slider=(0, 1), advanced=True, label="DeepCache end", needs=("deepcache",)),
]
Compile = Annotated[
    bool,
    Field(title="Compile", description="Translate the network: minutes once for each size, then faster; not beside controls, tiling or shortcuts."),
    Ui("speed", advanced=True),
]
Decoder = Annotated[
    Literal["full", "tiny"],
    Field(
        title="Decoder", description="What turns the finished latent into a picture: the full VAE, or a tiny autoencoder's file, quicker and a little softer."
    ),
    Ui("speed", advanced=True, label="Decoder"),
]
