"""Pictures from the web, and nothing else: fetched only because a person dropped or pasted their address. Rules: D156 of the desktop."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote

from sfumato.library.web import Answer, Web, WebTrouble
from sfumato.protocol.errors import ImageUnreadable

TIMEOUT_S = 30.0
LIMIT_BYTES = 100 << 20

_BLOCK_BYTES = 1 << 16
_REMEDY = "Save the picture with a browser and drop the file here."


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture from the web: its bytes, and a name for it that its address suggests."""

    data: bytes
    name: str


def fetch_picture(url: str, *, timeout_s: float = TIMEOUT_S, limit_bytes: int = LIMIT_BYTES, web: Web | None = None) -> Fetched:
    """The picture at an http(s) address.

    Args:
        url: what was dropped or pasted.
        timeout_s: for all of it together.
        limit_bytes: of the picture.
        web: how the web is reached, where that is another.

    Raises:
        ImageUnreadable: the address is refused, does not answer, or holds no picture; the sentence says which.
    """
    deadline = time.monotonic() + timeout_s
    try:
        with (web or Web()).open(url, headers={"Accept": "image/*"}, deadline=deadline, idle_s=timeout_s) as answer:
            return Fetched(_body(answer, limit_bytes), _name(answer.parts))
    except WebTrouble as trouble:
        reason = f"it did not arrive within {timeout_s:g} seconds" if time.monotonic() >= deadline else trouble.reason
        error = ImageUnreadable(f"The address at '{trouble.host}'", reason, remedy=_REMEDY)
        error.detail = trouble.detail
        raise error from trouble


def _body(answer: Answer, limit: int) -> bytes:
    """What was answered, if it is a picture by its type and within the limits."""
    host = answer.host
    if answer.status != 200:
        raise WebTrouble(host, f"the server answers {answer.status}")
    media = answer.header("Content-Type").partition(";")[0].strip().casefold()
    if not media.startswith("image/") or media == "image/svg+xml":
        shown = media if media in ("text/html", "image/svg+xml", "application/pdf", "application/json") else "something else"
        raise WebTrouble(host, f"what is there is {shown} and no picture", is_refusal=True)
    too_large = f"it has more than {limit >> 20} MiB"
    if (answer.length or 0) > limit:
        raise WebTrouble(host, too_large, is_refusal=True)
    taken = bytearray()
    while block := answer.read(_BLOCK_BYTES):
        taken += block
        if len(taken) > limit:
            raise WebTrouble(host, too_large, is_refusal=True)
    if len(taken) < (answer.length or 0):
        raise WebTrouble(host, "the server could not be reached or broke off")
    return bytes(taken)


def _name(parts: SplitResult) -> str:
    """What the end of an address calls the picture."""
    return unquote(parts.path.rsplit("/", 1)[-1])[:120] or (parts.hostname or "picture")
