"""The index: pictures go in one by one, and come out by a query, in an order, a window at a time.

One connection writes, under a lock; every thread that asks has a connection of its own and never waits for the writer.
"""

from __future__ import annotations

import sqlite3
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfumato.library.history import tables
from sfumato.library.history.conditions import Condition, condition
from sfumato.library.history.opinions import Opinion, Opinions
from sfumato.library.history.query import Query, fold
from sfumato.library.history.record import Record

FILE = "history.sqlite"
# SQLite binds so many values at once everywhere.
BOUND_AT_MOST = 900
FACET_ROWS = 40
# What more pictures than this have in common is tested picture by picture for a first page.
LISTED_AT_MOST = 4000
# By what, and whether the largest comes first unless asked otherwise.
SORTS: Mapping[str, tuple[str, bool]] = {"time": ("created", True), "rating": ("rating", True), "name": ("name", False), "size": ("bytes", True)}
_FILLED = "id, path, folder, name, bytes, modified, created, day, hash, width, height, seed, steps, scale, strength, rating, favourite"
CELLS = "pictures.id, path, name, width, height, rating, favourite, gone, created, hash, bytes"


@dataclass(frozen=True)
class Scope:
    """Where to look: a folder and all inside it, or everything; or the favourites: those that are marked, and those in a folder of that name."""

    folder: str = ""
    favourites: bool = False


_FAVOURITES = (
    "(pictures.id IN (SELECT id FROM pictures WHERE favourite = 1) OR folder IN (SELECT id FROM folders WHERE folded_name IN ('favourites', 'favorites')))"
)
EVERYTHING = Query()
EVERYWHERE = Scope()


@dataclass(frozen=True, slots=True)
class Cell:
    """What a grid shows of one picture."""

    id: int
    path: str
    name: str
    width: int
    height: int
    rating: int
    favourite: bool
    gone: bool
    created: float
    hash: str
    bytes: int
    prompt: str = ""


class Index:
    """The pictures of one data folder.

    Args:
        folder: where the index and the ratings are kept.

    Raises:
        sqlite3.Error, OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / FILE
        self._lock = threading.RLock()
        self._write = tables.prepared(self._file)
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._folders: dict[str, int] = {}
        self._term_ids: dict[tuple[str, str], int] = {}
        self.opinions = Opinions(folder)
        self.inserts = 0  # pictures written so far

    def close(self) -> None:
        """End. The ratings are written by `opinions.save`."""
        with self._lock:
            for connection in (*self._readers, self._write):
                connection.close()

    # -- pictures go in --------------------------------------------------------------------------

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written inside becomes visible at once, and costs one commit."""
        with self._lock:
            if self._write.in_transaction:
                yield
                return
            self._write.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._write.execute("ROLLBACK")
                self._folders.clear()
                self._term_ids.clear()
                raise
            self._write.execute("COMMIT")

    def put(self, record: Record) -> int:
        """Add a picture, or what became of it; returns its number. The work does not grow with what is there."""
        with self.together():
            known = self._write.execute("SELECT id FROM pictures WHERE path = ?", [record.path]).fetchone()
            if known is not None:
                self._remove(known[0])
            opinion = self.opinions.of(record.hash)
            folder, _, name = record.path.replace("\\", "/").rpartition("/")
            values = [
                known[0] if known is not None else None,
                record.path,
                self._folder(folder),
                fold(name),
                record.bytes,
                record.modified,
                record.created,
                record.day,
                record.hash,
                record.width,
                record.height,
                record.seed,
                record.steps,
                record.scale,
                record.strength,
                opinion.rating,
                opinion.favourite,
            ]
            picture = self._write.execute(f"INSERT INTO pictures ({_FILLED}) VALUES ({', '.join('?' * len(values))})", values).lastrowid
            assert picture is not None
            texts = [picture, fold(record.prompt), fold(record.negative), fold(name)]
            self._write.execute("INSERT INTO said VALUES (?, ?, ?)", [picture, record.prompt, record.negative])
            self._write.execute("INSERT INTO texts VALUES (?, ?, ?, ?)", texts)
            self._write.execute("INSERT INTO words (rowid, prompt, negative, name) VALUES (?, ?, ?, ?)", texts)
            terms = [*record.terms, *(("tag", tag) for tag in opinion.tags)]
            self._write.executemany("INSERT OR IGNORE INTO marks VALUES (?, ?)", [(self._term(kind, text), picture) for kind, text in terms])
            self.inserts += 1
            return picture

    def forget(self, path: str) -> None:
        """Drop a picture; what is thought of it stays."""
        with self.together():
            known = self._write.execute("SELECT id FROM pictures WHERE path = ?", [path]).fetchone()
            if known is not None:
                self._remove(known[0])

    def mark_gone(self, paths: Iterable[str], gone: bool = True) -> None:
        """Note that files are no longer there, or that they are back."""
        with self.together():
            self._write.executemany("UPDATE pictures SET gone = ? WHERE path = ?", [(gone, path) for path in paths])

    def drop_gone(self) -> None:
        """Drop the pictures that were gone already."""
        with self.together():
            for (picture,) in self._write.execute("SELECT id FROM pictures WHERE gone = 1").fetchall():
                self._remove(picture)

    def _remove(self, picture: int) -> None:
        texts = self._write.execute("SELECT id, prompt, negative, name FROM texts WHERE id = ?", [picture]).fetchone()
        if texts is not None:
            self._write.execute("INSERT INTO words (words, rowid, prompt, negative, name) VALUES ('delete', ?, ?, ?, ?)", texts)
        for table, column in (("texts", "id"), ("said", "id"), ("marks", "picture"), ("pictures", "id")):
            self._write.execute(f"DELETE FROM {table} WHERE {column} = ?", [picture])

    def _folder(self, path: str) -> int:
        if path not in self._folders:
            self._write.execute("INSERT OR IGNORE INTO folders (path, folded, folded_name) VALUES (?, ?, ?)", [path, fold(path), fold(path.rpartition("/")[2])])
            self._folders[path] = self._write.execute("SELECT id FROM folders WHERE path = ?", [path]).fetchone()[0]
        return self._folders[path]

    def _term(self, kind: str, name: str) -> int:
        if (kind, name) not in self._term_ids:
            self._write.execute("INSERT OR IGNORE INTO terms (kind, name, folded) VALUES (?, ?, ?)", [kind, name, fold(name)])
            self._term_ids[kind, name] = self._write.execute("SELECT id FROM terms WHERE kind = ? AND name = ?", [kind, name]).fetchone()[0]
        return self._term_ids[kind, name]

    # -- what is thought of them -----------------------------------------------------------------

    def think(self, opinions: Mapping[str, Opinion]) -> None:
        """Hold other opinions, by content; every picture of that content shows them. `opinions.save` writes them."""
        self.opinions.set(opinions.items())
        with self.together():
            for digest in opinions:
                opinion = self.opinions.of(digest)  # what holds by now
                pictures = [row[0] for row in self._write.execute("SELECT id FROM pictures WHERE hash = ?", [digest])]
                for picture in pictures:
                    self._write.execute("UPDATE pictures SET rating = ?, favourite = ? WHERE id = ?", [opinion.rating, opinion.favourite, picture])
                    self._write.execute("DELETE FROM marks WHERE picture = ? AND term IN (SELECT id FROM terms WHERE kind = 'tag')", [picture])
                    self._write.executemany("INSERT OR IGNORE INTO marks VALUES (?, ?)", [(self._term("tag", tag), picture) for tag in opinion.tags])

    # -- pictures come out -----------------------------------------------------------------------

    def search(self, query: Query, scope: Scope = EVERYWHERE, sort: str = "time", reverse: bool = False, limit: int = -1) -> array[int]:
        """The numbers of the pictures found, in order.

        Args:
            sort: a key of `SORTS`; `reverse` turns its order.
            limit: so many at most, -1 for all.
        """
        column, falls = SORTS[sort]
        way = "DESC" if falls != reverse else "ASC"
        order = f"{column} {way}, id {way}" if column != "rating" else f"rating {way}, created {way}, id {way}"
        found = self._where(query, scope, limit)
        rows = self._read().execute(f"SELECT id FROM pictures WHERE {found.sql} ORDER BY {order} LIMIT ?", [*found.values, limit])
        return array("q", (row[0] for row in rows.fetchall()))

    def count(self, query: Query = EVERYTHING, scope: Scope = EVERYWHERE) -> int:
        found = self._where(query, scope)
        return self._read().execute(f"SELECT count(*) FROM pictures WHERE {found.sql}", found.values).fetchone()[0]

    def cells(self, pictures: Sequence[int]) -> dict[int, Cell]:
        """What a grid shows of pictures, by number; those no longer there are absent."""
        found: dict[int, Cell] = {}
        for start in range(0, len(pictures), BOUND_AT_MOST):
            part = list(pictures[start : start + BOUND_AT_MOST])
            rows = self._read().execute(
                f"SELECT {CELLS}, said.prompt FROM pictures LEFT JOIN said ON said.id = pictures.id WHERE pictures.id IN ({', '.join('?' * len(part))})", part
            )
            for row in rows.fetchall():
                name = row[1].replace("\\", "/").rpartition("/")[2]
                found[row[0]] = Cell(row[0], row[1], name, row[3], row[4], row[5], bool(row[6]), bool(row[7]), row[8], row[9], row[10], row[11] or "")
        return found

    def tags_of(self, picture: int) -> list[str]:
        sql = "SELECT name FROM marks JOIN terms ON terms.id = marks.term WHERE picture = ? AND kind = 'tag' ORDER BY name"
        return [row[0] for row in self._read().execute(sql, [picture]).fetchall()]

    def facets(self, query: Query, scope: Scope = EVERYWHERE) -> dict[str, list[tuple[str, int]]]:
        """How the pictures found are spread: names and counts of models, networks, tags and days, the most first (days: the latest)."""
        found = self._where(query, scope)
        inner = f"SELECT id FROM pictures WHERE {found.sql}"
        counted = f"SELECT term, count(*) AS many FROM marks{'' if found.sql == '1' else f' WHERE picture IN ({inner})'} GROUP BY term"
        rows = self._read().execute(
            f"SELECT kind, name, many FROM ({counted}) JOIN terms ON terms.id = term WHERE kind IN ('model', 'lora', 'tag') ORDER BY many DESC, name",
            [] if found.sql == "1" else found.values,
        )
        facets: dict[str, list[tuple[str, int]]] = {"model": [], "lora": [], "tag": [], "day": []}
        for kind, name, many in rows.fetchall():
            if len(facets[kind]) < FACET_ROWS:
                facets[kind].append((name, many))
        days = self._read().execute(f"SELECT day, count(*) FROM pictures WHERE {found.sql} GROUP BY day ORDER BY day DESC LIMIT ?", [*found.values, FACET_ROWS])
        facets["day"] = [(f"{day // 10000:04}-{day // 100 % 100:02}-{day % 100:02}", many) for day, many in days.fetchall() if day]
        return facets

    def known(self, folder: str = "") -> dict[str, tuple[int, int, bool]]:
        """Size, time and whether it is gone, by path: of one folder (not those inside it), or of all."""
        where, values = ("WHERE folder = (SELECT id FROM folders WHERE path = ?)", [folder]) if folder else ("", [])
        rows = self._read().execute(f"SELECT path, bytes, modified, gone FROM pictures {where}", values)
        return {row[0]: (row[1], row[2], bool(row[3])) for row in rows.fetchall()}

    def folders(self) -> list[tuple[str, int]]:
        """Every folder that holds pictures itself, and how many."""
        rows = self._read().execute("SELECT folders.path, count(*) FROM pictures JOIN folders ON folders.id = folder GROUP BY folder ORDER BY folders.path")
        return rows.fetchall()

    def number_of(self, path: str) -> int | None:
        row = self._read().execute("SELECT id FROM pictures WHERE path = ?", [path]).fetchone()
        return row[0] if row else None

    def _where(self, query: Query, scope: Scope, limit: int = -1) -> Condition:
        found = condition(query, self._is_rare) if limit >= 0 else condition(query)
        if scope.favourites:
            found = found.both(Condition(_FAVOURITES))
        if scope.folder:
            # No LIKE: the signs of a folder's name are data.
            inside = scope.folder.rstrip("/") + "/"
            inner = "SELECT id FROM folders WHERE path = ? OR substr(path, 1, ?) = ?"
            found = found.both(Condition(f"pictures.folder IN ({inner})", [scope.folder.rstrip("/"), len(inside), inside]))
        return found

    def _is_rare(self, sql: str, values: list[Any]) -> bool:
        return self._read().execute(f"SELECT count(*) FROM ({sql} LIMIT ?)", [*values, LISTED_AT_MOST]).fetchone()[0] < LISTED_AT_MOST

    def _read(self) -> sqlite3.Connection:
        connection: Any = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = tables.connect(self._file)
            with self._lock:
                self._readers.append(connection)
        return connection
