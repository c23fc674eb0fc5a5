"""Where a weight lies in a file, if that is more than a key."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """One weight in a file.

    Attributes:
        key: of the stored tensor.
        third: 0, 1 or 2 if the weight is the first, second or last third of its rows (query, key, value stacked), else None.
        is_transposed: stored as (columns, rows).
    """

    key: str
    third: int | None = None
    is_transposed: bool = False

    def under(self, prefix: str) -> Place:
        """The same place in a file that puts `prefix` before its keys."""
        return Place(prefix + self.key, self.third, self.is_transposed)
