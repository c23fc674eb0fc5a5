"""What a masked place starts from when it is not to be itself: the colours around it (E65 of engine, as AUTOMATIC1111's "fill")."""

from __future__ import annotations

from PIL import Image, ImageFilter, ImageOps

# Radius of the blur in pixels, how often its result is laid over the last one. The coarsest reach farthest, the finest lie on top.
_LAYERS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))


def filled(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture ("RGB") with its masked places filled by blurs of what is not masked, in proportion to the mask of the same size."""
    seen = picture.copy()
    seen.putalpha(ImageOps.invert(mask))
    # Premultiplied: masked pixels have no colour that could bleed.
    seen = seen.convert("RGBa")
    canvas = Image.new("RGBA", picture.size)
    for radius, times in _LAYERS:
        layer = seen.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            canvas.alpha_composite(layer)
    return canvas.convert("RGB")
