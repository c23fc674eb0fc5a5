"""What the strip shows of files: their facts and small faces, read once each on a thread of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from sfumato.desktop.disk import Disk
from sfumato.desktop.images import Frames, address
from sfumato.desktop.inputs.reading import Facts, glance, look

Key = tuple[str, bool]


class Faces(QObject):
    """`facts` and `face` answer at once with what is known, and `seen(path)` follows when more is.

    A file is decoded once, however often it is shown, moved or zoomed; `forget` makes it be read again.
    """

    seen = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._disk = Disk(self)
        self._frames = Frames()
        self._facts: dict[Key, Facts] = {}
        self._faces: dict[Key, str] = {}
        self._asked: set[Key] = set()
        self._unreadable: frozenset[str] = frozenset()
        self._numbers = itertools.count(1)
        self.looks = 0  # decodings begun

    def facts(self, path: str, *, is_mask: bool = False) -> Facts | None:
        """What is known of a file; None before it was looked at."""
        return self._facts.get((path, is_mask)) or self._facts.get((path, False)) or self._facts.get((path, True))

    def face(self, path: str, *, is_mask: bool = False) -> str:
        """The address of a small picture of the file, "" until there is one."""
        if path:
            self._ask((path, is_mask))
        return self._faces.get((path, is_mask), "")

    @property
    def unreadable(self) -> frozenset[str]:
        """The files that were looked at and cannot be read."""
        return self._unreadable

    def glance(self, paths: list[str]) -> None:
        """Find out which of these files can be read, by their headers."""
        new = [path for path in paths if self.facts(path) is None]
        if new:
            self._disk.run(lambda: [(path, glance(Path(path))) for path in new], self._take_glances, lambda _: None)

    def forget(self, path: str) -> None:
        """The file has changed."""
        self._unreadable -= {path}
        for key in ((path, False), (path, True)):
            self._asked.discard(key)
            self._facts.pop(key, None)
            self._faces.pop(key, None)

    def close(self) -> None:
        self._disk.close()
        self._frames.close()

    def _ask(self, key: Key) -> None:
        if key in self._asked:
            return
        self._asked.add(key)
        self.looks += 1
        name = f"i{next(self._numbers)}"
        frames = self._frames

        def work() -> tuple[Facts, str]:
            facts, face = look(Path(key[0]), is_mask=key[1])
            return facts, address(frames.write(name, 0, face)) if face else ""

        def done(found: tuple[Facts, str]) -> None:
            if key in self._asked:
                self._facts[key], self._faces[key] = found
                if found[0].problem:
                    self._unreadable |= {key[0]}
                self.seen.emit(key[0])

        self._disk.run(work, done, _say_nothing)

    def _take_glances(self, found: list[tuple[str, Facts]]) -> None:
        for path, facts in found:
            self._facts.setdefault((path, False), facts)
        self._unreadable |= {path for path, facts in found if facts.problem}
        self.seen.emit("")

    def when_known(self, path: str, then: Callable[[Facts], None]) -> None:
        """Call `then` once the facts of a file are known, now or later."""
        known = self.facts(path)
        if known is not None:
            then(known)
            return

        def hear(seen: str) -> None:
            found = self.facts(path)
            if seen in (path, "") and found is not None:
                self.seen.disconnect(hear)
                then(found)

        self.seen.connect(hear)


def _say_nothing(error: Exception) -> None:
    """A face that cannot be written leaves the card without one; its facts come with the next look."""
    del error
