"""The rows of the queue panel: the running job, those whose pictures are on their way, those that wait in their order, and those that have ended, newest
first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtProperty, pyqtSignal

from sfumato.desktop.language import told, tr
from sfumato.desktop.queue.job import PENDING, Job, duration
from sfumato.jobs.queue_pace import Pace
from sfumato.jobs.queue_rest import expected_pictures
from sfumato.jobs.queue_store import ENDED_KEPT

ROLES = (
    "key", "jobState", "stateWord", "kind", "mode", "prompt", "model", "size", "count", "progress", "estimate", "problem", "source", "selected", "section",
    "removable", "editable", "retriable", "position", "elsewhere",
)  # fmt: skip
# Beyond so many, a change of places is told as a new list.
MANY = 40
STATES = {
    "waiting": "Waiting", "interrupted": "Interrupted", "running": "Running", "fetching": "Fetching", "finished": "Done", "failed": "Failed",
    "cancelled": "Cancelled",
}  # fmt: skip


class QueueRows(QAbstractListModel):
    """The jobs as QML lists them. `running`, `fetching`, `waiting` and `ended` are changed through the methods alone."""

    counted = pyqtSignal()

    def __init__(self, pace: Pace, mode_of: Callable[[Job], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.running: Job | None = None
        self.fetching: list[Job] = []
        self.endpoint = ""  # the machine that the window works with
        self.name_of: Callable[[str], str] = str  # the name of a machine for people
        self.waiting: list[Job] = []
        self.ended: list[Job] = []
        self.selected: set[str] = set()
        self.loaded_model = ""
        self._pace = pace
        self._mode_of = mode_of
        self._starts: dict[str, tuple[float | None, float | None]] | None = None
        self._works: dict[str, float | None] = {}
        self._chosen: list[Job] | None = None
        self._roles = {Qt.ItemDataRole.UserRole + 1 + index: name for index, name in enumerate(ROLES)}

    # -- changes ---------------------------------------------------------------------------------

    @property
    def ahead(self) -> int:
        """How many rows stand before those that wait."""
        return len(self.fetching) + (0 if self.running is None else 1)

    def insert(self, jobs: Sequence[Job], at: int) -> None:
        """Put jobs among the waiting ones, before the one at `at`."""
        if not jobs:
            return
        first = self.ahead + at
        self.beginInsertRows(QModelIndex(), first, first + len(jobs) - 1)
        self.waiting[at:at] = jobs
        self.endInsertRows()
        self._changed()

    def take(self, job: Job) -> None:
        """Let a waiting job be the running one."""
        place = len(self.fetching) + self.waiting.index(job)
        if place:
            self.beginMoveRows(QModelIndex(), place, place, QModelIndex(), 0)
        self.waiting.remove(job)
        self.running = job
        if place:
            self.endMoveRows()
        self._changed()
        self.tell(job)

    def fetch(self, job: Job) -> None:
        """Let the running job be one whose pictures are on their way; its row stays where it is."""
        self.running = None
        self.fetching.insert(0, job)
        self._changed()
        self.tell(job)

    def put_back(self, job: Job) -> None:
        """Let a job that is at work be the first that waits."""
        place = self.place_of(job)
        goal = self.ahead
        if place + 1 < goal:
            self.beginMoveRows(QModelIndex(), place, place, QModelIndex(), goal)
        self._take_out(job)
        self.waiting.insert(0, job)
        if place + 1 < goal:
            self.endMoveRows()
        self._changed()
        self.tell(job)

    def settle(self, endpoint: str) -> None:
        """The window works with another machine: other jobs are for elsewhere."""
        self.endpoint = endpoint
        self.stale()
        if self.rowCount():
            self.dataChanged.emit(self.index(0), self.index(self.rowCount() - 1))

    def end(self, job: Job) -> None:
        """Move a job to those that have ended; one that is not lasting goes."""
        place = self.place_of(job)
        if not job.lasting:
            self.remove([job])
            return
        goal = self.ahead + len(self.waiting)
        if place + 1 < goal:
            self.beginMoveRows(QModelIndex(), place, place, QModelIndex(), goal)
        self._take_out(job)
        self.ended.insert(0, job)
        if place + 1 < goal:
            self.endMoveRows()
        self._changed()
        self.tell(job)
        if len(self.ended) > ENDED_KEPT:
            self.remove(self.ended[ENDED_KEPT:])

    def remove(self, jobs: Sequence[Job]) -> None:
        """Take jobs off the list."""
        if not jobs:
            return
        many = len(jobs) > MANY
        if many:
            self.beginResetModel()
            gone = {job.id for job in jobs}
            self.running = None if self.running is not None and self.running.id in gone else self.running
            self.fetching = [job for job in self.fetching if job.id not in gone]
            self.waiting = [job for job in self.waiting if job.id not in gone]
            self.ended = [job for job in self.ended if job.id not in gone]
            self.endResetModel()
        for job in () if many else jobs:
            place = self.place_of(job)
            self.beginRemoveRows(QModelIndex(), place, place)
            self._take_out(job)
            self.endRemoveRows()
        self.selected -= {job.id for job in jobs}
        self._changed()

    def reorder(self, waiting: list[Job]) -> None:
        """Give the waiting jobs another order."""
        if sum(before is not after for before, after in zip(self.waiting, waiting, strict=True)) > MANY:
            self.layoutAboutToBeChanged.emit()
            self.waiting = list(waiting)
            self.layoutChanged.emit()
        else:
            first = self.ahead
            for place, job in enumerate(waiting):
                at = self.waiting.index(job, place)
                if at != place:
                    self.beginMoveRows(QModelIndex(), first + at, first + at, QModelIndex(), first + place)
                    self.waiting.insert(place, self.waiting.pop(at))
                    self.endMoveRows()
        self._changed()

    def list_ended(self, jobs: list[Job]) -> None:
        """Put jobs that never ran before all that have ended."""
        kept = jobs[-ENDED_KEPT:][::-1]
        if kept:
            first = self.ahead + len(self.waiting)
            self.beginInsertRows(QModelIndex(), first, first + len(kept) - 1)
            self.ended[:0] = kept
            self.endInsertRows()
            self._changed()
        self.remove(self.ended[ENDED_KEPT:])

    def restore(self, pending: list[Job], ended: list[Job]) -> None:
        """Take what an earlier session left, before all there is."""
        self.beginResetModel()
        self.waiting = [*pending, *self.waiting]
        self.ended = [*self.ended, *ended]
        self.endResetModel()
        self._changed()

    def _take_out(self, job: Job) -> None:
        if job is self.running:
            self.running = None
        elif job in self.fetching:
            self.fetching.remove(job)
        elif job in self.waiting:
            self.waiting.remove(job)
        else:
            self.ended.remove(job)

    def _changed(self) -> None:
        self._chosen = None
        self.stale()
        self.counted.emit()

    # -- finding ---------------------------------------------------------------------------------

    def all(self) -> Iterable[Job]:
        if self.running is not None:
            yield self.running
        yield from self.fetching
        yield from self.waiting
        yield from self.ended

    def at(self, row: int) -> Job | None:
        if row < 0:
            return None
        if self.running is not None:
            if row == 0:
                return self.running
            row -= 1
        if row < len(self.fetching):
            return self.fetching[row]
        row -= len(self.fetching)
        if row < len(self.waiting):
            return self.waiting[row]
        row -= len(self.waiting)
        return self.ended[row] if row < len(self.ended) else None

    def find(self, key: str) -> Job | None:
        return next((job for job in self.all() if job.id == key), None)

    def place_of(self, job: Job) -> int:
        """Its row, -1 for none."""
        return next((row for row, other in enumerate(self.all()) if other is job), -1)

    def chosen(self) -> list[Job]:
        """The selected jobs in their order."""
        if self._chosen is None:
            self._chosen = [job for job in self.all() if job.id in self.selected] if self.selected else []
        return self._chosen

    def select(self, keys: Iterable[str]) -> None:
        changed = self.selected ^ (selected := set(keys))
        self.selected, self._chosen = selected, None
        if len(changed) > MANY:
            self.dataChanged.emit(self.index(0), self.index(self.rowCount() - 1))
        else:
            for row, job in enumerate(self.all()):
                if job.id in changed:
                    self.dataChanged.emit(self.index(row), self.index(row))
        self.counted.emit()

    # -- estimates -------------------------------------------------------------------------------

    def stale(self) -> None:
        """The order has changed, or time has passed: other starts."""
        self._starts = None

    def relearn(self) -> None:
        """Speeds were measured, or a job asks for something else: other times."""
        self._works.clear()
        self._starts = None

    def seconds_of(self, job: Job, model_before: str) -> float | None:
        """What a waiting job will take, measured by others like it."""
        if job.id not in self._works:
            self._works[job.id] = self._pace.seconds(job.kind, job.params, max(0, job.expected - job.pictures))
        work = self._works[job.id]
        return None if work is None else work + self._pace.start_seconds(job.model, job.model != model_before)

    def seconds_left(self) -> float | None:
        """What the running job will still take: by its own speed once that is known."""
        job = self.running
        if job is None:
            return 0.0
        if job.seconds_left is not None:
            return job.seconds_left
        return self._pace.seconds(job.kind, job.params, max(0, job.expected - job.pictures))

    def times(self, job: Job) -> tuple[float | None, float | None]:
        """Seconds until a waiting job starts, and how long it takes."""
        if self._starts is None:
            self._starts = {}
            clock = self.seconds_left()
            model = self.running.model if self.running else self.loaded_model
            for other in self.waiting:
                if other.endpoint != self.endpoint:
                    continue
                takes = self.seconds_of(other, model)
                self._starts[other.id] = (clock, takes)
                clock = None if clock is None or takes is None else clock + takes
                model = other.model
        return self._starts.get(job.id, (None, None))

    def total_seconds(self) -> float | None:
        """Until the last job has ended; None when a part of it is not known."""
        if not self.waiting:
            return self.seconds_left()
        last = next((job for job in reversed(self.waiting) if job.endpoint == self.endpoint), None)
        if last is None:
            return self.seconds_left()
        start, takes = self.times(last)
        return None if start is None or takes is None else start + takes

    def seconds_for(self, kind: str, jobs: Sequence[Mapping[str, Any]]) -> float | None:
        """What jobs that are not queued yet would take, one after the other; None until anything like them was measured."""
        total, model = 0.0, self.loaded_model
        for params in jobs:
            work = self._pace.seconds(kind, params, expected_pictures(params))
            if work is None:
                return None
            total += work + self._pace.start_seconds(str(params.get("model") or ""), params.get("model") != model)
            model = str(params.get("model") or "")
        return total

    def tick(self) -> None:
        """Tell the times anew."""
        self.stale()
        last = self.ahead + len(self.waiting) - 1
        if last >= 0:
            self.dataChanged.emit(self.index(0), self.index(last), [self._role("estimate"), self._role("progress")])

    # -- what QML reads --------------------------------------------------------------------------

    def tell(self, job: Job, *roles: str) -> None:
        row = self.place_of(job)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row), [self._role(name) for name in roles])

    def _role(self, name: str) -> int:
        return Qt.ItemDataRole.UserRole + 1 + ROLES.index(name)

    @pyqtProperty(int, notify=counted)
    def count(self) -> int:
        return self.rowCount()

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for role, name in self._roles.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else self.ahead + len(self.waiting) + len(self.ended)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        job = self.at(index.row()) if index.isValid() else None
        if job is None or role not in self._roles:
            return None
        return self.cell(job, self._roles[role])

    def cell(self, job: Job, name: str) -> Any:
        """One value of one row, by its role's name."""
        match name:
            case "key":
                return job.id
            case "jobState":
                return job.state
            case "kind" | "source":
                return getattr(job, name)
            case "stateWord":
                return tr(STATES.get(job.state, job.state))
            case "mode":
                return self._mode_of(job)
            case "prompt":
                return " ".join(str(job.params.get("prompt", ""))[:200].split())
            case "model":
                return job.model
            case "size":
                width, height = job.params.get("width"), job.params.get("height")
                return f"{width} × {height}" if width and height else ""
            case "count":
                return f"{job.pictures} / {job.expected}" if 0 < job.pictures < job.expected else str(job.expected) if job.expected > 1 else ""
            case "progress":
                return job.fraction
            case "estimate":
                return self._estimate(job)
            case "problem":
                return told(job.message)
            case "selected":
                return job.id in self.selected
            case "section":
                return "ended" if job.state not in (*PENDING, "running", "fetching") else "pending"
            case "removable":
                return job is not self.running and job not in self.fetching
            case "elsewhere":
                return self.name_of(job.endpoint) if job.state in PENDING and job.endpoint != self.endpoint else ""
            case "editable":
                return job.state in PENDING and job.kind == "generate"
            case "retriable":
                return job.state in ("failed", "cancelled")
            case _:
                return job.position

    def _estimate(self, job: Job) -> str:
        if job.state == "fetching":
            return f"{job.fraction:.0%}".replace("%", " %")
        if job.state == "running":
            left = self.seconds_left()
            return "" if left is None else tr("{time} left", time=duration(left))
        if job.state not in PENDING:
            return time.strftime("%H:%M", time.localtime(job.ended)) if job.ended else ""
        start, takes = self.times(job)
        if takes is None:
            return ""
        if start is None:
            return tr("takes {time}", time=duration(takes))
        return tr("in {start}, until {end}", start=duration(start), end=time.strftime("%H:%M", time.localtime(time.time() + start + takes)))
