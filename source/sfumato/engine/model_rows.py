"""What the headers of model files told, remembered between starts by path, size and modification time, so that a large collection opens at once.

Reading a header takes about 10 ms. At one start no more than `BUDGET_S` is spent on files that are new; a file whose turn did not come is listed by its
name alone, is looked at when it is chosen, and gets its turn at a later start.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sfumato import __version__
from sfumato.imaging.writing import make_folder, replace_file
from sfumato.library.models import ModelEntry
from sfumato.protocol.errors import DiskFull, NotWritable

BUDGET_S = 0.5
FILE_NAME = "models.json"

Row = dict[str, Any]
Clock = Callable[[], float]


def rows(
    entries: Iterable[ModelEntry],
    data: Path,
    read: Callable[[ModelEntry], Row],
    unread: Callable[[ModelEntry], Row],
    file_name: str = FILE_NAME,
    note: Callable[[ModelEntry], str] = lambda entry: "",
    clock: Clock = time.monotonic,
) -> list[Row]:
    """One row for each entry, in order: remembered, made by `read`, or where time ran out by `unread`.

    Args:
        data: the data folder; what was learnt is kept there.
        read: opens a file's headers.
        unread: opens nothing.
        file_name: in the data folder, one for each list.
        note: what is known of a file besides; a row is made anew when it changes.
    """
    file = data / file_name
    known = _load(file)
    kept: dict[str, list[Any]] = {}
    found: list[Row] = []
    ends = clock() + BUDGET_S
    learnt = False
    for entry in entries:
        # The index of a folder does not change with its weights, so folders are read each time; a name may change with its neighbours.
        key = str(entry.path)
        stamp = [entry.size, entry.mtime_ns, entry.name, note(entry)]
        remembered = known.get(key, [])
        if entry.kind == "safetensors" and not entry.reason and remembered[:4] == stamp:
            row = remembered[4]
        elif entry.reason or entry.kind != "safetensors" or clock() < ends:
            row = read(entry)
            learnt = learnt or entry.kind == "safetensors"
        else:
            found.append(unread(entry))
            continue
        if entry.kind == "safetensors" and not entry.reason:
            kept[key] = [*stamp, row]
        found.append(row)
    if learnt or kept.keys() != known.keys():
        _save(file, kept)
    return found


def _load(file: Path) -> dict[str, list[Any]]:
    """A file that is damaged, absent or of another version of the program is an empty one: everything in it can be read again."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("version") != __version__ or not isinstance(content.get("rows"), dict):
        return {}
    return {path: entry for path, entry in content["rows"].items() if isinstance(entry, list) and len(entry) == 5 and isinstance(entry[4], dict)}


def _save(file: Path, kept: dict[str, list[Any]]) -> None:
    with suppress(DiskFull, NotWritable):  # what cannot be kept is read again another day
        make_folder(file.parent)
        replace_file(file, json.dumps({"version": __version__, "rows": kept}).encode())
