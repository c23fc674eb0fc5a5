"""The handler of `fetch`: a part of what the journal keeps. It is run where the journal is, at once, and is never in the journal itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sfumato.protocol.requests.fetch import PART_BYTES, Fetch, FetchResult


class Keeper(Protocol):
    """What a handler of the lane "journal" may ask for: the kept artifacts of whoever sent the job."""

    def blob(self, name: str) -> bytes: ...

    def artifact(self, name: str, media_type: str, data: bytes, info: Mapping[str, Any] | None = None) -> None: ...


def run(request: Fetch, keeper: Keeper) -> FetchResult:
    data = keeper.blob(request.blob)
    part = data[request.offset : request.offset + PART_BYTES]
    keeper.artifact(request.blob, "application/octet-stream", part, {"offset": request.offset, "size": len(data)})
    return FetchResult(size=len(data), next=min(request.offset + len(part), len(data)))
