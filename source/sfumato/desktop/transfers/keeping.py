"""The list of transfers between two starts: one private file, since addresses may be nobody else's business. Tokens are never in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sfumato.desktop.transfers.row import Row
from sfumato.imaging.writing import make_folder, replace_file

FOLDER = "transfers"
FILE = "transfers.json"
VERSION = 1
# Rows that are kept; those that have ended go first, the oldest before.
KEPT = 200


def load(data: Path) -> list[Row]:
    """What the last start left; a file that is damaged is none, since nothing in it is more than a list."""
    try:
        held = json.loads((data / FOLDER / FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    rows = held.get("rows") if isinstance(held, dict) and held.get("version") == VERSION else None
    return [row for entry in (rows if isinstance(rows, list) else ()) if (row := Row.restored(entry)) is not None]


def save(data: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write the list. Raises `DiskFull` or `NotWritable`."""
    make_folder(data / FOLDER)
    replace_file(data / FOLDER / FILE, json.dumps({"version": VERSION, "rows": list(rows)}, indent=1).encode() + b"\n", private=True)


def chosen(rows: Sequence[Row]) -> list[Row]:
    """The rows that are kept, in their order."""
    open_rows = [row for row in rows if not row.has_ended]
    ended = [row for row in rows if row.has_ended][: max(0, KEPT - len(open_rows))]
    return [row for row in rows if row in open_rows or row in ended]
