"""What the Models page shows: the view and its order, the cards, which of them are chosen, and everything about the current one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import QObject, QTimer, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.language import tr
from sfumato.desktop.models.browsing import Listing, View
from sfumato.desktop.models.categories import BY_ID, CATEGORIES
from sfumato.desktop.models.collection import Collection
from sfumato.desktop.models.details import details_of
from sfumato.desktop.models.hashing import IdleHashes
from sfumato.desktop.models.shelf import Shelf
from sfumato.desktop.shell import Shell
from sfumato.library.hashes import Hashes
from sfumato.library.model_facts import split
from sfumato.library.model_marks import Marks
from sfumato.library.models_index import WILDCARD, ModelRow

CARD_SIZES = (150, 180, 210, 250, 300, 370, 450)
FIRST_SIZE = 210
ORDERS = ("name", "date", "size", "used")
QUIET_MS = 120


class Gallery(QObject):
    """The half of `studio.models` that looks; `part.Models` is the half that does."""

    changed = pyqtSignal()  # the view, counts, folders
    picked = pyqtSignal()  # the current model, the chosen ones, or what is known of them
    busy_changed = pyqtSignal()
    shownAt = pyqtSignal(int)  # the card to bring into view

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        kept = shell.session.restored("models", dict, {})
        self._view = View(
            category=kept.get("category") if kept.get("category") in BY_ID else "checkpoints",  # type: ignore[arg-type]  # a key of BY_ID is a text
            order=kept.get("order") if kept.get("order") in ORDERS else "name",  # type: ignore[arg-type]  # checked
            hides_others=kept.get("hides_others") is not False,
        )
        self._size: int = next((size for size in CARD_SIZES if size == kept.get("size")), FIRST_SIZE)
        self._text_only = kept.get("text_only") is True
        shell.session.keep("models", self._kept)
        self._listing = Listing(self._view, [], {}, (), 0)
        self._listed = False
        self._current = ""
        self._anchor = ""
        self._chosen: set[str] = set()
        self._active: set[str] = set()
        self._follow_to = ""
        self._marks = Marks(shell.places.data)
        self._hashes = IdleHashes(Hashes(shell.places.data), self)
        self._collection = Collection(shell.places, self)
        self._shelf = Shelf(self)
        self._marking = self._timer(QUIET_MS, self._mark_active)
        self._collection.listed.connect(self._take)
        self._collection.busy_changed.connect(self.busy_changed)
        self._collection.failed.connect(shell.complain)
        self._hashes.found.connect(self.picked)

    def _mark_active(self) -> None:
        """See which models are in use; `part.Models` knows."""

    def _timer(self, interval: int, then: Callable[[], Any]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval)
        timer.timeout.connect(then)
        return timer

    def _kept(self) -> dict[str, Any]:
        view = self._view
        return {"category": view.category, "order": view.order, "hides_others": view.hides_others, "size": self._size, "text_only": self._text_only}

    def _remark(self) -> None:
        self._shelf.mark("favourite", frozenset(self._marks.favourites))
        self._ask()

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(QObject, constant=True)
    def shelf(self) -> Shelf:
        return self._shelf

    @pyqtProperty("QVariantList", notify=changed)
    def categories(self) -> list[dict[str, Any]]:
        """{id, title, icon, count}"""
        counts = self._listing.counts
        return [{"id": each.id, "title": tr(each.title), "icon": each.icon, "count": counts.get(each.id, 0)} for each in CATEGORIES]

    @pyqtProperty("QVariantList", notify=changed)
    def folders(self) -> list[dict[str, Any]]:
        """The folders of the category as a tree: {path, name, depth}."""
        return [{"path": path, "name": path.rpartition("/")[2], "depth": path.count("/")} for path in self._listing.folders]

    @pyqtProperty(str, notify=changed)
    def category(self) -> str:
        return self._view.category

    @pyqtProperty(str, notify=changed)
    def title(self) -> str:
        """Category and folder in words."""
        return " / ".join([tr(BY_ID[self._view.category].title), *self._view.folder.split("/")]) if self._view.folder else tr(BY_ID[self._view.category].title)

    @pyqtProperty(str, notify=changed)
    def folder(self) -> str:
        return self._view.folder

    @pyqtProperty(str, notify=changed)
    def query(self) -> str:
        return self._view.query

    @pyqtProperty(str, notify=changed)
    def order(self) -> str:
        return self._view.order

    @pyqtProperty(bool, notify=changed)
    def compatible(self) -> bool:
        """Whether models of another family than the checkpoint's are hidden."""
        return self._view.hides_others

    @pyqtProperty(str, notify=changed)
    def family(self) -> str:
        """The family of the checkpoint, "" while it is not known."""
        return self._view.family

    @pyqtProperty(bool, notify=changed)
    def listed(self) -> bool:
        """Whether the folders were looked through once, so that an empty page is an empty folder."""
        return self._listed

    @pyqtProperty(int, notify=changed)
    def hidden(self) -> int:
        """How many are hidden for their family."""
        return self._listing.hidden

    @pyqtProperty(str, notify=changed)
    def emptyWords(self) -> str:
        """What to do where nothing is shown."""
        if self._view.query:
            return tr("Nothing here matches '{query}'.", query=self._view.query)
        if self._listing.hidden:
            return tr("All {count} models here are for another family than the checkpoint ({family}).", count=self._listing.hidden, family=self._view.family)
        return tr(BY_ID[self._view.category].empty)

    @pyqtProperty(bool, notify=busy_changed)
    def busy(self) -> bool:
        return self._collection.busy

    @pyqtProperty(int, notify=changed)
    def cardSize(self) -> int:
        return self._size

    @pyqtProperty(bool, notify=changed)
    def textOnly(self) -> bool:
        return self._text_only

    @pyqtProperty(str, notify=picked)
    def current(self) -> str:
        """The path of the model whose details are shown, "" for none."""
        return self._current

    @pyqtProperty(int, notify=picked)
    def currentIndex(self) -> int:
        return self._shelf.index_of(self._current)

    @pyqtProperty(int, notify=picked)
    def chosenCount(self) -> int:
        return len(self._chosen)

    @pyqtProperty("QVariantMap", notify=picked)
    def details(self) -> dict[str, Any]:
        """Everything about the current model; empty for none."""
        row = self._row()
        if row is None:
            return {}
        return details_of(row, self._hashes.known(row.path), row.path in self._marks.favourites) | {
            "active": row.path in self._active,
            "vocabulary": row.category == WILDCARD and row.name in split(str(self._shell.settings["vocabulary"])),
        }

    # -- what the user looks at ------------------------------------------------------------------

    @pyqtSlot(str)
    def showCategory(self, category: str) -> None:
        if category in BY_ID:
            self._look(category=category, folder="")

    @pyqtSlot(str)
    def showFolder(self, folder: str) -> None:
        self._look(folder=folder)

    @pyqtSlot(str)
    def search(self, query: str) -> None:
        self._look(query=query)

    @pyqtSlot(str)
    def sort(self, order: str) -> None:
        if order in ORDERS:
            self._look(order=order)

    @pyqtSlot(bool)
    def hideOthers(self, hides: bool) -> None:
        self._look(hides_others=hides)

    @pyqtSlot(int)
    def zoom(self, steps: int) -> None:
        """Larger or smaller cards; 0 gives the size of the beginning."""
        at = CARD_SIZES.index(self._size)
        self._size = CARD_SIZES[max(0, min(len(CARD_SIZES) - 1, at + steps))] if steps else FIRST_SIZE
        self._shell.session.touch()
        self.changed.emit()

    @pyqtSlot()
    def toggleText(self) -> None:
        """Cards with pictures, or lines of text."""
        self._text_only = not self._text_only
        self._shell.session.touch()
        self.changed.emit()

    def _look(self, **values: Any) -> None:
        view = View(**{**vars(self._view), **values})
        if view != self._view:
            self._view = view
            self._shell.session.touch()
            self.changed.emit()
            self._ask()

    def _ask(self) -> None:
        self._collection.ask(View(**{**vars(self._view), "favourites": frozenset(self._marks.favourites), "used": dict(self._marks.used)}))

    def _take(self, listing: Listing) -> None:
        self._listing = listing
        self._listed = self._listed or self._collection.looked
        self._shelf.take(listing.rows)
        self._shelf.compare(listing.view.family)
        shown = {row.path for row in listing.rows}
        if self._follow_to and self._follow_to in shown:
            self._current, self._chosen, self._follow_to = self._follow_to, {self._follow_to}, ""
            self.shownAt.emit(self._shelf.index_of(self._current))
        if self._current not in shown:
            self._current = ""
        self._chosen &= shown
        self._shelf.mark("chosen", set(self._chosen))
        self._marking.start()
        self.changed.emit()
        self.picked.emit()

    # -- choosing --------------------------------------------------------------------------------

    @pyqtSlot(int)
    @pyqtSlot(int, bool, bool)
    def choose(self, index: int, adding: bool = False, ranging: bool = False) -> None:
        """Make a card the current one; with Ctrl it is added or taken out, with Shift everything up to it is chosen."""
        rows = self._shelf.rows
        if not 0 <= index < len(rows):
            return
        path = rows[index].path
        start = self._shelf.index_of(self._anchor) if ranging else -1
        if start >= 0:
            first, last = sorted((start, index))
            self._chosen = {row.path for row in rows[first : last + 1]}
        else:
            self._chosen = (self._chosen ^ {path}) if adding else {path}
            self._anchor = path
        self._current = path
        self._shelf.mark("chosen", set(self._chosen))
        self.picked.emit()

    @pyqtSlot()
    def chooseAll(self) -> None:
        self._chosen = {row.path for row in self._shelf.rows}
        self._shelf.mark("chosen", set(self._chosen))
        self.picked.emit()

    def _row(self) -> ModelRow | None:
        return self._collection.row(self._current) if self._current else None

    def _rows(self) -> list[ModelRow]:
        """What an action is about: the chosen models in their order, or the current one."""
        rows = [row for row in self._shelf.rows if row.path in self._chosen]
        return rows or ([row] if (row := self._row()) else [])
