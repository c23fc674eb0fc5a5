"""How the sides of a prompt become one prediction."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.ui import Ui

GuidanceRule = Annotated[
    Literal["cfg", "apg", "perp_neg", "dynamic"],
    Field(
        title="Guidance rule",
        description="cfg is the usual one; apg keeps colours calm at high guidance, perp_neg cares only for what the negative does not share with the prompt, "
        "dynamic limits the values to those of a lower guidance.",
    ),
    Ui("guidance", advanced=True, label="Guidance rule"),
]
CfgRescale = Annotated[
    float,
    Field(ge=0, le=1, title="CFG rescale", description="Give the guided result back the contrast of the unguided one; 0.7 suits models that predict v."),
    Ui("guidance", step=0.05, advanced=True, label="CFG rescale"),
]
CfgStart = Annotated[
    float, Field(ge=0, le=1, title="Guidance from", description="Share of the steps before which the negative side is left out."),
    Ui("guidance", step=0.05, advanced=True, label="CFG interval"),
]  # fmt: skip
CfgEnd = Annotated[
    float, Field(ge=0, le=1, title="Guidance until", description="Share of the steps behind which the negative side is left out."),
    Ui("guidance", step=0.05, advanced=True, label="CFG interval"),
]  # fmt: skip
SkipEarly = Annotated[
    float, Field(ge=0, le=1, title="Skip early guidance", description="Share of the steps at the beginning that go without the negative side."),
    Ui("guidance", step=0.05, advanced=True, label="Skip Early CFG"),
]  # fmt: skip
NegativeMinimum = Annotated[
    float,
    Field(ge=0, le=15, title="Negative minimum", description="Below this noise level every other step goes without the negative side (NGMS)."),
    Ui("guidance", step=0.1, slider=(0, 8), advanced=True, label="NGMS"),
]
NegativeMinimumAll = Annotated[
    bool, Field(title="At all steps", description="Leave the negative side out at every step below the negative minimum."),
    Ui("guidance", advanced=True, label="NGMS all steps", needs=("s_min_uncond",)),
]  # fmt: skip
ImageGuidance = Annotated[
    float,
    Field(ge=1, le=3, title="Image guidance", description="How closely an instruct-pix2pix model keeps to the picture."),
    Ui("guidance", step=0.05, advanced=True, label="Image CFG scale", needs=("image",)),
]
PagScale = Annotated[
    float,
    Field(ge=0, le=10, title="Perturbed attention", description="Push away from what the model paints without looking around; 3 is usual, 0 is off."),
    Ui("guidance", step=0.1, slider=(0, 5), advanced=True, label="PAG scale"),
]
SegScale = Annotated[
    float,
    Field(ge=0, le=10, title="Smoothed attention", description="Push away from what the model paints with blurred attention; 3 is usual, 0 is off."),
    Ui("guidance", step=0.1, slider=(0, 5), advanced=True, label="SEG scale"),
]
ApgEta = Annotated[
    float, Field(ge=-2, le=2, title="APG eta", description="Share kept of the guidance that runs along the prediction; 1 is plain CFG, 0 keeps colours calm."),
    Ui("guidance", step=0.05, slider=(0, 1), advanced=True, label="APG eta", needs=("guidance_rule=apg",)),
]  # fmt: skip
ApgNorm = Annotated[
    float, Field(ge=0, le=100, title="APG norm", description="Upper limit of the guidance's length; 15 suits SDXL, 0 is none."),
    Ui("guidance", step=0.5, slider=(0, 30), advanced=True, label="APG norm", needs=("guidance_rule=apg",)),
]  # fmt: skip
ApgMomentum = Annotated[
    float, Field(ge=-1, le=1, title="APG momentum", description="Share of the last step's guidance that is added; below 0 it brakes."),
    Ui("guidance", step=0.05, slider=(-0.75, 0), advanced=True, label="APG momentum", needs=("guidance_rule=apg",)),
]  # fmt: skip
PerpNeg = Annotated[
    float, Field(ge=0, le=10, title="Perp-Neg weight", description="Weight of what the negative prompt does not share with the prompt."),
    Ui("guidance", step=0.1, slider=(0, 3), advanced=True, label="Perp-Neg weight", needs=("guidance_rule=perp_neg",)),
]  # fmt: skip
MimicScale = Annotated[
    float, Field(ge=0, le=30, title="Mimic guidance", description="Guidance whose range of values is kept."),
    Ui("guidance", step=0.5, slider=(1, 15), advanced=True, label="Mimic scale", needs=("guidance_rule=dynamic",)),
]  # fmt: skip
MimicPercentile = Annotated[
    float, Field(ge=0.9, le=1, title="Mimic percentile", description="Share of the values that the limit is taken from."),
    Ui("guidance", step=0.001, advanced=True, label="Mimic percentile", needs=("guidance_rule=dynamic",)),
]  # fmt: skip
_FREEU = "1 is off; {} is usual for SD1, {} for SDXL."
FreeuB1 = Annotated[
    float, Field(ge=0, le=3, title="FreeU b1", description="Strength of the innermost level's features; " + _FREEU.format(1.5, 1.3)),
    Ui("guidance", step=0.05, slider=(0.5, 2), advanced=True, label="FreeU b1"),
]  # fmt: skip
FreeuB2 = Annotated[
    float, Field(ge=0, le=3, title="FreeU b2", description="Strength of the next level's features; " + _FREEU.format(1.6, 1.4)),
    Ui("guidance", step=0.05, slider=(0.5, 2), advanced=True, label="FreeU b2"),
]  # fmt: skip
FreeuS1 = Annotated[
    float, Field(ge=0, le=3, title="FreeU s1", description="Strength of the innermost level's coarse details; " + _FREEU.format(0.9, 0.9)),
    Ui("guidance", step=0.05, slider=(0, 1.5), advanced=True, label="FreeU s1"),
]  # fmt: skip
FreeuS2 = Annotated[
    float, Field(ge=0, le=3, title="FreeU s2", description="Strength of the next level's coarse details; " + _FREEU.format(0.2, 0.2)),
    Ui("guidance", step=0.05, slider=(0, 1.5), advanced=True, label="FreeU s2"),
]  # fmt: skip
Areas = Annotated[
    tuple[Annotated[str, Field(max_length=256)], ...],
    Field(max_length=32, title="Areas", description="Masks of the parts behind each AND: white is where the part acts; the first part acts everywhere."),
    Ui("guidance", widget="image", label="Areas"),
]
AreaFeather = Annotated[
    float, Field(ge=0, le=512, title="Area feather", description="How softly areas end."),
    Ui("guidance", step=1, slider=(0, 64), unit="px", advanced=True, label="Area feather", needs=("areas",)),
]  # fmt: skip
