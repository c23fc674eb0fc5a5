"""The grids that are being made: their jobs, the sheet as it grows, and the saved sheet at the end. They go on after a restart.

A cell's picture is kept on the disk thread before the queue counts it, so that whatever kills the window, no picture is painted twice.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from sfumato.desktop.disk import Disk
from sfumato.desktop.drafts import SEED_DRAWS, Draft, Frozen
from sfumato.desktop.language import tr
from sfumato.desktop.outputs import OutputStrip
from sfumato.desktop.outputs_rows import is_extra
from sfumato.desktop.queue.groups import Told
from sfumato.desktop.queue.job import PENDING, Job
from sfumato.desktop.shell import Shell
from sfumato.jobs.grid_plan import Cell, Plan
from sfumato.jobs.grid_sheets import LiveSheet, Sheet, finished_sheets, sheet_sizes, tile_size
from sfumato.jobs.grid_store import OWNER, GridRecord, GridStore, name_of, owner_of, read_owner
from sfumato.jobs.queue_rest import expected_pictures
from sfumato.protocol.errors import Invalid, SfumatoError
from sfumato.protocol.messages import Artifact, Cancelled, Failed, Finished, JobEvent

# The sheet is not shown anew more often than one looks at it.
SHOWN_EVERY_MS = 400
SETTLE_MS = 30
USUAL_SIDE = 512
Save = Callable[..., Path]


@dataclass
class GridRun:
    """A grid in work. `waits`: its cells whose jobs have not ended; `made`: those whose pictures are all there."""

    record: GridRecord
    live: LiveSheet
    waits: set[Cell] = field(default_factory=set[Cell])
    made: set[Cell] = field(default_factory=set[Cell])
    sheet: int = 0  # the one that is shown
    is_open: bool = True  # False once the sheets are being saved


class GridRuns(QObject):
    """Starts grids, follows their jobs, saves their sheets.

    Args:
        save: save(kind, params, bytes) writes a picture of a cell where those of such a job go; runs on the disk thread.
        font: the file of the letters of the labels.
    """

    changed = pyqtSignal()
    heldAgain = pyqtSignal(str)  # a grid of an earlier session that was paused
    saved = pyqtSignal(str)  # the file of a cell that was saved as well

    def __init__(self, shell: Shell, outputs: OutputStrip, save: Save, font: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell, self._outputs, self._save, self._font = shell, outputs, save, font
        self._store = GridStore(shell.places.data / "grids")
        self._runs: dict[str, GridRun] = {}
        self._left: list[tuple[GridRecord, set[Cell]]] | None = None  # what an earlier session left, until the queue is known too
        self._composer = Disk(self)
        self._unshown: set[str] = set()
        self._showing = QTimer(self)
        self._showing.setInterval(SHOWN_EVERY_MS)
        self._showing.timeout.connect(self._show)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(SETTLE_MS)
        self._settling.timeout.connect(self._settle)
        self._sizes: tuple[Any, list[tuple[int, int]]] = ((), [])
        jobs = shell.jobs
        jobs.started.connect(self._started)
        jobs.previewed.connect(self._previewed)
        jobs.pictured.connect(self._pictured)
        jobs.ended.connect(self._ended)
        jobs.changed.connect(self._restore)
        jobs.rows.counted.connect(self._settling.start)
        shell.disk.run(self._load, self._loaded, shell.complain)

    # -- the start -------------------------------------------------------------------------------

    def start(self, plan: Plan, draft: Draft) -> None:
        """Queue a job for every cell, all with the pictures and the seed of one draft."""

        def freeze() -> tuple[Frozen, GridRecord]:
            frozen = draft.freeze(draft.series[0] if draft.series else None)
            record = GridRecord(uuid.uuid4().hex[:12], plan, dict(frozen.params), expected_pictures(frozen.params), time.time())
            self._store.save(record)
            return frozen, record

        self._shell.disk.run(freeze, lambda made: self._queue(*made), self._refuse)

    def _queue(self, frozen: Frozen, record: GridRecord) -> None:
        cells = record.plan.cells()
        self._runs[record.id] = GridRun(record, self._live(record), set(cells))
        entries = []
        for cell in cells:
            params = record.plan.params(cell, record.params)
            if params.get("seed") == -1:
                params["seed"] = secrets.randbelow(SEED_DRAWS)
            entries.append((params, owner_of(record.id, cell)))
        self._touch(record.id)
        self._shell.jobs.submit_all(frozen.kind, entries, frozen.blobs)
        self.changed.emit()

    def _refuse(self, error: SfumatoError) -> None:
        self._shell.complain(error)
        if isinstance(error, Invalid):
            self._shell.parameters.mark({problem.path: problem.sentence for problem in error.problems})

    def _live(self, record: GridRecord) -> LiveSheet:
        return LiveSheet(record, tile_size(record, self._usual()), self._font)

    def _usual(self) -> tuple[int, int]:
        """The size of a picture whose job names none."""
        form = self._shell.parameters
        return form.side("width") or USUAL_SIDE, form.side("height") or USUAL_SIDE

    def sizes(self, record: GridRecord) -> list[tuple[int, int]]:
        """The size of each sheet of a grid that is not started yet."""
        key = record.plan, self._usual(), record.pictures, record.params.get("width"), record.params.get("height"), record.params.get("hr_scale")
        if key != self._sizes[0]:
            self._sizes = key, sheet_sizes(record.plan, tile_size(record, self._usual()), record.pictures, self._font)
        return self._sizes[1]

    # -- what the queue tells of -----------------------------------------------------------------

    def run_of(self, job: Job) -> tuple[GridRun, Cell] | None:
        """The grid and the cell of a job."""
        found = read_owner(job.owner) if job.owner.startswith(OWNER) else None
        run = self._runs.get(found[0]) if found else None
        return (run, found[1]) if run and found else None

    def _started(self, job: Job) -> None:
        if found := self.run_of(job):
            run, cell = found
            if not run.is_open:
                # A job that failed is tried again after the sheet was saved.
                run.is_open, run.record = True, run.record.changed(is_saved=False)
            run.waits.add(cell)
            failed = {name: sentence for name, sentence in run.record.failed.items() if name != name_of(cell)}
            if len(failed) < len(run.record.failed):
                self._write(run, failed=failed)
            run.sheet = cell.z
            self._touch(run.record.id)

    def _previewed(self, job: Job, pictures: tuple[bytes, ...]) -> None:
        if found := self.run_of(job):
            run, cell = found
            first = job.pictures
            self._compose(run, lambda: [run.live.put(cell, first + place, data) for place, data in enumerate(pictures)])

    def _pictured(self, job: Job, artifact: Artifact) -> None:
        found = self.run_of(job)
        if found is None or not artifact.media_type.startswith("image/") or is_extra(job.kind, artifact.name):
            return
        run, cell = found
        number, data, params = max(0, job.pictures - 1), artifact.data, dict(job.params)
        self._shell.disk.run(partial(self._store.keep, run.record.id, cell, number, data), lambda _: None, self._shell.complain)
        if self._shell.settings["grid_save_cells"]:
            kept = artifact.info.get("sidecars")
            beside = {"beside": kept} if kept else {}
            self._shell.disk.run(lambda: self._save(job.kind, params, data, **beside), lambda path: self.saved.emit(str(path)), self._shell.complain)
        self._compose(run, lambda: run.live.put(cell, number, data))

    def _ended(self, job: Job, event: JobEvent) -> None:
        found = self.run_of(job)
        if found is None:
            return
        run, cell = found
        run.waits.discard(cell)
        if isinstance(event, Finished):
            run.made.add(cell)
        elif isinstance(event, Failed):
            self._write(run, failed={**run.record.failed, name_of(cell): event.message})
            self._compose(run, lambda: run.live.fail(cell, event.message))
        elif isinstance(event, Cancelled) and run.made:
            self._touch(run.record.id)
        self.changed.emit()
        self._settling.start()

    def _write(self, run: GridRun, **values: Any) -> None:
        run.record = record = run.record.changed(**values)
        self._shell.disk.run(partial(self._store.save, record), lambda _: None, self._shell.complain)

    def _compose(self, run: GridRun, work: Callable[[], Any]) -> None:
        self._composer.run(work, lambda _: self._touch(run.record.id), self._shell.complain)

    # -- the sheet that grows --------------------------------------------------------------------

    def _touch(self, grid: str) -> None:
        self._unshown.add(grid)
        if not self._showing.isActive():
            self._show()
            self._showing.start()

    def _show(self) -> None:
        if not self._unshown:
            self._showing.stop()
        for grid in self._unshown & self._runs.keys():
            run = self._runs[grid]
            if run.is_open:
                self._composer.run(partial(run.live.shown, run.sheet), partial(self._shown, run), self._shell.complain)
        self._unshown.clear()

    def _shown(self, run: GridRun, data: bytes) -> None:
        if run.is_open:
            self._outputs.show_sheet(owner_name(run), self.title(run), data)

    def told(self, grid: str) -> Told | None:
        """What the queue's row of a grid says."""
        run = self._runs.get(grid)
        return Told(self.title(run), run.record.plan.count, len(run.made)) if run else None

    def hold(self, grid: str, held: bool) -> None:
        """Remember that a grid was paused or continued."""
        if run := self._runs.get(grid):
            self._write(run, is_paused=held)

    def title(self, run: GridRun) -> str:
        """What the strip and the queue call a grid."""
        return tr("Grid: {axes}", axes=run.record.title)

    # -- the end ---------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Save the sheets of grids of which nothing waits any more; rows may have been taken off the queue without a word."""
        pending = {job.owner for job in self._shell.jobs.rows.all() if job.owner.startswith(OWNER) and job.state in (*PENDING, "running")}
        for run in [run for run in self._runs.values() if run.is_open]:
            run.waits = {cell for cell in run.waits if owner_of(run.record.id, cell) in pending}
            if not run.waits and not any(owner.startswith(f"{OWNER}{run.record.id}:") for owner in pending):
                self._finish(run)

    def _finish(self, run: GridRun) -> None:
        run.is_open = False
        # Behind the pictures of the cells, which are on their way to the disk.
        self._shell.disk.run(lambda: None, lambda _: self._make_sheets(run), self._shell.complain)

    def _make_sheets(self, run: GridRun) -> None:
        record = run.record
        self._composer.run(lambda: list(finished_sheets(record, self._store, self._font)), partial(self._take_sheets, run), self._shell.complain)

    def _take_sheets(self, run: GridRun, sheets: list[Sheet]) -> None:
        if run.is_open:
            return
        # The first sheet is to stand first in the strip.
        for sheet in reversed(sheets):
            self._outputs.finish_sheet(owner_name(run), self.title(run), sheet.data, (sheet.width, sheet.height))
        self._outputs.end_sheet(owner_name(run))
        if run.record.failed and sheets:
            self._write(run, is_saved=True)
        else:
            del self._runs[run.record.id]
            self._shell.disk.run(partial(self._store.forget, [run.record.id]), lambda _: None, self._shell.complain)
        self.changed.emit()

    # -- after a restart -------------------------------------------------------------------------

    def _load(self) -> list[tuple[GridRecord, set[Cell]]]:
        return [(record, self._store.made(record)) for record in self._store.load()]

    def _loaded(self, left: list[tuple[GridRecord, set[Cell]]]) -> None:
        self._left = left
        self._restore()

    def _restore(self) -> None:
        if self._left is None or not self._shell.jobs.is_loaded:
            return
        left, self._left = self._left, None
        owned: dict[str, set[Cell]] = {}
        for job in self._shell.jobs.rows.all():
            found = read_owner(job.owner) if job.owner.startswith(OWNER) else None
            if found:
                owned.setdefault(found[0], set())
                if job.state in (*PENDING, "running"):
                    owned[found[0]].add(found[1])
        for record, made in left:
            if record.is_saved and record.id not in owned:
                self._shell.disk.run(partial(self._store.forget, [record.id]), lambda _: None, self._shell.complain)
                continue
            run = self._runs[record.id] = GridRun(record, self._live(record), owned.get(record.id, set()), made, is_open=not record.is_saved)
            if run.is_open:
                self._compose(run, partial(self._recall, run))
            if record.is_paused:
                self.heldAgain.emit(record.id)
        self._settling.start()
        self.changed.emit()

    def _recall(self, run: GridRun) -> None:
        """Put what an earlier session made on the sheet."""
        for cell in run.record.plan.cells():
            for number in range(run.record.pictures):
                path = self._store.picture(run.record.id, cell, number)
                if path.is_file():
                    run.live.put(cell, number, path.read_bytes())
            if sentence := run.record.failed.get(name_of(cell)):
                run.live.fail(cell, sentence)

    def close(self) -> None:
        """End the thread; a sheet that is being put together is made at the next start."""
        self._showing.stop()
        self._settling.stop()
        self._composer.close()


def owner_name(run: GridRun) -> str:
    return f"{OWNER}{run.record.id}"
