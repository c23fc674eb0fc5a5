"""Bringing the index up to the folders: files as they are, each opened once and never again while size and time stay the same."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sfumato.library.history.index import Index
from sfumato.library.history.record import is_picture, read_record
from sfumato.protocol.errors import SfumatoError

log = logging.getLogger(__name__)

# So many new pictures become visible together.
TOGETHER = 32
Told = Callable[[list[str]], bool]


@dataclass
class Change:
    """What a look at the folders found: paths that are new or other than before, that are gone, and that are back."""

    put: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.put or self.gone or self.back)


class Scanner:
    """Reads folders into an index; one thread at a time uses it. `opened` counts the files read so far."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.opened = 0

    def look(self, root: str, deep: bool = True, told: Told = lambda done: True) -> Change:
        """Compare a folder, by default with all inside it, with the index, and mend the index.

        Args:
            root: a folder that does not answer, or is not there, changes nothing: it may be on a disk that is away.
            told: is given the paths that were put since the last call; False from it ends the look.
        """
        change = Change()
        if not os.path.isdir(root):
            return change
        known = self._index.known() if deep else self._index.known(root)
        here = root.rstrip("/") + "/"
        known = {path: facts for path, facts in known.items() if path.startswith(here)} if deep else known
        wanted = []
        try:
            files = list(files_of(root, deep))
        except OSError as error:
            log.info("a folder could not be read: %s", error)
            return change
        for path, size, modified in files:
            held = known.pop(path, None)
            if held is None or held[:2] != (size, modified):
                wanted.append((modified, path))
            elif held[2]:
                change.back.append(path)
        change.gone = [path for path, facts in known.items() if not facts[2]]
        if change.gone or change.back:
            with self._index.together():
                self._index.mark_gone(change.gone)
                self._index.mark_gone(change.back, gone=False)
        # The newest are looked for first.
        self._read([path for _, path in sorted(wanted, reverse=True)], change, told)
        return change

    def put(self, path: str) -> int | None:
        """Take one file that is known to be new; its folder is not looked through. None if it is no picture after all."""
        self.opened += 1
        try:
            return self._index.put(read_record(Path(path)))
        except (SfumatoError, OSError) as error:
            log.info("not indexed: %s", error)
            return None

    def _read(self, paths: list[str], change: Change, told: Told) -> None:
        for start in range(0, len(paths), TOGETHER):
            records = []
            for path in paths[start : start + TOGETHER]:
                self.opened += 1
                try:
                    records.append(read_record(Path(path)))
                except (SfumatoError, OSError) as error:
                    log.info("not indexed: %s", error)
            with self._index.together():
                for record in records:
                    self._index.put(record)
            done = [record.path for record in records]
            change.put += done
            if not told(done):
                return


def files_of(root: str, deep: bool = True) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of every picture of a folder; links to folders are not followed, so no circle is walked.

    Raises:
        OSError: the folder itself cannot be read; one inside it is left out.
    """
    waiting = [root.rstrip("/") or "/"]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            if deep and not entry.name.startswith("."):
                                waiting.append(f"{folder.rstrip('/')}/{entry.name}")
                        elif is_picture(entry.name):
                            facts = entry.stat()
                            if stat.S_ISREG(facts.st_mode) and facts.st_size > 0:
                                yield f"{folder.rstrip('/')}/{entry.name}", facts.st_size, facts.st_mtime_ns
                    except OSError:
                        continue
        except OSError as error:
            if folder == (root.rstrip("/") or "/"):
                raise
            log.info("a folder could not be read: %s", error)


def folders_of(root: str, at_most: int) -> list[str]:
    """A folder and those inside it, as far as they are to be watched."""
    found = [root]
    for folder in found:
        if len(found) >= at_most:
            break
        try:
            with os.scandir(folder) as entries:
                found += [f"{folder.rstrip('/')}/{entry.name}" for entry in entries if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")]
        except OSError:
            continue
    return found[:at_most]
