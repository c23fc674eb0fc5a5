"""The jobs of a client that have not ended, whatever becomes of its line: what is heard once, what is said again on the next line.

No input or output and no locks. A line loses nothing while it lasts and keeps the events of a job in order; all of the care here is for lines that end.

On a new line each open job is taken up again: one that was never answered is submitted again under its id, which is one job for the server; of the others the
events after the last one heard are asked for. A server that knows such a job no more (it was restarted, or the client was away for too long) gets it again if
it had only been accepted; one that had begun ends as one whose engine died.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from sfumato.protocol.errors import SfumatoError, WorkerDied
from sfumato.protocol.messages import ENDINGS, Accepted, Cancel, Cancelled, Command, Failed, Feed, JobEvent, Progress, Resume, Submit

# Parts of an upload that are kept in case they did not arrive: what a sender may be ahead, and the part it is about to send.
KEPT_FEED_BYTES = 9 << 20
UPLOAD_STAGE = "upload"
ENDED_REMEMBERED = 10_000
_UNKNOWN = "job_not_found"


@dataclass
class OpenJob:
    """One job.

    Attributes:
        submit: None if another client of the same user submitted it, and this one only goes on with it.
        heard: the `seq` of the last event that was told.
        has_begun: more than its acceptance was heard.
        is_asked: what was missed was asked for, and nothing came yet.
    """

    job: str
    submit: Submit | None
    heard: int = 0
    has_begun: bool = False
    is_sent: bool = False
    is_asked: bool = False
    is_cancelled: bool = False
    asked_at_gap: int = -1
    fed_bytes: int = 0
    feeds: deque[Feed] = field(default_factory=deque[Feed])

    @property
    def is_answered(self) -> bool:
        return self.heard > 0 or self.submit is None


@dataclass(frozen=True)
class Outcome:
    """What follows: events to tell the client, commands to send if there is a line."""

    tell: tuple[JobEvent, ...] = ()
    say: tuple[Command, ...] = ()


NOTHING = Outcome()


class OpenJobs:
    """All open jobs of one client, in the order in which they were submitted."""

    def __init__(self) -> None:
        self._open: dict[str, OpenJob] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, job: str) -> bool:
        return job in self._open

    def obey(self, command: Command, has_line: bool) -> Outcome:
        """Take a command of the client; `has_line`: what is to be said can be said now."""
        if isinstance(command, Submit):
            return self._submit(command, has_line)
        if isinstance(command, Resume):
            self._ended.pop(command.job, None)
            job = self._open.setdefault(command.job, OpenJob(command.job, None))
            job.heard, job.is_asked = command.after, has_line
            job.is_sent = job.is_sent or has_line
            return Outcome(say=(command,))
        if isinstance(command, Feed):
            return self._feed(command)
        assert isinstance(command, Cancel)
        return self._cancel(command)

    def hear(self, event: JobEvent) -> Outcome:
        """Take an event of the server. What belongs to no open job, or was told before, is nothing."""
        job = self._open.get(event.job)
        if job is None:
            return NOTHING
        if job.is_asked and isinstance(event, Failed) and event.code == _UNKNOWN:
            return self._unknown(job, event)
        job.is_asked = False
        if isinstance(event, ENDINGS):
            # An ending counts whatever its number: of a job that had to be submitted twice the numbers begin anew.
            if event.seq > job.heard + 1:
                return self._ask(job)
            return self._end(job, event.model_copy(update={"seq": job.heard + 1}) if event.seq <= job.heard else event)
        if event.seq <= job.heard:
            return NOTHING
        # Progress may stand for the progress before it; nothing else is ever left out.
        if event.seq > job.heard + 1 and not isinstance(event, Progress):
            return self._ask(job)
        job.heard = event.seq
        if not isinstance(event, Accepted):
            job.has_begun = True
            if job.submit is not None:
                job.submit = job.submit.model_copy(update={"params": {}, "blobs": {}})
        if isinstance(event, Progress) and event.stage == UPLOAD_STAGE:
            self._arrived(job, event.done)
        return Outcome(tell=(event,))

    def on_line(self) -> tuple[Command, ...]:
        """What is to be said first on a new line."""
        said: list[Command] = []
        for job in self._open.values():
            job.is_sent, job.asked_at_gap = True, -1
            job.is_asked = job.is_answered
            if job.submit is not None and not job.is_answered:
                said.append(job.submit)
            else:
                said.append(Resume(job=job.job, after=job.heard))
            said += job.feeds
            if job.is_cancelled:
                said.append(Cancel(job=job.job))
        return tuple(said)

    def fail(self, job: str, error: SfumatoError) -> Outcome:
        """End an open job here."""
        found = self._open.get(job)
        if found is None:
            return NOTHING
        return self._end(found, _failed(job, found.heard + 1, error))

    def _submit(self, command: Submit, has_line: bool) -> Outcome:
        if command.job in self._open or command.job in self._ended:
            return NOTHING
        self._open[command.job] = OpenJob(command.job, command, is_sent=has_line)
        return Outcome(say=(command,))

    def _feed(self, command: Feed) -> Outcome:
        job = self._open.get(command.job)
        if job is None:
            return NOTHING
        if command.offset is None:
            command = command.model_copy(update={"offset": job.fed_bytes})
        assert command.offset is not None
        job.fed_bytes = command.offset + len(command.data)
        job.feeds.append(command)
        kept = sum(len(feed.data) for feed in job.feeds)
        while kept > KEPT_FEED_BYTES:
            kept -= len(job.feeds.popleft().data)
        return Outcome(say=(command,))

    def _cancel(self, command: Cancel) -> Outcome:
        job = self._open.get(command.job)
        if job is None:
            return NOTHING
        job.is_cancelled = True
        if not job.is_sent:
            return self._end(job, Cancelled(job=job.job, seq=job.heard + 1))
        return Outcome(say=(command,))

    def _arrived(self, job: OpenJob, done: int) -> None:
        """Let go of the parts that the server has; the last word of an upload stays, which may hold no bytes."""
        while job.feeds and not job.feeds[0].last and (job.feeds[0].offset or 0) + len(job.feeds[0].data) <= done:
            job.feeds.popleft()

    def _ask(self, job: OpenJob) -> Outcome:
        """Something is missing before this event: have all of it said again, once for each place."""
        if job.asked_at_gap == job.heard:
            return NOTHING
        job.asked_at_gap = job.heard
        return Outcome(say=(Resume(job=job.job, after=job.heard),))

    def _unknown(self, job: OpenJob, event: Failed) -> Outcome:
        """The server knows nothing of a job that was to go on."""
        job.is_asked = False
        if job.is_cancelled:
            return self._end(job, Cancelled(job=job.job, seq=job.heard + 1))
        if job.submit is None:
            return self._end(job, event.model_copy(update={"seq": job.heard + 1}))
        if not job.has_begun:
            return Outcome(say=(job.submit, *job.feeds))
        return self._end(job, _failed(job.job, job.heard + 1, WorkerDied(cause="the machine that worked on it does not know it any more")))

    def _end(self, job: OpenJob, ending: JobEvent) -> Outcome:
        del self._open[job.job]
        self._ended[job.job] = None
        if len(self._ended) > ENDED_REMEMBERED:
            self._ended.popitem(last=False)
        return Outcome(tell=(ending,))


def _failed(job: str, seq: int, error: SfumatoError) -> Failed:
    return Failed(job=job, seq=seq, code=error.code, message=error.message, path=error.path, detail=error.detail)
