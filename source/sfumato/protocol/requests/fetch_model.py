"""A part of a model file of the machine that is asked, for a client that wants the file itself."""

from __future__ import annotations

from sfumato.protocol import params
from sfumato.protocol.requests import Request, Result

NAME = "part"


class FetchModel(Request):
    """The part comes as one artifact; its `info` says `offset` and the `size` and `sha256` of the whole file."""

    folder: params.transfers.Folder = "checkpoints"
    name: params.transfers.Name
    offset: params.transfers.Offset = 0


class FetchedModel(Result):
    """`next`: where the part after this one begins; the `size` of the file if there is none."""

    name: str = ""
    size: int = 0
    sha256: str = ""
    next: int = 0
