"""A part of what an earlier job made, which so far travelled only as a name."""

from __future__ import annotations

from sfumato.protocol import params
from sfumato.protocol.requests import Request, Result

# At most so much comes as one answer; who wants more asks again.
PART_BYTES = 4 << 20


class Fetch(Request):
    """`blob` is the name that an artifact carried, "<job>.<seq>". The part comes as one artifact; its `info` says `offset` and the `size` of the whole."""

    blob: params.results.Blob
    offset: params.results.BlobOffset = 0


class FetchResult(Result):
    """`next`: where the part after this one begins; the `size` of the whole if there is none."""

    size: int = 0
    next: int = 0
