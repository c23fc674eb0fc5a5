"""A model file from the web, fetched by the machine that is asked."""

from __future__ import annotations

from sfumato.protocol import params
from sfumato.protocol.requests import Request

STAGE = "download"


class Download(Request):
    """Answered with `Stored`. What was fetched before is kept for a day, so that the same request goes on where it ended. No file is ever replaced."""

    address: params.transfers.Address
    folder: params.transfers.Folder = "auto"
    name: params.transfers.OwnName = ""
    sha256: params.transfers.ExpectedChecksum = ""
    token: params.transfers.Token = ""
