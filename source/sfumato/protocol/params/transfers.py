"""Files that are brought to a machine or fetched from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sfumato.protocol.params.ui import Ui

SIZE_LIMIT_BYTES = 1 << 40
PART_LIMIT_BYTES = 4 << 20
TOKEN_CHARACTERS = 512

AUTOMATIC = "auto"
# The first is no folder: what the file is decides.
FolderName = Literal[
    "auto",
    "checkpoints",
    "vae",
    "text_encoders",
    "vae_approx",
    "loras",
    "hypernetworks",
    "embeddings",
    "controlnet",
    "clip_vision",
    "annotators",
    "upscalers",
    "faces",
]
Folder = Annotated[
    FolderName,
    Field(title="Folder", description="Models folder of the file; auto looks into the file for what it is."),
    Ui("transfer"),
]
Name = Annotated[
    str,
    Field(max_length=1024, title="Name", description="Name of the file in its folder, with its ending; folders inside are divided by /."),
    Ui("transfer"),
]
OwnName = Annotated[
    str,
    Field(max_length=1024, title="Name", description="Name of the file in its folder; empty is the name it has where it comes from."),
    Ui("transfer", unset="As it is called there"),
]
SizeBytes = Annotated[
    int,
    Field(ge=1, le=SIZE_LIMIT_BYTES, title="Size", description="Bytes of the whole file."),
    Ui("transfer", unit="bytes"),
]
_DIGEST = r"^([0-9a-f]{64})?$"
Checksum = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{64}$", title="SHA-256", description="Checksum of the whole file, 64 small hexadecimal digits."),
    Ui("transfer"),
]
ExpectedChecksum = Annotated[
    str,
    Field(pattern=_DIGEST, title="SHA-256", description="Checksum the file must have, 64 small hexadecimal digits; empty asks the source for it."),
    Ui("transfer", advanced=True),
]
Address = Annotated[
    str,
    Field(
        max_length=8192,
        title="Address",
        description="Where the file is: a web address, hf:owner/repository/file, civitai:model@version, or the address of the model's page there.",
    ),
    Ui("transfer"),
]
Token = Annotated[
    str,
    Field(max_length=TOKEN_CHARACTERS, title="Token", description="What the site of the address knows you by; told to that site alone.", repr=False),
    Ui("transfer", advanced=True, widget="secret"),
]
Offset = Annotated[
    int,
    Field(ge=0, le=SIZE_LIMIT_BYTES, title="From", description="Where in the file the part begins."),
    Ui("transfer", unit="bytes", advanced=True),
]
