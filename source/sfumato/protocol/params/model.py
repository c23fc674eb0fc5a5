"""The model, its parts, and what is told to it about sizes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.ui import Ui

SIZE_STEP_PX = 8
_SIDE_LIMIT_PX = 16384
_NAME_LIMIT = 1024

Model = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Model", description="Checkpoint that paints; empty takes the first one found."),
    Ui("model", choices_from="models", label="Model"),
]
PickledFile = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Pickled file", description="Model (.ckpt, .pt, .pth, .bin) to write anew as .safetensors, without running it."),
    Ui("model", choices_from="models"),
]
Vae = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="VAE", description="File that turns latents into pictures; empty is the checkpoint's own."),
    Ui("model", choices_from="vaes", advanced=True, unset="Checkpoint's own", label="VAE"),
]
TextEncoder = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Text encoder", description="File of the text encoder; empty is the checkpoint's own."),
    Ui("model", choices_from="text_encoders", advanced=True, unset="Checkpoint's own", label="Text encoder"),
]
SecondTextEncoder = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Text encoder 2", description="File of SDXL's second text encoder; empty is the checkpoint's own."),
    Ui("model", choices_from="text_encoders", advanced=True, unset="Checkpoint's own", label="Text encoder 2"),
]
ClipSkip = Annotated[
    int,
    Field(ge=0, le=12, title="CLIP skip", description="Layer of the text encoder that is read, counted from the end; 0 is the model's own."),
    Ui("model", step=1, advanced=True, label="Clip skip"),
]
PredictionType = Annotated[
    Literal["auto", "eps", "v"],
    Field(title="Prediction", description="What the network predicts: eps is noise, v is velocity; auto reads it from the file."),
    Ui("model", advanced=True, label="Prediction type"),
]
ZeroTerminal = Annotated[
    Literal["auto", "on", "off"],
    Field(title="Zero terminal SNR", description="Whether the noise schedule ends in pure noise; auto reads it from the file."),
    Ui("model", advanced=True, label="Noise Schedule"),
]
Tiling = Annotated[
    Literal["none", "x", "y", "both"],
    Field(title="Tiling", description="Make a picture whose edges continue each other: left and right (x), top and bottom (y), or both."),
    Ui("model", advanced=True, label="Tiling"),
]
_SIZE = Field(ge=64, le=_SIDE_LIMIT_PX, description="In pixels, a multiple of 8; unset is the size the model was made for.")
Width = Annotated[int | None, _SIZE, Field(title="Width"), Ui("size", step=SIZE_STEP_PX, slider=(64, 1024), unit="px", unset="Model's size", label="Size")]
Height = Annotated[int | None, _SIZE, Field(title="Height"), Ui("size", step=SIZE_STEP_PX, slider=(64, 1024), unit="px", unset="Model's size", label="Size")]

_TOLD = Field(ge=0, le=_SIDE_LIMIT_PX)
OriginalWidth = Annotated[
    int | None, _TOLD, Field(title="Original width", description="Width of the original that SDXL is told of; unset is the picture's."),
    Ui("told", step=SIZE_STEP_PX, unit="px", advanced=True, unset="Picture's", label="Original size"),
]  # fmt: skip
OriginalHeight = Annotated[
    int | None, _TOLD, Field(title="Original height", description="Height of the original that SDXL is told of; unset is the picture's."),
    Ui("told", step=SIZE_STEP_PX, unit="px", advanced=True, unset="Picture's", label="Original size"),
]  # fmt: skip
CropLeft = Annotated[
    int, _TOLD, Field(title="Crop left", description="How far from the left the picture is cut out of its original, as told to SDXL."),
    Ui("told", step=SIZE_STEP_PX, unit="px", advanced=True, label="Crop"),
]  # fmt: skip
CropTop = Annotated[
    int, _TOLD, Field(title="Crop top", description="How far from the top the picture is cut out of its original, as told to SDXL."),
    Ui("told", step=SIZE_STEP_PX, unit="px", advanced=True, label="Crop"),
]  # fmt: skip
TargetWidth = Annotated[
    int | None, _TOLD, Field(title="Target width", description="Width of the result that SDXL is told of; unset is the picture's."),
    Ui("told", step=SIZE_STEP_PX, unit="px", advanced=True, unset="Picture's", label="Target size"),
]  # fmt: skip
TargetHeight = Annotated[
    int | None, _TOLD, Field(title="Target height", description="Height of the result that SDXL is told of; unset is the picture's."),
    Ui("told", step=SIZE_STEP_PX, unit="px", advanced=True, unset="Picture's", label="Target size"),
]  # fmt: skip
Aesthetic = Annotated[
    float,
    Field(ge=0, le=20, title="Aesthetic score", description="How beautiful the picture is said to be, for SDXL's refiner."),
    Ui("told", step=0.5, slider=(0, 10), advanced=True, label="Aesthetic score"),
]
NegativeAesthetic = Annotated[
    float,
    Field(ge=0, le=20, title="Negative aesthetic", description="How beautiful the negative side is said to be, for SDXL's refiner."),
    Ui("told", step=0.5, slider=(0, 10), advanced=True, label="Negative aesthetic score"),
]
ZeroEmptyNegative = Annotated[
    bool,
    Field(title="Zero empty negative", description="Give SDXL zeros for an empty negative prompt, as it was trained; off encodes the empty text."),
    Ui("told", advanced=True),
]
Refiner = Annotated[
    str,
    Field(max_length=_NAME_LIMIT, title="Refiner", description="Checkpoint that takes over for the last steps; empty is none."),
    Ui("refiner", choices_from="models", advanced=True, unset="None", label="Refiner"),
]
RefinerSwitch = Annotated[
    float,
    Field(ge=0.01, le=1, title="Refiner switch", description="Share of the way at which the refiner takes over."),
    Ui("refiner", step=0.01, slider=(0.1, 1), advanced=True, label="Refiner switch at", needs=("refiner",)),
]
RefinerBySteps = Annotated[
    bool,
    Field(title="Switch by steps", description="Count the share in steps instead of in training time."),
    Ui("refiner", advanced=True, label="Refiner switch by sampling steps", needs=("refiner",)),
]
RefinerPass = Annotated[
    Literal["first", "second", "both"],
    Field(title="Refiner pass", description="Which pass the refiner ends, where there is a highres pass."),
    Ui("refiner", advanced=True, label="Hires refiner", needs=("refiner",)),
]
