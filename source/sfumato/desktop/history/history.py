"""The History page as QML sees it: where to look, what for, in which order, and what was found. Nothing is opened before the first visit."""

from __future__ import annotations

import logging
import sqlite3
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, QTimer, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.disk import Disk
from sfumato.desktop.history.deeds import Deeds
from sfumato.desktop.history.details import Details
from sfumato.desktop.history.follower import Follower
from sfumato.desktop.history.pictures import PictureList
from sfumato.desktop.language import tr
from sfumato.desktop.shell import Shell
from sfumato.library.history.asking import completions
from sfumato.library.history.index import SORTS, Cell, Index, Scope
from sfumato.library.history.query import Query, parse
from sfumato.protocol.errors import NotWritable, SfumatoError

log = logging.getLogger(__name__)

SMALLEST_PX, LARGEST_PX, USUAL_PX = 100, 400, 180
FIRST_PAGE = 400
# After the last key, so that a word is searched and not each of its letters.
TYPING_MS = 120
FOLLOW_MS = 150
SAVED_AT_MOST = 100
ALL, FAVOURITES = "all", "favourites"
# These stand first, in this order.
FIRST_FOLDERS = ("txt2img", "img2img", "favourites")


class History(QObject):
    """`studio.history`."""

    changed = pyqtSignal()
    folders_changed = pyqtSignal()
    facets_changed = pyqtSignal()
    arranged = pyqtSignal()  # size, order
    searched = pyqtSignal()  # another search is shown: from the top

    def __init__(self, shell: Shell, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._index: Index | None = None
        self._follower: Follower | None = None
        self._failed = ""
        self._ask: Disk | None = None  # reads the index
        self._text = ""
        self._query = Query()
        self._scope = ALL
        self._turn = 0
        self._busy = False
        self._complete = True
        self._folders: list[dict[str, Any]] = []
        self._facets: dict[str, list[tuple[str, int]]] = {}
        self._known: dict[str, dict[str, None]] = {}  # every name the facets have told, for completion: a half-written search finds nothing
        self._pictures = PictureList(self._fetch, self)
        self._details = Details(shell, self._pictures, self.reading, self)
        self._deeds = Deeds(shell, self, self)
        kept = shell.session.restored("history", dict, {})
        self._sort = str(kept.get("sort")) if kept.get("sort") in SORTS else "time"
        self._reverse = kept.get("reverse") is True
        self._size = _between(kept.get("size"), SMALLEST_PX, LARGEST_PX, USUAL_PX)
        self._saved = [dict(row) for row in kept.get("saved", ()) if isinstance(row, dict) and isinstance(row.get("text"), str)][:SAVED_AT_MOST]
        self._added = [str(path) for path in kept.get("folders", ()) if isinstance(path, str)]
        shell.session.keep("history", self._collect)
        self._typing = self._timer(TYPING_MS, self._search)
        self._following = self._timer(FOLLOW_MS, self._follow)

    def _timer(self, wait_ms: int, act: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(wait_ms)
        timer.timeout.connect(act)
        return timer

    def _collect(self) -> dict[str, Any]:
        return {"sort": self._sort, "reverse": self._reverse, "size": self._size, "saved": self._saved, "folders": self._added}

    # -- opening and closing ---------------------------------------------------------------------

    @pyqtSlot()
    def visit(self) -> None:
        """The page is shown: the first time the index is opened, each time the folders are looked through again."""
        if self._ask is None:
            self._ask = Disk(self)
            self._busy = True
            self._ask.run(self._open, self._opened, self._broken)
        elif self._follower is not None:
            self._follower.look()

    def _open(self) -> Index:
        try:
            index = Index(self._shell.places.data / "history")
            # What was gone already when the window closed is not coming back; what is thought of it stays.
            index.drop_gone()
            return index
        except (sqlite3.Error, OSError) as error:
            raise NotWritable(str(self._shell.places.data / "history"), str(error)) from error

    def _opened(self, index: Index) -> None:
        self._index = index
        if index.opinions.complaint:
            self._shell.notices.show(index.opinions.complaint)
        self._follower = Follower(index, self)
        self._follower.changed.connect(self._noticed)
        self._follower.working_changed.connect(self.changed)
        self._search()
        self._follower.follow(self.roots)

    def _broken(self, error: SfumatoError) -> None:
        self._busy = False
        self._failed = error.message
        self.changed.emit()

    @property
    def roots(self) -> list[str]:
        """The folders that are followed."""
        return [str(self._shell.places.outputs), *self._added]

    @property
    def index(self) -> Index | None:
        return self._index

    def reading(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run what reads the index, away from the GUI thread."""
        if self._ask is not None:
            self._ask.run(work, done, self._shell.complain)

    def take(self, path: str) -> None:
        """A new picture of our own; before the first visit the folders are looked through then."""
        if self._follower is not None:
            self._follower.take(path)

    def close(self) -> None:
        """Write the ratings and end the threads."""
        let_go = self._follower.close() if self._follower is not None else True
        self._deeds.close()
        if self._ask is not None:
            self._ask.close()
        self._details.close()
        if self._index is None:
            return
        try:
            self._index.opinions.save()
        except SfumatoError as error:
            log.error("the ratings could not be kept: %s", error.message)
        if let_go:
            self._index.close()

    # -- searching -------------------------------------------------------------------------------

    @pyqtProperty(str, notify=changed)
    def text(self) -> str:
        return self._text

    @pyqtSlot(str)
    def search(self, text: str) -> None:
        """Look for something else, a moment after the last key."""
        if text != self._text:
            self._text = text
            self._query = parse(text)
            self.changed.emit()
            self._typing.start()

    @pyqtSlot(str)
    def searchNow(self, text: str) -> None:
        self.search(text)
        self._typing.stop()
        self._search()

    @pyqtSlot(str)
    def narrow(self, term: str) -> None:
        """Add a term to the search, or take it out if it is there."""
        parts = self._text.replace(term, "", 1) if term in self._text else f"{self._text} {term}"
        self.searchNow(" ".join(parts.split()))

    @pyqtProperty(str, notify=changed)
    def problem(self) -> str:
        """Why the search was taken as plain text, or why nothing can be shown; "" if all is well."""
        return self._failed or self._query.problem

    @pyqtProperty(bool, notify=changed)
    def busy(self) -> bool:
        """Whether the answer to the search is still to come."""
        return self._busy

    @pyqtProperty(bool, notify=changed)
    def working(self) -> bool:
        """Whether folders are being looked through."""
        return self._follower is not None and self._follower.working

    @pyqtProperty(str, notify=changed)
    def countWords(self) -> str:
        """How many pictures were found, in words."""
        if self._index is None or (self._busy and not self._pictures.count):
            return ""
        count = self._pictures.count
        if not self._complete:
            return tr("more than {count} pictures", count=f"{count:,}")
        return tr("1 picture") if count == 1 else tr("{count} pictures", count=f"{count:,}")

    @pyqtProperty(QObject, constant=True)
    def pictures(self) -> PictureList:
        return self._pictures

    @pyqtProperty(QObject, constant=True)
    def details(self) -> Details:
        return self._details

    @pyqtProperty(QObject, constant=True)
    def deeds(self) -> Deeds:
        return self._deeds

    @pyqtSlot(str, int, result="QVariantList")
    def complete(self, text: str, cursor: int) -> list[dict[str, Any]]:
        """What the word at the cursor may become: rows {text, note, whole, cursor}."""
        return completions(text, cursor, {kind: list(names) for kind, names in self._known.items()})

    def _scoped(self) -> Scope:
        return Scope(favourites=True) if self._scope == FAVOURITES else Scope("" if self._scope == ALL else self._scope)

    def _search(self) -> None:
        if self._index is None:
            return
        self._turn += 1
        self._busy = True
        self.changed.emit()
        index, query, scope, sort, reverse = self._index, self._query, self._scoped(), self._sort, self._reverse
        turn = self._turn

        def first() -> tuple[array[int], dict[int, Cell]] | None:
            if turn != self._turn:  # another search was asked for meanwhile
                return None
            numbers = index.search(query, scope, sort, reverse, FIRST_PAGE)
            return numbers, index.cells(numbers[:100])

        def rest() -> array[int] | None:
            return index.search(query, scope, sort, reverse) if turn == self._turn else None

        self.reading(first, partial(self._show_first, turn))
        self.reading(rest, partial(self._show_rest, turn))
        self._count(turn)

    def _show_first(self, turn: int, found: tuple[array[int], dict[int, Cell]] | None) -> None:
        if found is None or turn != self._turn:
            return
        self._complete = len(found[0]) < FIRST_PAGE
        self._busy = False
        self._pictures.show(*found)
        self.changed.emit()
        self.searched.emit()

    def _show_rest(self, turn: int, numbers: array[int] | None) -> None:
        if numbers is None or turn != self._turn:
            return
        self._complete = True
        self._pictures.follow(numbers)
        self.changed.emit()

    def _count(self, turn: int) -> None:
        """Facets and folders, after what the eye waits for."""
        index, query, scope = self._index, self._query, self._scoped()
        assert index is not None
        self.reading(
            lambda: (index.facets(query, scope), index.folders(), index.count(scope=Scope(favourites=True))) if turn == self._turn else None, self._counted
        )

    def _counted(self, found: tuple[dict[str, list[tuple[str, int]]], list[tuple[str, int]], int] | None) -> None:
        if found is None:
            return
        self._facets, folders, favourites = found
        for kind, named in self._facets.items():
            self._known.setdefault(kind, {}).update(dict.fromkeys(name for name, _ in named))
        rows = folder_rows(folders, self.roots, favourites)
        if rows != self._folders:
            self._folders = rows
            self.folders_changed.emit()
        self.facets_changed.emit()

    # -- following -------------------------------------------------------------------------------

    def _noticed(self, put: list[str], gone: list[str], back: list[str]) -> None:
        for path in put:
            self._shell.thumbnails.forget(path)
        if not self._following.isActive():
            self._following.start()
        index = self._index
        if index is not None and (gone or back):
            self.reading(lambda: [index.number_of(path) for path in (*gone, *back)], lambda numbers: self._pictures.refresh(filter(None, numbers)))

    def _follow(self) -> None:
        """Show what changed, with everything where it is."""
        index = self._index
        if index is None:
            return
        query, scope, sort, reverse, turn = self._query, self._scoped(), self._sort, self._reverse, self._turn
        self.reading(lambda: index.search(query, scope, sort, reverse) if turn == self._turn else None, partial(self._show_rest, turn))
        self._count(turn)

    def refresh(self, numbers: list[int] | None = None) -> None:
        """Ratings changed, or pictures came or went by the person's own hand."""
        if numbers is not None:
            self._pictures.refresh(numbers)
            self._details.refresh()
        self._follow()

    def _fetch(self, numbers: list[int], done: Callable[[dict[int, Cell]], None]) -> None:
        index = self._index
        if index is not None:
            self.reading(lambda: index.cells(numbers), done)

    # -- folders, saved searches, facets, order ---------------------------------------------------

    @pyqtProperty("QVariantList", notify=folders_changed)
    def folders(self) -> list[dict[str, Any]]:
        """Rows {title, scope, depth, count, added}."""
        return self._folders

    @pyqtProperty(str, notify=changed)
    def scope(self) -> str:
        """ "all", "favourites" or the path of a folder."""
        return self._scope

    @pyqtSlot(str)
    def look(self, scope: str) -> None:
        """Look somewhere else."""
        if scope != self._scope:
            self._scope = scope
            self._search()

    @pyqtSlot(str, result=str)
    def addFolder(self, path: str) -> str:
        """Follow one more folder; a sentence if it cannot be, else ""."""
        folder = Path(path).expanduser()
        text = str(folder).replace("\\", "/").rstrip("/")
        if not folder.is_absolute():
            return tr("'{path}' is no whole path; start it at the root or with ~.", path=path)
        if any(text == root or text.startswith(root.rstrip("/") + "/") for root in self.roots):
            return tr("'{path}' is among the folders already.", path=path)
        self._added.append(text)
        self._shell.session.touch()
        if self._follower is not None:
            self._follower.follow(self.roots)
        return ""

    @pyqtSlot(str)
    def dropFolder(self, path: str) -> None:
        """Follow a folder no longer; its pictures leave the history, their files and ratings stay."""
        if path in self._added and self._index is not None and self._follower is not None:
            self._added.remove(path)
            self._shell.session.touch()
            self._follower.follow(self.roots)
            index = self._index

            def forget() -> None:
                numbers = index.search(Query(), Scope(path))
                with index.together():
                    for cell in index.cells(numbers).values():
                        index.forget(cell.path)

            self._scope = ALL
            self.reading(forget, lambda _: self._search())

    @pyqtProperty("QVariantList", notify=arranged)
    def saved(self) -> list[dict[str, Any]]:
        """Saved searches: rows {name, text}."""
        return self._saved

    @pyqtSlot(str)
    def save(self, name: str) -> None:
        """Keep the search under a name; one of that name is replaced."""
        name = " ".join(name.split()) or self._text
        if not self._text.strip():
            return
        before = list(self._saved)
        self._set_saved([*(row for row in self._saved if row.get("name") != name), {"name": name, "text": self._text}][-SAVED_AT_MOST:])
        self._remember_saved(tr("Save a search"), before)

    @pyqtSlot(str)
    def dropSaved(self, name: str) -> None:
        before = list(self._saved)
        self._set_saved([row for row in self._saved if row.get("name") != name])
        self._remember_saved(tr("Remove a saved search"), before)

    def _remember_saved(self, words: str, before: list[dict[str, Any]]) -> None:
        after = list(self._saved)
        self._shell.edits.push(words, partial(self._set_saved, before), partial(self._set_saved, after), tab="history")

    def _set_saved(self, rows: list[dict[str, Any]]) -> None:
        self._saved = rows
        self._arrange()

    @pyqtProperty("QVariantList", notify=facets_changed)
    def facets(self) -> list[dict[str, Any]]:
        """Sections {title, rows: [{name, count, term}]} of what was found."""
        titles = {"model": tr("Models"), "lora": tr("Networks"), "tag": tr("Tags"), "day": tr("Days")}
        sections = []
        for kind, title in titles.items():
            rows = [{"name": name, "count": count, "term": _term("date" if kind == "day" else kind, name)} for name, count in self._facets.get(kind, ())]
            if rows:
                sections.append({"title": title, "rows": rows})
        return sections

    @pyqtProperty(str, notify=arranged)
    def sort(self) -> str:
        return self._sort

    @pyqtProperty(bool, notify=arranged)
    def reverse(self) -> bool:
        return self._reverse

    @pyqtSlot(str, bool)
    def order(self, sort: str, reverse: bool) -> None:
        """Show in another order; `reverse` turns what is usual for it."""
        if sort in SORTS and (sort, reverse) != (self._sort, self._reverse):
            self._sort, self._reverse = sort, reverse
            self._arrange()
            self._search()

    @pyqtProperty(int, notify=arranged)
    def size(self) -> int:
        """The side of a thumbnail in window pixels."""
        return self._size

    @pyqtSlot(int)
    def resize(self, size: int) -> None:
        self._size = _between(size, SMALLEST_PX, LARGEST_PX, USUAL_PX)
        self._arrange()

    def _arrange(self) -> None:
        self._shell.session.touch()
        self.arranged.emit()


def folder_rows(folders: list[tuple[str, int]], roots: list[str], favourites: int) -> list[dict[str, Any]]:
    """The rows of the folder list: All, Favourites, those of the outputs with the usual ones first, the added ones; counts include what is inside."""
    counts: dict[str, int] = {}
    for path, count in folders:
        root = next((root for root in roots if path == root or path.startswith(root.rstrip("/") + "/")), "")
        while root and path.startswith(root):
            counts[path] = counts.get(path, 0) + count
            path = path.rpartition("/")[0]
    rows: list[dict[str, Any]] = [
        {"title": tr("All"), "scope": ALL, "depth": 0, "count": sum(counts.get(root, 0) for root in roots), "added": False},
        {"title": tr("Favourites"), "scope": FAVOURITES, "depth": 0, "count": favourites, "added": False},
    ]
    outputs = roots[0].rstrip("/")
    inside = [path for path in counts if path.startswith(outputs + "/")]

    def place(path: str) -> list[tuple[int, str]]:
        parts = path[len(outputs) + 1 :].split("/")
        return [
            (FIRST_FOLDERS.index(part) if depth == 0 and part in FIRST_FOLDERS else len(FIRST_FOLDERS), part.casefold()) for depth, part in enumerate(parts)
        ]

    for path in sorted(inside, key=place):
        depth = path[len(outputs) + 1 :].count("/")
        title = {"txt2img": "Txt2Img", "img2img": "Img2Img"}.get(path.rpartition("/")[2], path.rpartition("/")[2])
        rows.append({"title": title, "scope": path, "depth": depth, "count": counts[path], "added": False})
    for root in roots[1:]:
        for path in sorted(path for path in {*counts, root} if path == root or path.startswith(root + "/")):
            depth = path[len(root) :].count("/")
            rows.append({"title": path.rpartition("/")[2] or path, "scope": path, "depth": depth, "count": counts.get(path, 0), "added": path == root})
    return rows


def _between(value: Any, low: int, high: int, otherwise: int) -> int:
    return max(low, min(high, int(value))) if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _term(field: str, name: str) -> str:
    """The term that finds exactly this; a name with a quotation mark cannot be quoted, and is looked for in part."""
    if field == "date":
        return f"date:{name}"
    if '"' in name:
        return f"{field}:{name.replace(' ', '').split(chr(34))[0]}" if name.split('"')[0].strip() else f"{field}:{name.replace(chr(34), '').split(' ')[0]}"
    return f'{field}="{name}"' if any(sign.isspace() or sign == ";" for sign in name) else f"{field}={name}"
