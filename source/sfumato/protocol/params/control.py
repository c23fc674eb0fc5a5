"""A control: a picture that steers where things are painted, and how it is prepared for that."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.sampling import SEED_MAX
from sfumato.protocol.params.ui import Ui

UNITS = 8
RESOLUTION_MIN_PX, RESOLUTION_MAX_PX = 64, 2048

Image = Annotated[
    str,
    Field(max_length=256, title="Image", description="Picture that steers; empty is the picture the job starts from."),
    Ui("control", widget="image", label="Image"),
]
Source = Annotated[
    str, Field(max_length=256, title="Image", description="Picture to make a map of; for a pose of keypoints, OpenPose's JSON."), Ui("control", widget="image")
]  # fmt: skip
Hidden = Annotated[
    str,
    Field(max_length=256, title="Mask", description="Picture whose white places are hidden, for the preprocessor inpaint."),
    Ui("control", widget="image", needs=("preprocessor=inpaint",)),
]
MapWidth = Annotated[
    int | None,
    Field(ge=8, le=16384, title="Width", description="Width of the map; unset is the picture's own, or as the height asks for."),
    Ui("control", step=8, slider=(64, 2048), unit="px", unset="Picture's size"),
]
MapHeight = Annotated[
    int | None,
    Field(ge=8, le=16384, title="Height", description="Height of the map; unset is the picture's own, or as the width asks for."),
    Ui("control", step=8, slider=(64, 2048), unit="px", unset="Picture's size"),
]
Mask = Annotated[
    str,
    Field(
        max_length=256,
        title="Mask",
        description="Picture whose white places the control acts in, or which the preprocessor inpaint hides; empty is everywhere, or the job's own mask.",
    ),
    Ui("control", widget="image", label="Mask"),
]
Preprocessor = Annotated[
    str,
    Field(max_length=64, title="Preprocessor", description="What is made of the picture first; none where it is a map already."),
    Ui("control", choices_from="preprocessors", label="Module"),
]
Resolution = Annotated[
    int,
    Field(ge=0, le=RESOLUTION_MAX_PX, title="Resolution", description="Shorter side at which the preprocessor looks at the picture; 0 is the size painted at."),
    Ui("control", step=64, slider=(0, RESOLUTION_MAX_PX), unit="px", advanced=True, label="Processor Res"),
]
_SETTING = "What it is depends on the preprocessor; unset is the preprocessor's own."
ThresholdA = Annotated[
    float | None,
    Field(ge=0, le=256, title="First setting", description=_SETTING),
    Ui("control", step=0.01, slider=(0, 1), advanced=True, unset="Its own", label="Threshold A"),
]
ThresholdB = Annotated[
    float | None,
    Field(ge=0, le=256, title="Second setting", description=_SETTING),
    Ui("control", step=0.01, slider=(0, 1), advanced=True, unset="Its own", label="Threshold B"),
]
PoseBody = Annotated[bool, Field(title="Body", description="Let a pose have its body."), Ui("control", advanced=True, label="Body")]
PoseHands = Annotated[bool, Field(title="Hands", description="Let a pose have its hands, where they are known."), Ui("control", advanced=True, label="Hands")]
PoseFace = Annotated[bool, Field(title="Face", description="Let a pose have its face, where it is known."), Ui("control", advanced=True, label="Face")]
PreprocessorSeed = Annotated[
    int,
    Field(ge=0, le=SEED_MAX, title="Seed", description="Seed of a preprocessor that draws at random."),
    Ui("control", step=1, slider=(0, 2**32 - 1), advanced=True, label="Processor Seed"),
]
Model = Annotated[
    str,
    Field(max_length=512, title="Model", description="File of the ControlNet, adapter or IP-Adapter; the file's own header says which it is."),
    Ui("control", choices_from="control_models", label="Model"),
]
Weight = Annotated[
    float, Field(ge=0, le=2, title="Weight", description="How much the control counts."),
    Ui("control", step=0.05, slider=(0, 1), label="Weight"),
]  # fmt: skip
Start = Annotated[
    float, Field(ge=0, le=1, title="From", description="Share of the steps before which the control is left out."),
    Ui("control", step=0.05, label="Guidance Start"),
]  # fmt: skip
End = Annotated[
    float, Field(ge=0, le=1, title="Until", description="Share of the steps behind which the control is left out."),
    Ui("control", step=0.05, label="Guidance End"),
]  # fmt: skip
Mode = Annotated[
    Literal["balanced", "prompt", "control"],
    Field(title="Mode", description="What wins where prompt and control differ: neither, the prompt, or the control."),
    Ui("control", label="Control Mode"),
]
ResizeMode = Annotated[
    Literal["stretch", "crop", "fill"],
    Field(title="Resize", description="How the map gets the size painted at: stretched, cropped, or filled at the edges."),
    Ui("control", label="Resize Mode"),
]
Guess = Annotated[
    bool, Field(title="Guess", description="Let the control alone say what is painted: it is kept from the negative side."),
    Ui("control", advanced=True, label="Guess"),
]  # fmt: skip
UnionType = Annotated[
    Literal["auto", "pose", "depth", "softedge", "canny", "normal", "segmentation", "tile", "inpaint"],
    Field(title="Kind of map", description="What the picture is to a model that understands several kinds; auto goes by the preprocessor."),
    Ui("control", advanced=True, label="Union Control Type"),
]
ImageEncoder = Annotated[
    str,
    Field(max_length=512, title="Image encoder", description="File that reads the picture for an IP-Adapter; empty is the first that fits it."),
    Ui("control", choices_from="image_encoders", advanced=True, label="Image Encoder"),
]
BlockWeights = Annotated[
    str,
    Field(
        max_length=512,
        title="Weights of blocks",
        description="How much an IP-Adapter counts in each block: numbers for the way down, the middle and the way up, 16 for SD1, 11 for SDXL; empty is 1.",
    ),
    Ui("control", advanced=True, label="Block Weights"),
]
Together = Annotated[
    Literal["add", "average", "join"],
    Field(
        title="Together",
        description="How pictures for one IP-Adapter act: each by itself, as their average, or side by side; the first one's weight, span and mask count.",
    ),
    Ui("control", advanced=True, label="Together"),
]
