"""The parts of a prompt between commas, and moving one of them past its neighbour."""

import re

from sfumato.prompts.editing import Edit

_CUTS = re.compile(r"\\[\s\S]|[(\[{<)\]}>,\n]")
_OPENING = "([{<"


def move_part(text: str, start: int, end: int, distance: int) -> Edit | None:
    """Let the part at a selection change places with the next one (`distance` 1) or the one before (-1).

    Commas, newlines and the blanks around them stay where they are. Inside brackets only the parts of the same brackets take part. The selection moves along.

    Returns:
        The change, None where there is no such neighbour.
    """
    start, end = max(min(start, end), 0), min(max(start, end), len(text))
    parts = _parts_around(text, start)
    place = next((number for number, (first, last) in enumerate(parts) if first <= start <= last), None)
    if place is None or not 0 <= place + distance < len(parts):
        return None
    one, other = sorted((place, place + distance))
    (first, first_end), (second, second_end) = (_stripped(text, *parts[number]) for number in (one, other))
    changed = text[second:second_end] + text[first_end:second] + text[first:first_end]
    if distance > 0:
        shift = second_end - first_end
    else:
        shift = first - second
    limits = (first, second_end)
    selected = tuple(min(max(position + shift, limits[0]), limits[1]) for position in (start, end))
    return Edit(first, second_end, changed, (selected[0], selected[1]))


def _parts_around(text: str, place: int) -> list[tuple[int, int]]:
    """The parts of the innermost brackets around a place; blank ones are left out."""
    frames: list[tuple[int, list[tuple[int, int]], int]] = []
    parts: list[tuple[int, int]] = []
    begin, opened = 0, 0
    for cut in _CUTS.finditer(text):
        sign = cut[0]
        if sign[0] == "\\":
            continue
        if sign in _OPENING:
            frames.append((begin, parts, opened))
            begin, parts, opened = cut.end(), [], cut.end()
        elif sign in ",\n":
            parts.append((begin, cut.start()))
            begin = cut.end()
        elif frames:
            if opened <= place <= cut.start():
                return _real(text, [*parts, (begin, cut.start())])
            begin, parts, opened = frames.pop()
    # Brackets that are never closed are characters like others.
    while frames:
        inner = [*parts, (begin, len(text))]
        if opened <= place:
            return _real(text, inner)
        begin, parts, opened = frames.pop()
    return _real(text, [*parts, (begin, len(text))])


def _real(text: str, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [part for part in parts if text[slice(*part)].strip()]


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
