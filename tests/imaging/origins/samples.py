"""Pictures as other programs write them."""

from __future__ import annotations

import io

from PIL import Image
from PIL.PngImagePlugin import PngInfo

PICTURE = Image.new("RGB", (8, 8), (30, 60, 90))


def png(image: Image.Image = PICTURE, **texts: str) -> bytes:
    """A PNG with these texts, by keyword."""
    info = PngInfo()
    for keyword, text in texts.items():
        info.add_itxt(keyword.replace("_", "-") if keyword.startswith("sd_") else keyword, text)
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def with_exif(form: str, exif: Image.Exif) -> bytes:
    """A picture of any format with an EXIF block."""
    file = io.BytesIO()
    PICTURE.save(file, form, exif=exif)
    return file.getvalue()
