"""Previews of a server that may be anybody: what would be decoded into gigabytes never reaches the window."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from sfumato.protocol.messages import Progress
from sfumato.transport.strangers_pictures import is_showable
from sfumato.transport.strangers_words import bounded


def _claiming(width: int, height: int) -> bytes:
    """A PNG whose header says that size."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (head, data, b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _picture(form: str) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (256, 160), "red").save(held, form)
    return held.getvalue()


@pytest.mark.rule("N50")
def test_a_preview_that_is_no_small_picture_is_not_shown() -> None:
    good = _picture("JPEG")
    for bad in (_claiming(30_000, 30_000), _claiming(10_000, 9_000), _claiming(5000, 5000), b"", b"<svg/>", b"\x89PNG", _picture("TIFF")):
        assert not is_showable(bad)
        told = bounded(Progress(job="a", seq=1, stage="denoise", done=1, total=2, preview=(good, bad)))
        assert isinstance(told, Progress)
        assert told.preview == ()
        assert (told.done, told.stage) == (1, "denoise")
    for form in ("JPEG", "PNG", "WEBP"):
        event = Progress(job="a", seq=1, stage="denoise", preview=(_picture(form),))
        assert bounded(event) is event
