"""The highres pass: the picture enlarged and repainted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sfumato.protocol.params.text import PROMPT_LIMIT
from sfumato.protocol.params.ui import Ui

SAME = "same"
_ON = ("hr_scale", "hr_width", "hr_height")

HighresScale = Annotated[
    float, Field(ge=1, le=8, title="Highres scale", description="Enlarge the picture by this factor and repaint it; 1 is off."),
    Ui("highres", step=0.05, slider=(1, 4), label="Hires upscale"),
]  # fmt: skip
HighresWidth = Annotated[
    int, Field(ge=0, le=16384, title="Highres width", description="Width to reach instead of a factor; 0 follows the height, or is off."),
    Ui("highres", step=8, slider=(0, 4096), unit="px", advanced=True, label="Hires resize"),
]  # fmt: skip
HighresHeight = Annotated[
    int, Field(ge=0, le=16384, title="Highres height", description="Height to reach instead of a factor; 0 follows the width, or is off."),
    Ui("highres", step=8, slider=(0, 4096), unit="px", advanced=True, label="Hires resize"),
]  # fmt: skip
HighresUpscaler = Annotated[
    str, Field(max_length=256, title="Highres upscaler", description="What enlarges: a filter of pixels or latents, or a model in the folder upscalers."),
    Ui("highres", choices_from="upscalers", label="Hires upscaler", needs=_ON),
]  # fmt: skip
HighresSteps = Annotated[
    int, Field(ge=0, le=150, title="Highres steps", description="Steps of the highres pass, all of them run; 0 is as many as the first pass."),
    Ui("highres", step=1, slider=(0, 50), label="Hires steps", follows="steps", needs=_ON),
]  # fmt: skip
HighresStrength = Annotated[
    float, Field(ge=0, le=1, title="Highres strength", description="How far the enlarged picture is repainted."),
    Ui("highres", step=0.05, slider=(0, 1), label="Denoising strength", needs=_ON),
]  # fmt: skip
HighresSampler = Annotated[
    str, Field(max_length=64, title="Highres sampler", description="Sampler of the highres pass; same is the first pass's."),
    Ui("highres", choices_from="samplers", advanced=True, label="Hires sampler", follows="sampler", needs=_ON),
]  # fmt: skip
HighresSchedule = Annotated[
    str, Field(max_length=64, title="Highres schedule", description="Schedule of the highres pass; same is the first pass's."),
    Ui("highres", choices_from="schedules", advanced=True, label="Hires schedule type", follows="schedule", needs=_ON),
]  # fmt: skip
HighresGuidance = Annotated[
    float | None, Field(ge=0, le=100, title="Highres guidance", description="Guidance of the highres pass; unset is the first pass's."),
    Ui("highres", step=0.5, slider=(1, 20), advanced=True, unset="Same", label="Hires CFG Scale", follows="guidance", needs=_ON),
]  # fmt: skip
HighresPrompt = Annotated[
    str, Field(max_length=PROMPT_LIMIT, title="Highres prompt", description="Prompt of the highres pass; empty is the first pass's."),
    Ui("highres", advanced=True, label="Hires prompt", needs=_ON),
]  # fmt: skip
HighresNegative = Annotated[
    str, Field(max_length=PROMPT_LIMIT, title="Highres negative", description="Negative prompt of the highres pass; empty is the first pass's."),
    Ui("highres", advanced=True, label="Hires negative prompt", needs=_ON),
]  # fmt: skip
HighresModel = Annotated[
    str, Field(max_length=1024, title="Highres model", description="Checkpoint of the highres pass; empty is the first pass's."),
    Ui("highres", choices_from="models", advanced=True, unset="Same", label="Hires checkpoint", follows="model", needs=_ON),
]  # fmt: skip
HighresOnly = Annotated[
    bool, Field(title="Only highres", description="Take the image for the result of the first pass, and run the highres pass alone."),
    Ui("highres", advanced=True, label="Hires only", needs=("image",)),
]  # fmt: skip
