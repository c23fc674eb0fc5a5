"""Parameters, each declared once.

A parameter is a type, its limits, its words and how a person meets it (`Ui`). Validation, the control in the window, the command-line flag, the
catalog and the generated reference are all drawn from the lines below; nothing else may repeat a limit or a default sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

SEED_MAX = 2**63 - 1
SIZE_STEP_PX = 8


@dataclass(frozen=True)
class Ui:
    """How a parameter is shown.

    Attributes:
        group: section of the panel ("prompt", "model", "size", "sampling", "batch", "operation").
        step: increment of the control; 0 = free.
        slider: ends of the slider where they are narrower than the limits; typing reaches the limits.
        choices_from: name of a catalog list that fills the choices at run time.
        advanced: shown only among the advanced parameters.
        unit: shown behind the number.
        label: key in the picture's infotext, "" if it has none.
        widget: a hint where the type does not tell ("prompt", "seed").
        unset: what an unset value (None) is called in the control.
    """

    group: str
    step: float = 0
    slider: tuple[float, float] | None = None
    choices_from: str = ""
    advanced: bool = False
    unit: str = ""
    label: str = ""
    widget: str = ""
    unset: str = ""


Prompt = Annotated[
    str,
    Field(max_length=1_000_000, title="Prompt", description="What the picture shows. (word:1.2) weighs a part, BREAK starts a new chunk."),
    Ui("prompt", widget="prompt"),
]
Negative = Annotated[
    str,
    Field(max_length=1_000_000, title="Negative prompt", description="What the picture should not show."),
    Ui("prompt", widget="prompt", label="Negative prompt"),
]
Model = Annotated[
    str,
    Field(max_length=1024, title="Model", description="Checkpoint that paints; empty takes the first one found."),
    Ui("model", choices_from="models", label="Model"),
]
ClipSkip = Annotated[
    int,
    Field(ge=0, le=12, title="CLIP skip", description="Layer of the text encoder that is read, counted from the end; 0 is the model's own."),
    Ui("model", step=1, advanced=True, label="Clip skip"),
]
_SIZE = Field(ge=64, le=16384, description="In pixels, a multiple of 8; unset is the size the model was made for.")
Width = Annotated[int | None, _SIZE, Field(title="Width"), Ui("size", step=SIZE_STEP_PX, slider=(64, 1024), unit="px", unset="Model's size", label="Size")]
Height = Annotated[int | None, _SIZE, Field(title="Height"), Ui("size", step=SIZE_STEP_PX, slider=(64, 1024), unit="px", unset="Model's size", label="Size")]
Steps = Annotated[
    int, Field(ge=1, le=150, title="Steps", description="Denoising steps; more take longer and refine."), Ui("sampling", step=1, slider=(1, 50), label="Steps")
]
Guidance = Annotated[
    float,
    Field(ge=0, le=100, title="Guidance", description="How strictly the prompt is followed (CFG scale); 1 ignores the negative prompt."),
    Ui("sampling", step=0.5, slider=(1, 20), label="CFG scale"),
]
Sampler = Annotated[
    str, Field(max_length=64, title="Sampler", description="Method that removes the noise."), Ui("sampling", choices_from="samplers", label="Sampler")
]
Schedule = Annotated[
    str,
    Field(max_length=64, title="Schedule", description="How noise levels are spaced; automatic takes the sampler's own."),
    Ui("sampling", choices_from="schedules", label="Schedule type"),
]
Seed = Annotated[
    int,
    Field(ge=-1, le=SEED_MAX, title="Seed", description="Same seed and settings give the same picture; -1 draws a new one."),
    Ui("sampling", step=1, widget="seed", label="Seed"),
]
BatchSize = Annotated[int, Field(ge=1, le=64, title="Batch size", description="Pictures made at the same time."), Ui("batch", step=1, slider=(1, 8))]
BatchCount = Annotated[int, Field(ge=1, le=9999, title="Batch count", description="Batches made one after the other."), Ui("batch", step=1, slider=(1, 16))]
Eta = Annotated[
    float,
    Field(ge=0, le=1, title="Eta", description="Share of fresh noise an ancestral sampler adds at each step."),
    Ui("sampling", step=0.05, slider=(0, 1), advanced=True, label="Eta"),
]
ChurnNoise = Annotated[
    float,
    Field(ge=0, le=1.1, title="Noise factor", description="Scale of the noise a sampler adds (s_noise)."),
    Ui("sampling", step=0.01, slider=(0.9, 1.1), advanced=True, label="Sigma noise"),
]
Churn = Annotated[
    float,
    Field(ge=0, le=100, title="Churn", description="Noise that Euler adds and removes again at each step (s_churn)."),
    Ui("sampling", step=0.5, slider=(0, 10), advanced=True, label="Sigma churn"),
]
Emphasis = Annotated[
    Literal["original", "no_norm", "ignore", "none"],
    Field(
        title="Emphasis",
        description="How weights act on the text: original restores the mean, no_norm does not, ignore drops weights, none reads brackets as text.",
    ),
    Ui("model", advanced=True, label="Emphasis"),
]
Preview = Annotated[
    Literal["off", "linear", "full"],
    Field(title="Preview", description="Picture shown while it emerges: linear is quick and small, full decodes the whole picture."),
    Ui("operation", advanced=True),
]
PreviewEvery = Annotated[
    int,
    Field(ge=1, le=50, title="Preview interval", description="Steps from one preview to the next."),
    Ui("operation", step=1, slider=(1, 10), unit="steps", advanced=True),
]
Precision = Annotated[
    Literal["auto", "fp16", "bf16", "fp32"],
    Field(title="Precision", description="Number format the model computes in; auto suits the device."),
    Ui("operation", advanced=True),
]
Deterministic = Annotated[
    bool,
    Field(title="Deterministic", description="Make pictures one by one with bit-equal results, at some cost in speed."),
    Ui("operation", advanced=True),
]
Metadata = Annotated[
    Literal["full", "none"],
    Field(title="Metadata", description="What is written into the picture: everything needed to repeat it, or nothing."),
    Ui("operation", advanced=True),
]
