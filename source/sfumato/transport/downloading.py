"""The client's side of fetching a model: a file of the other machine's models folders to this disk, part by part. Rules: N53, D162.

The parts come as artifacts of jobs `fetch_model`; each tells the checksum of the whole, which the file must have before it gets its name. What an earlier run
fetched lies hidden beside, and is gone on with.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from sfumato.imaging.writing import free_bytes, make_folder, publish_new
from sfumato.protocol.errors import DiskFull, NameTaken, TransferDamaged, retold
from sfumato.protocol.messages import ENDINGS, Artifact, Cancel, Cancelled, Event, Failed, JobEvent, Resume, Submit
from sfumato.protocol.params.transfers import PART_LIMIT_BYTES, SIZE_LIMIT_BYTES
from sfumato.transport.transfers import RETRIED, STALLED_S, TRIES, OnNews, Send, Transfer

KIND = "fetch_model"
# Asked for at once: while one travels, the next is read.
AHEAD = 2


@dataclass
class _Asked:
    """One part that was asked for, and what came."""

    job: str
    offset: int
    heard: int = 0
    artifact: Artifact | None = None
    ending: JobEvent | None = None


class FileFetch(Transfer):
    """Fetches one file.

    Args:
        send: hands a command to the endpoint.
        folder, name: of the file there.
        target: what it becomes here; nothing is ever replaced.
        on_news, stalled_s, tries: as `Transfer`.
    """

    def __init__(
        self,
        send: Send,
        folder: str,
        name: str,
        target: Path,
        *,
        on_news: OnNews = lambda news: None,
        stalled_s: float = STALLED_S,
        tries: int = TRIES,
    ) -> None:
        super().__init__(send, on_news, stalled_s=stalled_s, tries=tries)
        self.folder = folder
        self.name = name
        self.target = target
        self._part = target.with_name(f".{target.name}.part")
        self._asked: list[_Asked] = []
        self._size = -1
        self._sha256 = ""
        self._is_damaged = False  # it is removed once it is closed: Windows removes no open file

    def _take(self, event: Event) -> bool:
        asked = next((asked for asked in self._asked if isinstance(event, JobEvent) and event.job == asked.job), None)
        if asked is None or not isinstance(event, JobEvent):
            return False
        asked.heard = max(asked.heard, event.seq)
        if isinstance(event, Artifact) and asked.artifact is None:
            asked.artifact = event
        elif isinstance(event, ENDINGS) and asked.ending is None:
            asked.ending = event
        return True

    def _move(self) -> Mapping[str, Any]:
        make_folder(self.target.parent)
        if os.path.lexists(self.target):
            raise NameTaken(self.target.name, self.target.parent.name)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(self._part, flags, 0o600), "r+b") as file:
                done = self._fetch(file, os.fstat(file.fileno()).st_size)
                self._verify(file)
            publish_new(self._part, self.target)
        except FileExistsError:
            raise NameTaken(self.target.name, self.target.parent.name) from None
        finally:
            for asked in self._asked:
                self._send(Cancel(job=asked.job))
            if self._is_cancelled or self._is_damaged:
                self._part.unlink(missing_ok=True)
        return {"name": self.target.name, "size": done, "sha256": self._sha256}

    def _fetch(self, file: BinaryIO, done: int) -> int:
        """Ask for part after part until there is no further one; the bytes there are then."""
        in_vain = 0
        while self._size < 0 or done < self._size:
            self._check()
            self._wait_while_paused()
            self._ask(done)
            self._tell_done("moving" if self._size >= 0 else "waiting", done)
            asked = self._asked[0]
            with self._lock:
                is_woken = self._lock.wait_for(partial(self._is_due, asked), self._stalled_s)
                is_lost, self._is_lost = self._is_lost, False
            if asked.ending is None:
                if not is_woken or is_lost:
                    self._send(Resume(job=asked.job, after=asked.heard))
                continue
            with self._lock:
                self._asked.remove(asked)
            if isinstance(asked.ending, Failed | Cancelled):
                in_vain += 1
                done = self._after_failure(asked.ending, file, done, in_vain)
                continue
            data = self._data_of(asked)
            if data is None:  # another file by now: everything anew
                done, in_vain = self._begin_anew(file), in_vain + 1
                if in_vain >= self._tries:
                    raise TransferDamaged(self.name, "it changes again and again while it is fetched")
                continue
            file.seek(done)
            file.write(data)
            done, in_vain = done + len(data), 0
            self._tell_done("moving", done)
        self._tell_done("checking", done)
        return done

    def _is_due(self, asked: _Asked) -> bool:
        """Whether there is something to do; called with the lock."""
        return asked.ending is not None or self._is_cancelled or self._is_lost or self._is_left

    def _ask(self, done: int) -> None:
        """Have as many parts asked for as may be, in order."""
        while len(self._asked) < (AHEAD if self._size >= 0 else 1):
            offset = self._asked[-1].offset + PART_LIMIT_BYTES if self._asked else done
            if self._asked and offset >= self._size:
                return
            asked = _Asked(f"fetch-{uuid.uuid4().hex}", offset)
            with self._lock:
                self._asked.append(asked)
            self._send(Submit(job=asked.job, kind=KIND, params={"folder": self.folder, "name": self.name, "offset": offset}))

    def _after_failure(self, ending: JobEvent, file: BinaryIO, done: int, in_vain: int) -> int:
        """Raise what cannot be mended; else where to go on."""
        if isinstance(ending, Cancelled):
            raise TransferDamaged(self.name, "the other side ended it")
        assert isinstance(ending, Failed)
        if ending.code == "invalid" and ending.path == "offset" and done:
            return self._begin_anew(file)  # what lies here is longer than the file there
        if ending.code not in RETRIED or in_vain >= self._tries:
            raise retold(ending.code, ending.message, ending.path, ending.detail)
        self._forget_asked()  # the parts behind this one must not come in its place
        return done

    def _data_of(self, asked: _Asked) -> bytes | None:
        """The bytes of a part, None if it is of another file than the parts before. Raises `TransferDamaged` if it is no such part, `DiskFull`."""
        artifact = asked.artifact
        info: Mapping[str, Any] = artifact.info if artifact is not None else {}
        size, sha256, data = info.get("size"), info.get("sha256"), artifact.data if artifact is not None else b""
        if not isinstance(size, int) or not isinstance(sha256, str) or info.get("offset") != asked.offset or not 0 < size <= SIZE_LIMIT_BYTES:
            raise TransferDamaged(self.name, "the other side sent something else than a part of it")
        if len(data) != min(PART_LIMIT_BYTES, size - asked.offset):
            raise TransferDamaged(self.name, "a part of it has the wrong size")
        if self._size < 0:
            self._size, self._sha256 = size, sha256
            self._tell(total=size)
            free = free_bytes(self.target.parent)
            if free and free < size - asked.offset:
                raise DiskFull(str(self.target.parent), free, size - asked.offset)
        return data if (size, sha256) == (self._size, self._sha256) else None

    def _begin_anew(self, file: BinaryIO) -> int:
        file.seek(0)
        file.truncate(0)
        self._forget_asked()
        self._size, self._sha256 = -1, ""
        return 0

    def _forget_asked(self) -> None:
        with self._lock:
            forgotten, self._asked = self._asked, []
        for asked in forgotten:
            self._send(Cancel(job=asked.job))

    def _verify(self, file: BinaryIO) -> None:
        """The checksum of what lies on the disk now; a file that has another goes."""
        digest = hashlib.sha256()
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        while block := file.read(1 << 20):
            self._check()
            digest.update(block)
        if digest.hexdigest() != self._sha256:
            file.truncate(0)
            self._is_damaged = True
            raise TransferDamaged(self.name, "its SHA-256 differs")
