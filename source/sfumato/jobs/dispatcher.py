"""Keeps the contract between clients and those who run jobs, whatever carries the messages.

Commands come in with their client; events go to the seat where that client hears. Here and nowhere else: the same Submit twice is one job, seq rises by one,
one ending per job and nothing after it, Resume replays, Cancel is idempotent, bad requests are answered naming every bad field, jobs belong to the identity
that sent them, and a role runs what it may.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from sfumato.jobs.clients import LOCAL, Client, JobCounts, may_run, priority_of
from sfumato.jobs.context import AHEAD_LIMIT_BYTES, too_far_ahead
from sfumato.jobs.fetching import answer
from sfumato.jobs.first_looks import first_look
from sfumato.jobs.journal import JobRecord, Journal, failure
from sfumato.jobs.kept_jobs import KeptJobs
from sfumato.jobs.lanes import TRANSFERS, TRANSFERS_PER_CLIENT, Lane
from sfumato.jobs.registry import JobKind, Registry
from sfumato.jobs.registry import Lane as LaneName
from sfumato.jobs.runner import Executor
from sfumato.jobs.seats import Seat
from sfumato.jobs.sizes import Limits, size_of
from sfumato.jobs.turns import Ticket
from sfumato.protocol.errors import Forbidden, Invalid, SessionExpired, SfumatoError, TooManyJobs, WorkerDied
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Cancelled, Command, Event, Feed, Finished, Hello, JobEvent, Progress, Resume, Submit
from sfumato.protocol.specs import validate

OnEvent = Callable[[Event], None]
Monitor = Callable[[Client, JobEvent], None]
EARLY_FEED_LIMIT_BYTES = AHEAD_LIMIT_BYTES


class Dispatcher:
    """Fair queues before the executors of the lanes, and the journal of what was said.

    With `kept`, what remote clients have waiting outlives the process: see `restore`.

    It is a `Listener` of its executors. All methods may be called from any thread, also from within a client's `on_event`: nobody is called with a lock held.
    """

    def __init__(self, registry: Registry, journal: Journal | None = None, limits: Limits | None = None, kept: KeptJobs | None = None) -> None:
        self._registry = registry
        self._journal = journal or Journal()
        self._limits = limits or Limits()
        self._kept = kept
        self._engine = Lane(1, 1, self._note_begin)
        self._lanes: dict[LaneName, Lane] = {"engine": self._engine, "transfer": Lane(TRANSFERS, TRANSFERS_PER_CLIENT, self._note_begin)}
        self._tickets: dict[tuple[str, str], Ticket] = {}
        self._seats: dict[str, Seat[Event]] = {}
        self._hello: Hello | None = None
        self._monitor: Monitor | None = None
        self._monitoring: Seat[tuple[Client, JobEvent]] | None = None
        self._lock = threading.RLock()
        self._depth = 0

    # -- clients ---------------------------------------------------------------------------------

    def join(self, client: Client, on_event: OnEvent) -> None:
        """Let `client` hear from now on, `Hello` at once if there was one; a second call replaces the first. Its earlier jobs are heard after `Resume`.

        Raises `ValueError` for one that calls itself as the only client of a process does, whose jobs are nobody else's.
        """
        if client != LOCAL and (client.name == LOCAL.name or client.identity == LOCAL.identity):
            raise ValueError(f"'{LOCAL.name}' names this process's own client")
        with self._acting():
            before = self._seats.pop(client.name, None)
            if before is not None:
                before.close()
            # The only client of a process hears from the thread that has something to say.
            seat = self._seats[client.name] = Seat(on_event, "" if client == LOCAL else f"client-{client.name[:6]}")
            if self._hello is not None:
                seat.put(self._hello)

    def leave(self, client: Client) -> None:
        """Say nothing more to `client`; its jobs go on, and what they say is kept."""
        with self._acting():
            seat = self._seats.pop(client.name, None)
            if seat is not None:
                seat.close()

    def forget(self, client: Client, error: SfumatoError | None = None) -> None:
        """Cancel what `client` has waiting or running (with `error`: fail it), and keep nothing of its jobs."""
        with self._acting():
            for record in self._journal.of(client):
                self._abandon(record, error)

    def jobs_of(self, client: Client) -> JobCounts:
        """How many jobs of `client` wait and run."""
        with self._lock:
            mine = [ticket for ticket in self._tickets.values() if ticket.client == client.name]
            running = sum(bool(ticket.work) for ticket in mine)
            return JobCounts(len(mine) - running, running)

    @property
    def monitor(self) -> Monitor | None:
        """Hears, from a thread of its own, all that is said to guests from when it is set; None: nobody."""
        return self._monitor

    @monitor.setter
    def monitor(self, monitor: Monitor | None) -> None:
        with self._acting():
            if self._monitoring is not None:
                self._monitoring.close()
            self._monitor = monitor
            self._monitoring = None if monitor is None else Seat(lambda said: monitor(*said), "monitor")

    def announce(self, hello: Hello) -> None:
        """Say to everybody, also to those who come later, that the engine is ready."""
        with self._acting():
            self._hello = hello
            for seat in self._seats.values():
                seat.put(hello)

    def close(self) -> None:
        """Say nothing more to anybody, and keep what waits now as it is."""
        self.monitor = None
        with self._lock:
            if self._kept is not None:
                self._kept.close()
            for seat in self._seats.values():
                seat.close()
            self._seats.clear()

    def restore(self) -> None:
        """Take up what an earlier life of the process left: its waiting jobs wait again, its running ones are known to have died with it."""
        with self._acting():
            for job in [] if self._kept is None else self._kept.load():
                if job.submit is not None and self._registry.kinds.get(job.submit.kind) is not None:
                    self._accept(job.submit, job.client, self._registry.kinds[job.submit.kind], self._problem(job.submit), size_of(job.submit))
                else:
                    why = SessionExpired(job.job) if job.has_ended else WorkerDied(cause="the server was started anew")
                    self._journal.note_gone((job.client.identity, job.job), why)

    # -- executors -------------------------------------------------------------------------------

    def attach(self, executor: Executor | None, lane: LaneName = "engine") -> None:
        """Give jobs of `lane` to `executor` from now on; None holds them back until another comes."""
        with self._acting():
            self._lanes[lane].executor = executor
            self._lanes[lane].start()

    def executor_lost(self, cause: str, detail: str = "") -> None:
        """The engine died: end its running job; waiting ones stay for the next engine."""
        with self._acting():
            self._hello = None
            self._engine.executor = None
            for ticket in self._engine.running:
                self._fail(ticket, WorkerDied(ticket.stage, cause, detail=detail))

    def fail_waiting(self, error: SfumatoError) -> None:
        """End every job that waits for the engine with `error`, when no engine will come."""
        with self._acting():
            for ticket in self._engine.waiting:
                self._fail(ticket, error)

    # -- commands --------------------------------------------------------------------------------

    def handle(self, command: Command, client: Client = LOCAL) -> None:
        """Obey one command."""
        problem = self._problem(command) if isinstance(command, Submit) else None
        with self._acting():
            if isinstance(command, Submit):
                self._submit(command, client, problem)
            elif isinstance(command, Resume):
                self._resume(command, client)
            elif isinstance(command, Cancel):
                self._cancel(command.job, client)
            elif isinstance(command, Feed):
                self._feed(command, client)

    def _problem(self, submit: Submit) -> SfumatoError | None:
        """What is wrong with a request."""
        try:
            validate(self._registry.kind(submit.kind).request, submit.params)
        except SfumatoError as error:
            return error
        return None

    def _submit(self, command: Submit, client: Client, problem: SfumatoError | None) -> None:
        seat = self._seats.get(client.name)
        known = self._journal.get(client.identity, command.job)
        if known is not None:
            if known.seat is not seat:  # sent once more over another line: nobody knows what of the answer arrived
                self._replay(known, client, 0)
            return
        kind = self._registry.kinds.get(command.kind)
        if kind is not None and not may_run(client, kind):
            self._refuse(seat, command.job, Forbidden(kind.name))
            return
        if kind is not None and kind.lane == "journal":
            if seat is not None:
                for event in answer(kind, command, client.identity, self._journal):
                    seat.put(event)
            return
        size_bytes = 0 if client == LOCAL else size_of(command)
        excess = self._excess(client, 1, size_bytes)
        if excess is not None:
            self._refuse(seat, command.job, excess)
            return
        self._accept(command, client, kind, problem, size_bytes)

    def _accept(self, command: Submit, client: Client, kind: JobKind | None, problem: SfumatoError | None, size_bytes: int) -> None:
        record = self._journal.open(client, command.job)
        record.seat = self._seats.get(client.name)
        if kind is None or problem is not None:
            self._say(record, Accepted(job=record.job, seq=1))
            self._say(record, failure(record.job, 2, problem or Invalid([])))
            return
        if self._kept is not None and client != LOCAL:
            self._kept.add(client, command.job, command if kind.lane == "engine" else None)
        lane = self._lanes[kind.lane]
        ticket = Ticket(record, command, kind.lane, priority_of(client, command.priority), size_bytes)
        self._tickets[record.key] = ticket
        lane.waiting.add(ticket)
        self._say(record, Accepted(job=record.job, seq=1, position=lane.position_of(ticket)))
        lane.start()

    def _excess(self, client: Client, jobs: int, size_bytes: int) -> TooManyJobs | None:
        """Why `client` may not have so much more waiting. The only client of a process may: nobody else is held up."""
        if client == LOCAL:
            return None
        waiting = [ticket for lane in self._lanes.values() for ticket in lane.waiting if ticket.record.client.identity == client.identity]
        return self._limits.excess([(ticket.client == client.name, ticket.size_bytes) for ticket in waiting], jobs, size_bytes)

    def _resume(self, command: Resume, client: Client) -> None:
        record = self._journal.get(client.identity, command.job)
        if record is not None and record.lost_seq > command.after and client != LOCAL:
            self._abandon(record, SessionExpired(record.job), is_told=False)
            record = None
        if record is not None:
            self._replay(record, client, command.after)
        else:
            self._refuse(self._seats.get(client.name), command.job, self._journal.why_gone(client.identity, command.job), command.after)

    def _replay(self, record: JobRecord, client: Client, after: int) -> None:
        """Say what was missed; what comes from now on is said in the same place."""
        record.client, record.seat = client, self._seats.get(client.name)
        if record.seat is not None:
            for event in record.events:
                if event.seq > after:
                    record.seat.put(event)

    def _cancel(self, job: str, client: Client) -> None:
        ticket = self._tickets.get((client.identity, job))
        if ticket is None:
            return
        lane = self._lane_of(ticket)
        if not ticket.work:
            self._tell_ending(ticket, Cancelled(job=job, seq=ticket.record.last_seq + 1))
            lane.end(ticket)
        elif lane.executor is not None:
            lane.executor.cancel(ticket.work)

    def _feed(self, command: Feed, client: Client) -> None:
        ticket = self._tickets.get((client.identity, command.job))
        if ticket is None:
            return
        lane = self._lane_of(ticket)
        if ticket.work:
            if lane.executor is not None:
                lane.executor.feed(ticket.work, command.data, command.last, command.offset)
            return
        ticket.early_feeds.append(command)
        ticket.size_bytes += len(command.data)
        if sum(len(feed.data) for feed in ticket.early_feeds) > EARLY_FEED_LIMIT_BYTES or len(ticket.early_feeds) > EARLY_FEED_LIMIT_BYTES >> 10:
            self._fail(ticket, too_far_ahead())
        else:
            excess = self._excess(client, 0, 0)
            if excess is not None:
                self._fail(ticket, excess)

    # -- Listener: what the executors' jobs say ------------------------------------------------------

    def progress(self, job: str, *, stage: str, done: int, total: int, rate: float | None, preview: tuple[bytes, ...], note: str) -> None:
        with self._acting():
            ticket = self._running(job)
            if ticket is not None:
                ticket.stage = stage
                record = ticket.record
                event = Progress(job=record.job, seq=record.last_seq + 1, stage=stage, done=done, total=total, rate=rate, preview=preview, note=note)
                self._say(record, event)

    def artifact(self, job: str, *, name: str, media_type: str, data: bytes, info: Mapping[str, Any]) -> None:
        with self._lock:
            ticket = self._running(job)
        if ticket is None:
            return
        record = ticket.record
        # Outside the lock: making it takes a while.
        look = None if record.client == LOCAL else first_look(media_type, data)
        with self._acting():
            if look is not None and not record.ended:
                self._say(record, Progress(job=record.job, seq=record.last_seq + 1, stage="fetch", total=len(data), preview=(look,), note=name))
            if not record.ended:
                self._say(record, Artifact(job=record.job, seq=record.last_seq + 1, name=name, media_type=media_type, data=data, info=dict(info)))

    def finished(self, job: str, result: dict[str, Any]) -> None:
        self._ended(job, lambda name, seq: Finished(job=name, seq=seq, result=result))

    def failed(self, job: str, error: SfumatoError) -> None:
        self._ended(job, lambda name, seq: failure(name, seq, error))

    def cancelled(self, job: str) -> None:
        self._ended(job, lambda name, seq: Cancelled(job=name, seq=seq))

    def _running(self, work: str) -> Ticket | None:
        """What runs under that name and has not ended for its client."""
        found = (lane.ticket(work) for lane in self._lanes.values())
        return next((ticket for ticket in found if ticket is not None and not ticket.record.ended), None)

    def _ended(self, work: str, ending: Callable[[str, int], JobEvent]) -> None:
        with self._acting():
            for lane in self._lanes.values():
                ticket = lane.ticket(work)
                if ticket is not None:
                    self._tell_ending(ticket, ending(ticket.record.job, ticket.record.last_seq + 1))
                    lane.end(ticket)

    # -- one event -------------------------------------------------------------------------------

    def _note_begin(self, ticket: Ticket) -> None:
        if self._kept is not None and ticket.record.client != LOCAL:
            self._kept.begin(ticket.record.client, ticket.record.job)

    def _lane_of(self, ticket: Ticket) -> Lane:
        return self._lanes[ticket.lane]

    def _fail(self, ticket: Ticket, error: SfumatoError) -> None:
        self._tell_ending(ticket, failure(ticket.record.job, ticket.record.last_seq + 1, error))
        self._lane_of(ticket).end(ticket)

    def _tell_ending(self, ticket: Ticket, event: JobEvent) -> None:
        """The one ending of a job: said, unless it was before."""
        if self._tickets.get(ticket.record.key) is ticket:
            del self._tickets[ticket.record.key]
            if self._kept is not None and ticket.record.client != LOCAL:
                self._kept.end(ticket.record.client, ticket.record.job)
        if not ticket.record.ended:
            self._say(ticket.record, event)

    def _abandon(self, record: JobRecord, error: SfumatoError | None, is_told: bool = True) -> None:
        """End a job that nobody waits for any more, and let its record go."""
        ticket = self._tickets.get(record.key)
        if not is_told:
            record.seat = None
        if ticket is not None:
            seq = record.last_seq + 1
            self._tell_ending(ticket, Cancelled(job=record.job, seq=seq) if error is None else failure(record.job, seq, error))
            lane = self._lane_of(ticket)
            if not ticket.work:
                lane.end(ticket)
            elif lane.executor is not None:
                lane.executor.cancel(ticket.work, is_abandoned=True)
        self._journal.let_go(record)

    def _say(self, record: JobRecord, event: JobEvent) -> None:
        self._journal.add(record, event)
        if record.seat is not None:
            record.seat.put(event)
        if self._monitoring is not None and record.client.role == "guest":
            self._monitoring.put((record.client, event))

    def _refuse(self, seat: Seat[Event] | None, job: str, error: SfumatoError, after: int = 0) -> None:
        """Answer for a job that is not kept here."""
        if seat is not None:
            seat.put(failure(job, after + 1, error))

    @contextmanager
    def _acting(self) -> Generator[None]:
        """Hold the lock; afterwards say to the client without a thread of its own what it should hear."""
        is_outermost = False
        try:
            with self._lock:
                self._depth += 1
                try:
                    yield
                finally:
                    self._depth -= 1
                    is_outermost = self._depth == 0
        finally:
            # Read without the lock: a seat that was just left says nothing more.
            seat = self._seats.get(LOCAL.name)
            if is_outermost and seat is not None:
                seat.deliver()
