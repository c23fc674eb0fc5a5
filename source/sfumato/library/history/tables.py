"""The tables of the index. They can be dropped and made again from the files at any time: another `VERSION` does exactly that."""

from __future__ import annotations

import sqlite3
from pathlib import Path

VERSION = 2

_TABLES = """
CREATE TABLE folders (id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, folded TEXT NOT NULL, folded_name TEXT NOT NULL);
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, folder INTEGER NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL, modified INTEGER NOT NULL,
    created REAL NOT NULL, day INTEGER NOT NULL, hash TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, seed INTEGER, steps INTEGER, scale REAL,
    strength REAL, rating INTEGER NOT NULL DEFAULT 0, favourite INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0
);
-- Everything a number can be asked for stands in this one, so that the newest are found without opening each row.
CREATE INDEX by_created ON pictures (created, id, day, steps, scale, width, height, seed, strength, rating, favourite, gone, folder, bytes);
CREATE INDEX by_name ON pictures (name, id);
CREATE INDEX by_bytes ON pictures (bytes, id);
CREATE INDEX by_rating ON pictures (rating, created, id);
CREATE INDEX by_folder ON pictures (folder, gone);
CREATE INDEX by_hash ON pictures (hash);
CREATE INDEX by_day ON pictures (day);
CREATE INDEX by_favourite ON pictures (favourite) WHERE favourite = 1;
CREATE TABLE said (id INTEGER PRIMARY KEY, prompt TEXT NOT NULL, negative TEXT NOT NULL);
CREATE TABLE texts (id INTEGER PRIMARY KEY, prompt TEXT NOT NULL, negative TEXT NOT NULL, name TEXT NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (prompt, negative, name, content='texts', content_rowid='id', tokenize='trigram');
CREATE TABLE terms (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, folded TEXT NOT NULL, UNIQUE (kind, name));
CREATE TABLE marks (term INTEGER NOT NULL, picture INTEGER NOT NULL, PRIMARY KEY (term, picture)) WITHOUT ROWID;
CREATE INDEX by_picture ON marks (picture);
"""


def connect(file: Path) -> sqlite3.Connection:
    """A connection that commits when it is told to; usable from any thread, one at a time."""
    connection = sqlite3.connect(file, timeout=30, check_same_thread=False, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA mmap_size = 1073741824")
    return connection


def prepared(file: Path) -> sqlite3.Connection:
    """The connection of the writer. A file that is damaged, or of another version, is made anew: it is only a copy."""
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = None
    try:
        connection = connect(file)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == VERSION:
            connection.execute("SELECT count(*) FROM folders").fetchone()
            return connection
    except sqlite3.DatabaseError:
        pass
    if connection is not None:
        connection.close()
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    connection = connect(file)
    connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    return connection
