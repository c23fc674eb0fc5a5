"""A model file of the client, sent in parts into a models folder of the machine that is asked.

Data follows in `Feed`s with offsets, from the `done` of the first `Progress(stage="upload")` on, and at most `WINDOW_BYTES` ahead of the last one.
"""

from __future__ import annotations

from sfumato.protocol import params
from sfumato.protocol.requests import Request, Result

WINDOW_BYTES = 8 << 20
STAGE = "upload"


class Upload(Request):
    """What was sent before is kept for a day, so that the same request goes on where it ended. No file is ever replaced."""

    folder: params.transfers.Folder = "auto"
    name: params.transfers.Name
    size: params.transfers.SizeBytes
    sha256: params.transfers.Checksum


class Stored(Result):
    """A file in a models folder. `already`: it was there before, maybe under this other name or in this other folder. `kind` is by its first bytes."""

    folder: str = ""
    name: str = ""
    size: int = 0
    sha256: str = ""
    already: bool = False
    kind: str = ""
