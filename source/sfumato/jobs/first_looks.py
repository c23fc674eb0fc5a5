"""A small copy of a picture, sent before the picture itself: over a slow line something is seen at once."""

from __future__ import annotations

import io
import logging
import struct

from PIL import Image

log = logging.getLogger(__name__)

SIDE_PX = 256
# A picture that is not much larger than its small copy needs none.
FROM_BYTES = 64 << 10
PIXELS_LIMIT = 64 << 20
_QUALITY = 80


def first_look(media_type: str, data: bytes) -> bytes | None:
    """A JPEG of at most 256 pixels a side; None for what is small, no picture or not to be read."""
    if not media_type.startswith("image/") or len(data) <= FROM_BYTES:
        return None
    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > PIXELS_LIMIT:
                return None
            opened.draft("RGB", (SIDE_PX, SIDE_PX))
            opened.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, reducing_gap=2.0)
            small = io.BytesIO()
            opened.convert("RGB").save(small, "JPEG", quality=_QUALITY)
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, ArithmeticError, struct.error, Image.DecompressionBombError) as error:
        log.info("a result of type %s could not be made small: %s", media_type, error)
        return None
    return small.getvalue()
