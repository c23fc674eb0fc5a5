"""What is asked about the results of an earlier job."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sfumato.protocol.params.ui import Ui

_SIZE_LIMIT_BYTES = 1 << 40

Blob = Annotated[
    str,
    Field(max_length=160, pattern=r"^[A-Za-z0-9_.:-]+\.[0-9]{1,18}$", title="Blob", description="Name of the result, as its artifact told it."),
    Ui("transfer"),
]
BlobOffset = Annotated[
    int,
    Field(ge=0, le=_SIZE_LIMIT_BYTES, title="From", description="Where in the result the part begins."),
    Ui("transfer", unit="bytes", advanced=True),
]
