"""How a job is run and told of; nothing here but the number format changes what a picture shows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.ui import Ui

Preview = Annotated[
    Literal["off", "linear", "tiny", "full"],
    Field(
        title="Preview",
        description="Picture shown while it emerges: linear is quick and small, tiny needs a small autoencoder's file, full decodes the whole picture.",
    ),
    Ui("operation", advanced=True),
]
PreviewEvery = Annotated[
    int,
    Field(ge=1, le=50, title="Preview interval", description="Steps from one preview to the next; 1 makes as many as a twentieth of the time allows."),
    Ui("operation", step=1, slider=(1, 10), unit="steps", advanced=True),
]
Precision = Annotated[
    Literal["auto", "fp16", "bf16", "fp32"],
    Field(title="Precision", description="Number format the model computes in; auto suits the device."),
    Ui("operation", advanced=True),
]
VaePrecision = Annotated[
    Literal["auto", "fp16", "bf16", "fp32"],
    Field(title="VAE precision", description="Number format the VAE computes in; auto is the model's."),
    Ui("operation", advanced=True),
]
Attention = Annotated[
    Literal["auto", "sdpa", "flash", "math", "split", "upcast", "xformers", "sage"],
    Field(title="Attention", description="What computes attention; auto suits the device, xformers and sage need their packages, upcast counts in float32."),
    Ui("operation", advanced=True),
]
Deterministic = Annotated[
    bool,
    Field(title="Deterministic", description="Make pictures one by one with bit-equal results, at some cost in speed."),
    Ui("operation", advanced=True),
]
VaeTiling = Annotated[
    Literal["auto", "on", "off"],
    Field(
        title="VAE tiling",
        description="Let the VAE work in overlapping tiles of 512 px, in the memory of one; auto does so where the whole picture would not fit.",
    ),
    Ui("operation", advanced=True),
]
Offload = Annotated[
    Literal["auto", "none", "components", "blocks", "sequential"],
    Field(
        title="Offloading",
        description=(
            "What of the model stays on the graphics card: everything, the network at work, a few of its blocks, or the layer at work; the less, the slower. "
            "Auto keeps what fits."
        ),
    ),
    Ui("operation", advanced=True),
]
MemoryLimit = Annotated[
    float,
    Field(ge=0, le=1024, title="Memory limit", description="GPU memory that may be used, in GiB; 0 uses what is free."),
    Ui("operation", step=0.5, slider=(0, 48), unit="GiB", advanced=True),
]
Metadata = Annotated[
    Literal["full", "prompt_free", "none"],
    Field(
        title="Metadata",
        description="What is written into the picture: everything needed to repeat it, the same with checksums instead of prompts, or nothing.",
    ),
    Ui("operation", advanced=True),
]
PictureFormat = Annotated[
    Literal["png", "jpeg", "webp", "avif"],
    Field(title="File format", description="What pictures are written as; png loses nothing."),
    Ui("operation", advanced=True),
]
Quality = Annotated[
    int,
    Field(ge=1, le=100, title="Quality", description="Quality of jpeg, webp and avif pictures; 100 is lossless for webp."),
    Ui("operation", step=1, slider=(50, 100), advanced=True, needs=("format",)),
]
