"""Places in a text, counted as Python does or as Qt does: a character beyond U+FFFF is one there and two units here."""

from bisect import bisect_left


class Units:
    """Turns places of one text into units of UTF-16 and back; costs nothing where every character is one unit."""

    def __init__(self, text: str) -> None:
        self._wide = [] if not text or max(text) <= "\uffff" else [place for place, letter in enumerate(text) if letter > "\uffff"]
        # Where each wide character begins, in units.
        self._starts = [place + number for number, place in enumerate(self._wide)]

    def to_units(self, place: int) -> int:
        """Units before a place of the text."""
        return place + bisect_left(self._wide, place)

    def to_place(self, units: int) -> int:
        """The place of the text behind so many units; the middle of a character counts as its beginning."""
        number = bisect_left(self._starts, units)
        if number and self._starts[number - 1] + 1 == units:
            return self._wide[number - 1]
        return units - number
