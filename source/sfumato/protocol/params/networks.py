"""How networks that a prompt names are found and read (prompt-language.md P38, P65)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.ui import Ui

StrictNetworks = Annotated[
    bool,
    Field(title="Strict networks", description="Refuse a job whose prompt names a network that is not there, instead of leaving it out."),
    Ui("text", advanced=True),
]
LoraOrder = Annotated[
    Literal["te_unet", "unet_te"],
    Field(title="Order of LoRA weights", description="Which of two numbers in <lora:name:a:b> comes first: the text encoder's weight or the picture's."),
    Ui("text", advanced=True),
]
TagSchedules = Annotated[
    bool,
    Field(title="Networks in schedules", description="A network named inside [a:b:when] acts on its side only; off lets it act throughout."),
    Ui("text", advanced=True),
]
