"""The client's side of an upload: a model file from this disk through any endpoint, at the pace of the other side. Rules: N51, N52, D162.

What has arrived there is found again by the file's checksum, whatever ended in between: the line, this program or that one.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from sfumato.protocol.errors import SfumatoError, Stopped, TransferDamaged, retold
from sfumato.protocol.messages import ENDINGS, Cancel, Event, Failed, Feed, Finished, JobEvent, Progress, Resume, Submit
from sfumato.protocol.requests.upload import STAGE, WINDOW_BYTES
from sfumato.transport.transfers import RETRIED, STALLED_S, TRIES, OnNews, Send, Transfer

KIND = "upload"
FEED_BYTES = 1 << 20
_READ_BYTES = 1 << 20


class FileUpload(Transfer):
    """Sends one file.

    Args:
        send: hands a command to the endpoint.
        path: the file.
        folder: models folder it goes to; "auto" lets the other side look what it is.
        name: what it is called there; default its own name.
        on_news, stalled_s, tries: as `Transfer`.
    """

    def __init__(
        self,
        send: Send,
        path: Path,
        folder: str = "auto",
        name: str = "",
        *,
        on_news: OnNews = lambda news: None,
        stalled_s: float = STALLED_S,
        tries: int = TRIES,
    ) -> None:
        super().__init__(send, on_news, stalled_s=stalled_s, tries=tries)
        self.path = path
        self.folder = folder
        self.name = name or path.name
        self._job = ""
        self._heard = 0
        self._arrived = -1
        self._ending: JobEvent | None = None

    def _take(self, event: Event) -> bool:
        if not isinstance(event, JobEvent) or not self._job or event.job != self._job:
            return False
        is_told_again = event.seq <= self._heard and not (isinstance(event, Failed) and event.code == "job_not_found")
        if is_told_again or self._ending is not None:
            return True
        self._heard = max(self._heard, event.seq)
        if isinstance(event, Progress) and event.stage == STAGE:
            self._arrived = max(self._arrived, event.done)
        elif isinstance(event, ENDINGS):
            self._ending = event
        return True

    def _move(self) -> Mapping[str, Any]:
        with self.path.open("rb") as file:
            before = _stamp(file)
            self._tell(total=before[0])
            digest = self._digest(file)
            in_vain, reached = 0, -1
            while True:
                self._wait_while_paused()
                ending = self._attempt(file, before[0], digest)
                if _stamp(file) != before:
                    raise TransferDamaged(self.name, "it was changed while it was sent")
                if isinstance(ending, Finished):
                    self._tell(done=before[0])
                    return ending.result
                if not isinstance(ending, Failed):
                    raise Stopped
                if self._is_paused and ending.code == "transfer_incomplete":
                    continue
                in_vain = 0 if self._arrived > reached else in_vain + 1
                reached = max(reached, self._arrived)
                if ending.code not in RETRIED or in_vain >= self._tries:
                    raise _told(ending)
                with self._lock:
                    self._lock.wait_for(lambda: self._is_cancelled, min(5.0, 0.2 * in_vain))
                self._check()

    def _digest(self, file: BinaryIO) -> str:
        digest, done = hashlib.sha256(), 0
        while block := file.read(_READ_BYTES):
            self._check()
            self._wait_while_paused()
            digest.update(block)
            done += len(block)
            self._tell_done("reading", done)
        return digest.hexdigest()

    def _attempt(self, file: BinaryIO, size: int, digest: str) -> JobEvent:
        """One job, from its Submit to its ending."""
        with self._lock:
            self._job, self._heard, self._arrived, self._ending, self._is_lost = f"upload-{uuid.uuid4().hex}", 0, -1, None, False
        self._tell(state="waiting", rate=None)
        self._send(Submit(job=self._job, kind=KIND, params={"folder": self.folder, "name": self.name, "size": size, "sha256": digest}))
        sent, is_cancel_sent, is_pause_sent = -1, False, False
        while True:
            with self._lock:
                is_woken = self._lock.wait_for(partial(self._is_due, sent, size, is_cancel_sent, is_pause_sent), self._stalled_s)
                ending, arrived, is_lost, self._is_lost = self._ending, self._arrived, self._is_lost, False
            self._check_left()
            if ending is not None:
                return ending
            if self._is_cancelled:
                self._send(Cancel(job=self._job))
                is_cancel_sent = True
                continue
            if not is_woken or is_lost:
                # Nothing says what was lost on the way: all that is not known to have arrived goes again, which does no harm.
                sent, is_pause_sent = -1, False
                if not is_woken:
                    self._send(Resume(job=self._job, after=self._heard))
            if arrived < 0:
                continue
            sent = max(sent, arrived)
            self._tell_done("checking" if arrived == size else "moving", arrived)
            if self._is_paused and not is_pause_sent:
                is_pause_sent = True
                self._send(Feed(job=self._job, offset=sent, last=True))
            elif not self._is_paused and sent < min(size, arrived + WINDOW_BYTES):
                sent = self._feed(file, sent, size)

    def _is_due(self, sent: int, size: int, is_cancel_sent: bool, is_pause_sent: bool) -> bool:
        """Whether there is something to do; called with the lock."""
        if self._ending is not None or self._is_lost or self._is_left or (self._is_cancelled and not is_cancel_sent):
            return True
        if self._arrived < 0 or is_cancel_sent:
            return False
        if self._arrived > max(sent, self._news.done) or self._news.state == "waiting":
            return True
        return not is_pause_sent if self._is_paused else max(sent, self._arrived) < min(size, self._arrived + WINDOW_BYTES)

    def _feed(self, file: BinaryIO, at: int, size: int) -> int:
        """Send the part that begins there; where the next begins."""
        file.seek(at)
        data = file.read(min(FEED_BYTES, size - at, self._arrived + WINDOW_BYTES - at))
        if not data:
            raise TransferDamaged(self.name, "it became shorter while it was sent")
        self._send(Feed(job=self._job, offset=at, data=data, last=at + len(data) == size))
        return at + len(data)


def _told(ending: Failed) -> SfumatoError:
    return retold(ending.code, ending.message, ending.path, ending.detail)


def _stamp(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
