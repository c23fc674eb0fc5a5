"""Which kind of job the inputs and values make, and what it is called. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GENERATE, UPSCALE, ANNOTATE = OF_INPUTS = ("generate", "upscale", "annotate")
SIDES = ("outpaint_left", "outpaint_right", "outpaint_top", "outpaint_bottom")


@dataclass(frozen=True)
class Mode:
    """`kind` of job, and the `title` a person knows it by; it is not translated: the words are the field's own."""

    kind: str
    title: str


def inferred(values: Mapping[str, Any], *, image: bool, mask: bool = False, extended: bool = False, tile: bool = False) -> Mode:
    """The mode of what would be sent.

    Args:
        values: of the form; absent ones are defaults.
        image: there is a picture to start from.
        mask: it has a mask that is not empty.
        extended: its canvas was made larger than the picture.
        tile: a control that paints in tiles belongs to it.
    """
    highres = bool((values.get("hr_scale") or 1.0) > 1 or values.get("hr_width") or values.get("hr_height"))
    if not image:
        return Mode(GENERATE, "Txt2Img + HR" if highres else "Txt2Img")
    if extended or any(values.get(side) for side in SIDES):
        return Mode(GENERATE, "Outpainting")
    if mask:
        return Mode(GENERATE, "Inpainting")
    if values.get("strength") == 0:
        return Mode(UPSCALE, "Upscaling")
    if tile or values.get("tiled", "off") not in ("off", None):
        return Mode(GENERATE, "Tiled")
    return Mode(GENERATE, "Img2Img")


def of_job(kind: str, params: Mapping[str, Any]) -> str:
    """What a job is called that is already frozen, by the same rules."""
    if kind == UPSCALE:
        return "Upscaling"
    if kind == ANNOTATE:
        return "Annotating"
    return inferred(params, image=bool(params.get("image")), mask=bool(params.get("mask"))).title
