"""The models of all folders, remembered in the data folder, so that thousands of them are listed at once and only changed files are opened again.

A cache: everything in it can be found again. One thread uses an object. Headers are read, weights and pickles never. Rules: D108, D109, D112; R98, R99.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfumato.imaging.writing import is_temporary, make_folder
from sfumato.library.model_facts import Facts, facts_of, folder_bytes
from sfumato.library.model_notes import COMPANIONS, Notes, companions, preview_of, read_notes
from sfumato.library.models import FOLDERS, HYPERNETWORK, INDEX, LORA, SUFFIXES, candidates, look_at, names_of
from sfumato.library.wildcards import SUFFIXES as WILDCARD_SUFFIXES
from sfumato.library.words import WILDCARDS_FOLDER

FILE = "models.sqlite"
WILDCARD = "wildcard"
BATCH = 250
_VERSION = 2
_TAGGED = (LORA, HYPERNETWORK)
_TABLE = """
CREATE TABLE models (
  path TEXT PRIMARY KEY, category TEXT, size INTEGER, mtime_ns INTEGER, beside TEXT, kind TEXT, reason TEXT, bytes INTEGER,
  precision TEXT, weights INTEGER, facts TEXT, notes TEXT, told TEXT, folder TEXT DEFAULT '', name TEXT DEFAULT '', tag TEXT DEFAULT ''
) WITHOUT ROWID
"""
_READ = "SELECT path, category, kind, reason, bytes, mtime_ns, beside, precision, weights, facts, notes, told, folder, name, tag FROM models"


@dataclass(frozen=True, slots=True)
class Told:
    """What the engine says of a file: the family it is for, what kind of network it is, and why it cannot be used."""

    family: str = ""
    network: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model as a card shows it.

    Attributes:
        path: the file or diffusers folder, as text: thousands of them are made at once.
        category: one of `library.models`, or "wildcard".
        folder: below the folder of its category, "/" between, "" for none.
        name: as requests and choosers name it.
        tag: as a prompt names it.
        kind: "safetensors", "diffusers", "pickle", "unknown", "damaged" or "text".
        bytes: its size.
        preview: the picture beside it, "" if there is none.
    """

    path: str
    category: str
    folder: str
    name: str
    tag: str
    kind: str
    reason: str
    bytes: int
    mtime_ns: int
    facts: Facts = field(default_factory=Facts)
    notes: Notes = field(default_factory=Notes)
    told: Told = field(default_factory=Told)
    preview: str = ""

    @property
    def file(self) -> Path:
        return Path(self.path)

    @property
    def file_name(self) -> str:
        return os.path.basename(self.path)


@dataclass(frozen=True, slots=True)
class _Found:
    """A path of a walk with what tells whether it changed."""

    path: Path
    category: str
    size: int
    mtime_ns: int
    beside: str


class ModelsIndex:
    """Args: data: the data folder, where the index and the wildcards are; models: the models folders in their order."""

    def __init__(self, data: Path, models: Sequence[Path]) -> None:
        self._file = data / FILE
        self._models = tuple(models)
        self._wildcards = data / WILDCARDS_FOLDER
        self._database: sqlite3.Connection | None = None
        self.opened = 0  # files of which a header was read so far

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def rows(self) -> list[ModelRow]:
        """What is known now, without a look at the disk."""
        return [_row(record) for record in self._connected().execute(_READ)]

    def rescan(self, check: Callable[[], None] = lambda: None, on_batch: Callable[[], None] = lambda: None) -> bool:
        """Look for what is new, changed or gone; whether there was anything.

        Args:
            check: called before each file; what it raises stops the scan, and what was found stays.
            on_batch: called after `BATCH` files that had to be opened, after as many more, and so on.
        """
        database = self._connected()
        known = {
            path: (size, mtime_ns, beside, category)
            for path, size, mtime_ns, beside, category in database.execute("SELECT path, size, mtime_ns, beside, category FROM models")
        }
        fresh, batch = 0, BATCH
        seen: set[str] = set()
        for found in self._walk():
            check()
            key = str(found.path)
            if key in seen:
                continue
            seen.add(key)
            before = known.get(key)
            if before is None or before[:2] != (found.size, found.mtime_ns) or before[3] != found.category:
                self._look(database, found)
            elif before[2] != found.beside:
                self._look_beside(database, found)
            else:
                continue
            fresh += 1
            if fresh == batch:
                batch *= 2  # names depend on all neighbours, so that batches of one size would cost the square of their number
                self._name(database)
                database.commit()
                on_batch()
        gone = known.keys() - seen
        database.executemany("DELETE FROM models WHERE path = ?", [(path,) for path in gone])
        if fresh or gone:
            self._name(database)
        database.commit()
        return bool(fresh or gone)

    def tell(self, told: Mapping[str, Told]) -> bool:
        """Take what the engine says of files, by their paths; whether anything was new. It holds until a file changes."""
        database = self._connected()
        known = dict(database.execute("SELECT path, told FROM models"))
        changes = [(text, path) for path, each in told.items() if path in known and known[path] != (text := _told_text(each))]
        database.executemany("UPDATE models SET told = ? WHERE path = ?", changes)
        database.commit()
        return bool(changes)

    def folders(self) -> list[Path]:
        """Every folder that models may come into, for who watches them."""
        found = {folder for root in self._models for names in FOLDERS.values() for name in names if (folder := root / name).is_dir()}
        found |= {folder for folder in (*self._models, self._wildcards) if folder.is_dir()}
        for folder in list(found - set(self._models)):
            for inner, folders, _ in os.walk(folder):
                folders[:] = [name for name in folders if not name.startswith(".")]
                if (Path(inner) / INDEX).is_file():
                    folders.clear()
                found.add(Path(inner))
        return sorted(found)

    # -- the disk --------------------------------------------------------------------------------

    def _walk(self) -> Iterator[_Found]:
        listings: dict[Path, dict[str, os.DirEntry[str]]] = {}
        for category in FOLDERS:
            for path in candidates(self._models, category):
                if not is_temporary(path) and (found := _found(path, category, listings)) is not None:
                    yield found
        for folder, folders, files in os.walk(self._wildcards):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(folder, name)
                if path.suffix.lower() in WILDCARD_SUFFIXES and not name.startswith("."):
                    with suppress(OSError):
                        status = path.stat()
                        yield _Found(path, WILDCARD, status.st_size, status.st_mtime_ns, "")

    def _look(self, database: sqlite3.Connection, found: _Found) -> None:
        if not _is_text(str(found.path)):
            return  # a name that is no text can stand in no message and no database
        self.opened += 1
        if found.category == WILDCARD:
            kind, reason, facts, size = "text", "", Facts(), found.size
        else:
            entry = look_at(found.path)
            facts, reason = facts_of(entry)
            kind = "damaged" if reason and entry.kind == "safetensors" else entry.kind
            size = _folder_bytes(found.path) if kind == "diffusers" else found.size
        notes = read_notes(found.path, _endings(found.beside)) if found.beside else Notes()
        database.execute(
            "INSERT OR REPLACE INTO models (path, category, size, mtime_ns, beside, kind, reason, bytes, precision, weights, facts, notes, told)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(str(found.path), found.category, found.size, found.mtime_ns, found.beside, kind, reason, size, facts.precision, facts.weights),
                _text(told) if (told := facts.told()) else "",
                *(_text(notes.to_json()) if notes != Notes() else "", ""),
            ),
        )

    def _look_beside(self, database: sqlite3.Connection, found: _Found) -> None:
        notes = read_notes(found.path, _endings(found.beside))
        values = (found.beside, _text(notes.to_json()) if notes != Notes() else "", str(found.path))
        database.execute("UPDATE models SET beside = ?, notes = ? WHERE path = ?", values)

    # -- rows ------------------------------------------------------------------------------------

    def _name(self, database: sqlite3.Connection) -> None:
        """Give every row its folder and the names it has among its neighbours; only those that changed are written."""
        by_category: dict[str, list[Path]] = {}
        known: dict[str, tuple[str, str, str]] = {}
        for path, category, *names in database.execute("SELECT path, category, folder, name, tag FROM models"):
            by_category.setdefault(category, []).append(Path(path))
            known[path] = (names[0], names[1], names[2])
        roots = self._roots()
        changes = []
        for category, paths in by_category.items():
            names = [self._wildcard_name(path) for path in paths] if category == WILDCARD else names_of(paths)
            for path, name in zip(paths, names, strict=True):
                inside = _inside(str(path), roots.get(category, ()))
                tag = name
                if category in _TAGGED:
                    tag = path.stem if "/" not in name else inside.removesuffix(path.suffix)
                row = (inside.rpartition("/")[0], name, tag)
                if known[str(path)] != row:
                    changes.append((*row, str(path)))
        database.executemany("UPDATE models SET folder = ?, name = ?, tag = ? WHERE path = ?", changes)

    def _roots(self) -> dict[str, list[str]]:
        roots = {category: [f"{(root / name).as_posix()}/" for root in self._models for name in names] for category, names in FOLDERS.items()}
        return roots | {WILDCARD: [f"{self._wildcards.as_posix()}/"]}

    def _wildcard_name(self, path: Path) -> str:
        # A row of a data folder that lay elsewhere is still here until the scan has ended.
        return path.relative_to(self._wildcards).with_suffix("").as_posix() if path.is_relative_to(self._wildcards) else path.stem

    def _connected(self) -> sqlite3.Connection:
        """The database, made anew where it is absent, damaged or of another version of the program."""
        if self._database is not None:
            return self._database
        make_folder(self._file.parent)
        try:
            self._database = self._open()
        except sqlite3.DatabaseError:
            for end in ("", "-wal", "-shm"):
                Path(f"{self._file}{end}").unlink(missing_ok=True)
            self._database = self._open()
        return self._database

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._file)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            with closing(database.execute("PRAGMA user_version")) as version:
                is_ours = version.fetchone()[0] == _VERSION
            if not is_ours:
                database.execute("DROP TABLE IF EXISTS models")
                database.execute(_TABLE)
                database.execute(f"PRAGMA user_version = {_VERSION}")
            database.execute("SELECT count(*) FROM models").fetchone()
            database.commit()
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database


def told_of(choices: Mapping[str, Iterable[Mapping[str, Any]]], rows: Iterable[ModelRow]) -> dict[str, Told]:
    """What the choice lists of a catalog say, by path; rows without a path are found by their name."""
    by_name = {(row.category, row.name): row.path for row in rows}
    found: dict[str, Told] = {}
    for choice, category in CHOICES.items():
        for row in choices.get(choice, ()):
            path = str(row.get("path") or "") or by_name.get((category, str(row.get("value"))), "")
            network = str(row.get("kind") or "") if category in (LORA, "control model") else str(row.get("architecture") or "")
            reason = str(row.get("reason") or "") if row.get("state") == "unusable" else ""
            if path:
                found[path] = Told(str(row.get("family") or ""), network, reason)
    return found


_NO_NOTES = Notes()
_NOTHING_TOLD = Told()
CHOICES: Mapping[str, str] = {
    "models": "checkpoint",
    "vaes": "VAE",
    "text_encoders": "text encoder",
    "loras": LORA,
    "hypernetworks": HYPERNETWORK,
    "embeddings": "embedding",
    "upscalers": "upscaler",
    "face_restorers": "face model",
    "face_detectors": "face model",
    "control_models": "control model",
    "image_encoders": "image encoder",
}
"""List of the engine's catalog -> category of the models in it."""


def _row(record: Sequence[Any]) -> ModelRow:
    path, category, kind, reason, size, mtime_ns, beside, precision, weights, facts, notes, told, folder, name, tag = record
    preview = preview_of(Path(path), _endings(beside)) if beside else None
    return ModelRow(
        *(path, category, folder, name, tag, kind, reason, size, mtime_ns),
        Facts.of(precision, weights, _parse(facts)) if facts else Facts(precision, weights),
        Notes.from_json(json.loads(notes)) if notes else _NO_NOTES,
        Told(**json.loads(told)) if told else _NOTHING_TOLD,
        str(preview) if preview else "",
    )


def _found(path: Path, category: str, listings: dict[Path, dict[str, os.DirEntry[str]]]) -> _Found | None:
    try:
        target = path / INDEX if path.suffix.lower() not in SUFFIXES or path.is_dir() else path
        status = target.stat()
    except OSError:
        return None if not os.path.lexists(path) else _Found(path, category, 0, 0, "")
    there = listings.get(path.parent)
    if there is None:
        there = listings[path.parent] = _companions_in(path.parent)
    beside = []
    for ending in companions(path, there):
        with suppress(OSError):
            stamp = there[_companion_name(path, ending)].stat()
            beside.append(f"{ending}:{stamp.st_mtime_ns}:{stamp.st_size}")
    return _Found(path, category, status.st_size, status.st_mtime_ns, "|".join(beside))


def _companion_name(path: Path, ending: str) -> str:
    return (path.stem if path.suffix.lower() in SUFFIXES else path.name) + ending


def _companions_in(folder: Path) -> dict[str, os.DirEntry[str]]:
    """What of a folder could stand beside a model."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries if entry.name.endswith(COMPANIONS)}
    except OSError:
        return {}


def _endings(beside: str) -> list[str]:
    return [part.split(":", 1)[0] for part in beside.split("|") if part]


def _inside(path: str, roots: Iterable[str]) -> str:
    """A path below the folder of its category."""
    posix = path.replace("\\", "/")
    return next((posix[len(root) :] for root in roots if posix.startswith(root)), posix.rpartition("/")[2])


def _folder_bytes(path: Path) -> int:
    try:
        return folder_bytes(path)
    except OSError:
        return 0


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_parse = json.JSONDecoder().decode


def _text(values: dict[str, Any] | list[Any]) -> str:
    return json.dumps(values, ensure_ascii=True)


def _told_text(told: Told) -> str:
    return json.dumps({"family": told.family, "network": told.network, "reason": told.reason}) if told != Told() else ""
