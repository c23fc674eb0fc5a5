"""What of all models is shown: a category or the favourites, a folder with those below it, a search, an order, and the family of the checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sfumato.desktop.models.categories import BY_ID, CATEGORIES, FAVOURITES, OF_A_FAMILY
from sfumato.library.model_search import Order, matches, ordered, searched, terms
from sfumato.library.models_index import ModelRow


@dataclass(frozen=True)
class View:
    """What the user looks at."""

    category: str = "checkpoints"
    folder: str = ""
    query: str = ""
    order: Order = "name"
    family: str = ""
    hides_others: bool = True
    favourites: frozenset[str] = frozenset()
    used: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """The answer: rows in order, how many each category has, the folders of this one, and how many were hidden for their family."""

    view: View
    rows: list[ModelRow]
    counts: Mapping[str, int]
    folders: tuple[str, ...]
    hidden: int


class Stock:
    """All rows with what is searched of them; made and asked on the worker's thread."""

    def __init__(self, rows: list[ModelRow]) -> None:
        self.rows = rows
        self.by_path = {row.path: row for row in rows}
        self._texts: dict[str, str] = {}

    def listing(self, view: View) -> Listing:
        held = [row for row in self.rows if _is_in(row, view)]
        folders = _with_parents(row.folder for row in held) if view.category != FAVOURITES else set()
        if view.folder:
            inside = f"{view.folder}/"
            held = [row for row in held if row.folder == view.folder or row.folder.startswith(inside)]
        wanted = terms(view.query)
        if wanted:
            held = [row for row in held if matches(self._text(row), wanted)]
        fitting = [row for row in held if fits(row, view.family)] if view.hides_others else held
        return Listing(view, ordered(fitting, view.order, view.used), self._counts(view), tuple(sorted(folders)), len(held) - len(fitting))

    def _text(self, row: ModelRow) -> str:
        """What is searched of a row, made at the first search: the first page does not wait for it."""
        text = self._texts.get(row.path)
        if text is None:
            text = self._texts[row.path] = searched(row)
        return text

    def _counts(self, view: View) -> dict[str, int]:
        held = Counter(row.category for row in self.rows)
        counts = {category.id: sum(held[each] for each in category.holds) for category in CATEGORIES}
        counts[FAVOURITES] = sum(path in self.by_path for path in view.favourites)
        return counts


def fits(row: ModelRow, family: str) -> bool:
    """Whether a model can act beside a checkpoint of that family; what nothing is known of may."""
    return not family or row.category not in OF_A_FAMILY or not row.told.family or row.told.family == family


def _is_in(row: ModelRow, view: View) -> bool:
    return row.path in view.favourites if view.category == FAVOURITES else row.category in BY_ID[view.category].holds


def _with_parents(folders: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for folder in set(folders):
        while folder:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found
