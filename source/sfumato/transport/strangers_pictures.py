"""Which of the pictures that a server shows while it works may be shown here: a few bytes of it can be decoded into gigabytes."""

from __future__ import annotations

import io
import struct

from PIL import Image

# The largest that a preview of the largest picture comes to.
PREVIEW_PIXELS = 16 << 20


def is_showable(preview: bytes) -> bool:
    """Whether a preview is a picture of a size that is decoded at once. Only its beginning is read."""
    try:
        with Image.open(io.BytesIO(preview), formats=("JPEG", "PNG", "WEBP")) as opened:
            return opened.width * opened.height <= PREVIEW_PIXELS
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False
