"""The client's side of a download: the machine behind an endpoint fetches a file from the web, and is told to pause, to go on, to leave it. Rules: N53, D121.

No byte of the file comes here. What was fetched is found again by the machine itself, so that a pause ends the job, and going on is another one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

from sfumato.protocol.errors import SfumatoError, Stopped, retold
from sfumato.protocol.messages import ENDINGS, Cancel, Event, Failed, Feed, Finished, JobEvent, Progress, Resume, Submit
from sfumato.protocol.requests.download import STAGE
from sfumato.protocol.secret import Secret
from sfumato.transport.transfers import RETRIED, STALLED_S, TRIES, OnNews, Send, Transfer

KIND = "download"


class WebFetch(Transfer):
    """Has one file fetched.

    Args:
        send: hands a command to the endpoint.
        address, folder, name, sha256: as the job `download` takes them.
        token: what the site of the address knows the user by; nothing of it is kept.
        begun: the job that an earlier life of this program began; it is gone on with if it is still known there.
        on_news, stalled_s, tries: as `Transfer`.
    """

    def __init__(
        self,
        send: Send,
        address: str,
        folder: str = "auto",
        name: str = "",
        sha256: str = "",
        token: Secret | None = None,
        *,
        begun: str = "",
        on_news: OnNews = lambda news: None,
        stalled_s: float = STALLED_S,
        tries: int = TRIES,
    ) -> None:
        super().__init__(send, on_news, stalled_s=stalled_s, tries=tries)
        self._params = {"address": address, "folder": folder, "name": name, "sha256": sha256}
        self._token = token
        self._begun = begun
        self._job = begun
        self._heard = 0
        self._done = -1
        self._total = 0
        self._ending: JobEvent | None = None

    @property
    def job(self) -> str:
        """The job that fetches now, "" before the first."""
        return self._job

    def _take(self, event: Event) -> bool:
        if not isinstance(event, JobEvent) or not self._job or event.job != self._job:
            return False
        is_told_again = event.seq <= self._heard and not (isinstance(event, Failed) and event.code == "job_not_found")
        if is_told_again or self._ending is not None:
            return True
        self._heard = max(self._heard, event.seq)
        if isinstance(event, Progress) and event.stage == STAGE:
            self._done, self._total = event.done, event.total
        elif isinstance(event, ENDINGS):
            self._ending = event
        return True

    def _move(self) -> Mapping[str, Any]:
        in_vain, reached = 0, -1
        while True:
            self._check()
            self._wait_while_paused()
            ending = self._attempt()
            if isinstance(ending, Finished):
                size = int(ending.result.get("size", 0))
                self._tell(done=size, total=size)
                return ending.result
            if not isinstance(ending, Failed):
                raise Stopped
            if ending.code == "transfer_incomplete":
                continue
            in_vain = 0 if self._done > reached else in_vain + 1
            reached = max(reached, self._done)
            if ending.code not in RETRIED or in_vain >= self._tries:
                error: SfumatoError = retold(ending.code, ending.message, ending.path, ending.detail)
                raise error
            with self._lock:
                self._lock.wait_for(lambda: self._is_cancelled, min(5.0, 0.2 * in_vain))

    def _attempt(self) -> JobEvent:
        """One job, from its first word to its ending."""
        begun, self._begun = self._begun, ""
        with self._lock:
            self._job = begun or f"{KIND}-{uuid.uuid4().hex}"
            self._heard, self._ending, self._is_lost = 0, None, False
        self._tell(state="waiting", rate=None)
        self._send(Resume(job=begun, after=0) if begun else self._submit())
        is_cancel_sent, is_pause_sent, told = False, False, -1
        while True:
            with self._lock:
                is_woken = self._lock.wait_for(partial(self._is_due, told, is_cancel_sent, is_pause_sent), self._stalled_s)
                ending, done, total, is_lost, self._is_lost = self._ending, self._done, self._total, self._is_lost, False
            self._check_left()
            if ending is not None:
                return ending
            if not is_woken or is_lost:
                is_pause_sent = False
                self._send(Resume(job=self._job, after=self._heard))
            if self._is_cancelled and not is_cancel_sent:
                is_cancel_sent = True
                self._send(Cancel(job=self._job))
            elif self._is_paused and not is_pause_sent and not is_cancel_sent:
                is_pause_sent = True
                self._send(Feed(job=self._job, offset=0, last=True))
            elif done > told:
                told = done
                self._tell(total=total)
                self._tell_done("checking" if total and done == total else "moving", done)

    def _submit(self) -> Submit:
        params = self._params if self._token is None else self._params | {"token": self._token.reveal()}
        return Submit(job=self._job, kind=KIND, params=params)

    def _is_due(self, told: int, is_cancel_sent: bool, is_pause_sent: bool) -> bool:
        """Whether there is something to do; called with the lock."""
        if self._ending is not None or self._is_lost or self._is_left or (self._is_cancelled and not is_cancel_sent):
            return True
        if is_cancel_sent:
            return False
        return self._done > told or (self._is_paused and not is_pause_sent)
