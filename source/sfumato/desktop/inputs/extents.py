"""What of a picture is repainted when only its masked part is: the box that the engine will take (rule E66 of the engine). No Qt, no pictures."""

from __future__ import annotations

from dataclasses import dataclass

from sfumato.desktop.inputs.crops import Box, Size


@dataclass(frozen=True)
class Extent:
    """`box` in shares of the picture; `is_reduced`: it is larger than what is painted, so that detail is lost."""

    box: Box
    is_reduced: bool


def extent(masked: Box, picture: Size, working: Size, padding: int, expand: int = 0, blur: float = 0) -> Extent | None:
    """The part of `picture` (pixels) that is painted at the `working` size; None where nothing is masked any more.

    Args:
        masked: the box around what is masked, in shares.
        padding: pixels around it on each side.
        expand: pixels the mask grows by, or shrinks by if below 0.
        blur: sigma of the mask's blur, which makes it wider.
    """
    width, height = picture
    margin = expand + (int(2.5 * blur + 0.5) if blur > 0 else 0)
    left, top = round(masked.x * width) - margin, round(masked.y * height) - margin
    right, bottom = round((masked.x + masked.width) * width) + margin, round((masked.y + masked.height) * height) + margin
    if right <= left or bottom <= top:
        return None
    left, top = max(max(left, 0) - padding, 0), max(max(top, 0) - padding, 0)
    right, bottom = min(min(right, width) + padding, width), min(min(bottom, height) + padding, height)
    wide, high = right - left, bottom - top
    if wide * working[1] > high * working[0]:
        top, bottom = _grown(top, bottom, wide * working[1] // working[0], height)
    else:
        left, right = _grown(left, right, high * working[0] // working[1], width)
    wide, high = right - left, bottom - top
    return Extent(Box(left / width, top / height, wide / width, high / height), wide > working[0] or high > working[1])


def _grown(start: int, end: int, wanted: int, limit: int) -> tuple[int, int]:
    """start..end made `wanted` long within 0..limit, evenly to both ends and pushed inside, or as long as fits."""
    extra = max(0, wanted - (end - start))
    start, end = start - extra // 2, end + extra - extra // 2
    beyond = max(0, end - limit)
    start, end = start - beyond, end - beyond
    return max(0, start), min(end + max(0, -start), limit)
