"""The list that the panel shows: the rows of the queue, with the jobs of one grid as one row.

The row of a grid stands where its running job is, else its next one, else its last. What is done with the row is done with all its jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, QSortFilterProxyModel, pyqtProperty, pyqtSignal

from sfumato.desktop.language import tr
from sfumato.desktop.queue.job import PENDING, Job, duration
from sfumato.desktop.queue.rows import STATES, QueueRows
from sfumato.jobs.grid_store import OWNER, read_owner


@dataclass(frozen=True)
class Told:
    """What is known of a grid as a whole: its title, and how many of its cells there are and are done."""

    title: str
    total: int
    done: int


class QueueGroups(QSortFilterProxyModel):
    """`tell(grid)` gives what a row of a grid says, None where nothing is known of it any more."""

    counted = pyqtSignal()

    def __init__(self, rows: QueueRows, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self.tell: Callable[[str], Told | None] = lambda grid: None
        self._members: dict[str, list[Job]] | None = None
        # Before the source is set: what is known of the groups is forgotten before the list is looked at anew.
        for signal in (rows.rowsInserted, rows.rowsRemoved, rows.rowsMoved, rows.modelReset, rows.layoutChanged):
            signal.connect(self._forget)
        self.setSourceModel(rows)
        rows.counted.connect(self._regroup)

    def _forget(self) -> None:
        self._members = None

    def _regroup(self) -> None:
        had = bool(self._members)
        self._forget()
        if had or self._grouped():
            self.invalidateFilter()
        self.counted.emit()

    def _grouped(self) -> dict[str, list[Job]]:
        """Grid -> its jobs in the order of the rows."""
        if self._members is None:
            self._members = {}
            for job in self._rows.all():
                if grid := self.grid_of(job):
                    self._members.setdefault(grid, []).append(job)
        return self._members

    # -- finding ---------------------------------------------------------------------------------

    def grid_of(self, job: Job) -> str:
        """The grid a job belongs to, "" for none."""
        found = read_owner(job.owner) if job.owner.startswith(OWNER) else None
        return found[0] if found else ""

    def jobs_of(self, job: Job) -> list[Job]:
        """The jobs that stand for the same row: those of its grid, else itself."""
        grid = self.grid_of(job)
        return list(self._grouped().get(grid, [job])) if grid else [job]

    def at(self, row: int) -> Job | None:
        """The job that stands for a row."""
        index = self.mapToSource(self.index(row, 0))
        return self._rows.at(index.row()) if index.isValid() else None

    def place_of(self, job: Job) -> int:
        """The row that stands for a job, -1 for none."""
        lead = self.jobs_of(job)[:1]
        index = self.mapFromSource(self._rows.index(self._rows.place_of(lead[0]))) if lead else QModelIndex()
        return index.row() if index.isValid() else -1

    def together(self, waiting: Sequence[Job]) -> list[Job]:
        """The same jobs with those of each grid behind its first one."""
        found: dict[str, list[Job]] = {}
        for job in waiting:
            found.setdefault(self.grid_of(job) or job.id, []).append(job)
        return [job for jobs in found.values() for job in jobs]

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty(int, notify=counted)
    def count(self) -> int:
        return self.rowCount()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        del parent
        job = self._rows.at(row)
        grid = self.grid_of(job) if job is not None else ""
        return not grid or self._grouped().get(grid, [job])[0] is job

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        job = self.at(index.row()) if index.isValid() else None
        if job is None or not self.grid_of(job):
            return super().data(index, role)
        name = bytes(self._rows.roleNames().get(role, b"")).decode()
        return self._cell(job, name) if name else None

    def _cell(self, job: Job, name: str) -> Any:
        """One value of the row of a grid."""
        jobs = self.jobs_of(job)
        told = self.tell(self.grid_of(job)) or Told(tr("Grid"), len(jobs), sum(other.state == "finished" for other in jobs))
        failed = sum(other.state == "failed" for other in jobs)
        pending = [other for other in jobs if other.state in PENDING]
        over = not pending and job.state != "running"
        match name:
            case "jobState":
                return job.state if not over else "failed" if failed else job.state
            case "stateWord":
                return tr("Paused") if pending and pending[0].is_held and job.state != "running" else tr(STATES.get(job.state, job.state))
            case "prompt":
                return told.title
            case "mode":
                return tr("Grid")
            case "count":
                return f"{told.done} / {told.total}"
            case "progress":
                return min(1.0, (told.done + (job.fraction if job.state == "running" else 0)) / max(1, told.total))
            case "estimate":
                start, takes = self._rows.times(pending[-1]) if pending else (None, None)
                left = start + takes if start is not None and takes is not None else None
                return tr("{time} left", time=duration(left)) if left is not None else self._rows.cell(job, name) if not pending else ""
            case "problem":
                return tr("{count} cells failed", count=failed) if failed and over else ""
            case "selected":
                return any(other.id in self._rows.selected for other in jobs)
            case "editable":
                return False
            case "retriable":
                return any(other.state in ("failed", "cancelled") for other in jobs)
            case "size":
                return ""
            case _:
                return self._rows.cell(job, name)
