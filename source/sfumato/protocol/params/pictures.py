"""Pictures that a job starts from, what is repainted of them, and what is painted around them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.text import PROMPT_LIMIT
from sfumato.protocol.params.ui import Ui

_OUTPAINT = ("outpaint_left", "outpaint_right", "outpaint_top", "outpaint_bottom")

Image = Annotated[
    str,
    Field(max_length=256, title="Image", description="Picture to start from."),
    Ui("image", widget="image"),
]
Strength = Annotated[
    float | None,
    Field(ge=0, le=1, title="Strength", description="How far the picture is repainted: 0 not at all, 1 entirely; unset is 0.5, and 0.8 for outpainting."),
    Ui("image", step=0.05, slider=(0, 1), unset="Automatic", label="Denoising strength", needs=("image",)),
]
ExactSteps = Annotated[
    bool, Field(title="Exact steps", description="Run all the steps at any strength, not only their share."),
    Ui("image", advanced=True, label="Exact steps", needs=("image",)),
]  # fmt: skip
NoiseMultiplier = Annotated[
    float, Field(ge=0, le=1.5, title="Noise multiplier", description="Scale of the noise added to the picture."),
    Ui("image", step=0.01, slider=(0.5, 1.5), advanced=True, label="Noise multiplier", needs=("image",)),
]  # fmt: skip
ExtraNoise = Annotated[
    float, Field(ge=0, le=1, title="Extra noise", description="Share of the noise that is added once more, for more detail."),
    Ui("image", step=0.01, slider=(0, 0.5), advanced=True, label="Extra noise", needs=("image", "hr_scale", "hr_width", "hr_height")),
]  # fmt: skip
ResizeMode = Annotated[
    Literal["stretch", "crop", "fill", "latent"],
    Field(
        title="Resize",
        description="How the picture gets the wanted size: stretched, cropped, filled at the edges, or its latent stretched.",
    ),
    Ui("image", label="Resize mode", needs=("image",)),
]
ResizeFilter = Annotated[
    Literal["Nearest", "Box", "Bilinear", "Bicubic", "Lanczos"],
    Field(title="Resampling", description="How pixels are computed when the picture is resized."),
    Ui("image", advanced=True, label="Resampling", needs=("image",)),
]
Background = Annotated[
    str,
    Field(pattern=r"^#[0-9a-fA-F]{6}$", title="Background", description="Colour (#rrggbb) behind transparent places of the picture."),
    Ui("image", advanced=True, label="Background", needs=("image",)),
]
EncodeSample = Annotated[
    bool, Field(title="Sampled encoding", description="Draw the picture's latent from the VAE's distribution instead of taking its mean."),
    Ui("image", advanced=True, label="Encode sample", needs=("image",)),
]  # fmt: skip
ColourCorrection = Annotated[
    bool, Field(title="Colour correction", description="Give the result the colours of the picture it started from."),
    Ui("image", advanced=True, label="Color correction", needs=("image",)),
]  # fmt: skip

# -- masks -----------------------------------------------------------------------------------------

Mask = Annotated[
    str,
    Field(max_length=256, title="Mask", description="Picture whose white places are repainted."),
    Ui("mask", widget="image", needs=("image",)),
]
MaskBlur = Annotated[
    float, Field(ge=0, le=512, title="Mask blur", description="How softly the mask ends (sigma of a Gaussian)."),
    Ui("mask", step=1, slider=(0, 64), unit="px", label="Mask blur", needs=("mask",)),
]  # fmt: skip
MaskExpand = Annotated[
    int, Field(ge=-512, le=512, title="Mask grow", description="Grow the mask, or shrink it with a value below 0."),
    Ui("mask", step=1, slider=(-64, 64), unit="px", label="Mask grow", needs=("mask",)),
]  # fmt: skip
MaskPadding = Annotated[
    int | None,
    Field(ge=0, le=4096, title="Only masked", description="Paint only the masked part, with so many pixels around it, at full size; unset paints the whole."),
    Ui("mask", step=8, slider=(0, 256), unit="px", unset="Whole picture", label="Masked area padding", needs=("mask",)),
]
MaskFill = Annotated[
    Literal["original", "fill", "noise", "nothing"],
    Field(title="Masked content", description="What the masked places start from: themselves, the colours around, latent noise, or nothing."),
    Ui("mask", label="Masked content", needs=("mask",)),
]
MaskMode = Annotated[
    Literal["hard", "soft", "differential"],
    Field(title="Mask mode", description="hard keeps what is not masked at each step, soft lets the picture decide, differential reads grey as strength."),
    Ui("mask", advanced=True, label="Mask blending", needs=("mask",)),
]
MaskRound = Annotated[
    bool, Field(title="Round mask", description="Read each place of the mask as either masked or not."),
    Ui("mask", advanced=True, label="Mask rounding", needs=("mask",)),
]  # fmt: skip
MaskInvert = Annotated[
    bool, Field(title="Invert mask", description="Repaint what is not masked."),
    Ui("mask", label="Mask mode", needs=("mask",)),
]  # fmt: skip
MaskWeight = Annotated[
    float, Field(ge=0, le=1, title="Mask weight", description="How much of the masked places an inpainting model does not see."),
    Ui("mask", step=0.05, advanced=True, label="Conditional mask weight", needs=("mask",)),
]  # fmt: skip
_SOFT = ("mask_mode=soft",)
SoftPower = Annotated[
    float, Field(ge=0, le=8, title="Schedule bias", description="Soft inpainting: above 1 keeps the original at later steps, below 1 at earlier ones."),
    Ui("mask", step=0.1, advanced=True, label="Soft inpainting schedule bias", needs=_SOFT),
]  # fmt: skip
SoftScale = Annotated[
    float, Field(ge=0, le=8, title="Preservation", description="Soft inpainting: how strongly partly masked places are kept."),
    Ui("mask", step=0.05, advanced=True, label="Soft inpainting preservation strength", needs=_SOFT),
]  # fmt: skip
SoftContrast = Annotated[
    float, Field(ge=1, le=32, title="Transition contrast", description="Soft inpainting: sharpness where old and new mix."),
    Ui("mask", step=0.5, advanced=True, label="Soft inpainting transition contrast boost", needs=_SOFT),
]  # fmt: skip
SoftInfluence = Annotated[
    float, Field(ge=0, le=1, title="Mask influence", description="Soft inpainting: how much the mask itself counts when old and new are put together."),
    Ui("mask", step=0.05, advanced=True, label="Soft inpainting mask influence", needs=_SOFT),
]  # fmt: skip
SoftThreshold = Annotated[
    float, Field(ge=0, le=8, title="Difference threshold", description="Soft inpainting: change from which a place counts as new."),
    Ui("mask", step=0.05, advanced=True, label="Soft inpainting difference threshold", needs=_SOFT),
]  # fmt: skip
SoftDifference = Annotated[
    float, Field(ge=0, le=8, title="Difference contrast", description="Soft inpainting: how sharply old and new are told apart."),
    Ui("mask", step=0.1, advanced=True, label="Soft inpainting difference contrast", needs=_SOFT),
]  # fmt: skip

# -- outpainting -----------------------------------------------------------------------------------

_SIDE = Field(ge=0, le=2048)
OutpaintLeft = Annotated[
    int, _SIDE, Field(title="Outpaint left", description="Pixels painted to the left of the picture."),
    Ui("outpaint", step=8, slider=(0, 512), unit="px", advanced=True, label="Outpaint left", needs=("image",)),
]  # fmt: skip
OutpaintRight = Annotated[
    int, _SIDE, Field(title="Outpaint right", description="Pixels painted to the right of the picture."),
    Ui("outpaint", step=8, slider=(0, 512), unit="px", advanced=True, label="Outpaint right", needs=("image",)),
]  # fmt: skip
OutpaintTop = Annotated[
    int, _SIDE, Field(title="Outpaint top", description="Pixels painted above the picture."),
    Ui("outpaint", step=8, slider=(0, 512), unit="px", advanced=True, label="Outpaint top", needs=("image",)),
]  # fmt: skip
OutpaintBottom = Annotated[
    int, _SIDE, Field(title="Outpaint bottom", description="Pixels painted below the picture."),
    Ui("outpaint", step=8, slider=(0, 512), unit="px", advanced=True, label="Outpaint bottom", needs=("image",)),
]  # fmt: skip
OutpaintOverlap = Annotated[
    int, Field(ge=8, le=64, title="Outpaint overlap", description="How far into the picture the new part reaches, softly."),
    Ui("outpaint", step=8, unit="px", advanced=True, label="Outpaint overlap", needs=_OUTPAINT),
]  # fmt: skip
OutpaintFill = Annotated[
    Literal["edges", "texture", "noise"],
    Field(title="Outpaint from", description="What the new part starts from: stretched edges, noise shaped like the picture, or latent noise."),
    Ui("outpaint", advanced=True, label="Outpaint fill", needs=_OUTPAINT),
]

# -- loopback and alternative start ----------------------------------------------------------------

Loops = Annotated[
    int, Field(ge=1, le=32, title="Loops", description="How often the result is repainted, each time from the last one with the next seed."),
    Ui("loopback", step=1, advanced=True, label="Loops", needs=("image",)),
]  # fmt: skip
LoopStrength = Annotated[
    float | None,
    Field(ge=0, le=1, title="Final strength", description="Strength of the last loop; unset is the same for all."),
    Ui("loopback", step=0.05, advanced=True, unset="Same", label="Final denoising strength", needs=("loops",)),
]
LoopCurve = Annotated[
    Literal["linear", "aggressive", "lazy"],
    Field(title="Strength curve", description="How strength moves to its final value: evenly, fast at first, or fast at last."),
    Ui("loopback", advanced=True, label="Denoising curve", needs=("loop_strength",)),
]
LoopCaption = Annotated[
    str,
    Field(max_length=PROMPT_LIMIT, title="Loop caption", description="Text added to the prompt from the second loop on."),
    Ui("loopback", advanced=True, label="Loop caption", needs=("loops",)),
]
Alternative = Annotated[
    bool, Field(title="From inverted noise", description="Find the noise the picture would come from, and paint anew from it (img2img alternative)."),
    Ui("alternative", advanced=True, label="Alternative", needs=("image",)),
]  # fmt: skip
_ALTERNATIVE = ("alternative",)
AlternativePrompt = Annotated[
    str, Field(max_length=PROMPT_LIMIT, title="Original prompt", description="What the picture shows as it is; empty is the prompt."),
    Ui("alternative", advanced=True, label="Original prompt", needs=_ALTERNATIVE),
]  # fmt: skip
AlternativeNegative = Annotated[
    str, Field(max_length=PROMPT_LIMIT, title="Original negative", description="What the picture does not show as it is."),
    Ui("alternative", advanced=True, label="Original negative prompt", needs=_ALTERNATIVE),
]  # fmt: skip
AlternativeGuidance = Annotated[
    float, Field(ge=0, le=2, title="Decode guidance", description="Guidance while the noise is sought."),
    Ui("alternative", step=0.1, advanced=True, label="Decode CFG scale", needs=_ALTERNATIVE),
]  # fmt: skip
AlternativeSteps = Annotated[
    int, Field(ge=1, le=150, title="Decode steps", description="Steps by which the noise is sought."),
    Ui("alternative", step=1, advanced=True, label="Decode steps", needs=_ALTERNATIVE),
]  # fmt: skip
AlternativeRandomness = Annotated[
    float, Field(ge=0, le=1, title="Randomness", description="Share of fresh noise mixed in."),
    Ui("alternative", step=0.01, advanced=True, label="Randomness", needs=_ALTERNATIVE),
]  # fmt: skip
AlternativeSigma = Annotated[
    bool, Field(title="Sigma adjustment", description="Scale the found noise by its level instead of by its own spread."),
    Ui("alternative", advanced=True, label="Sigma Adjustment", needs=_ALTERNATIVE),
]  # fmt: skip
