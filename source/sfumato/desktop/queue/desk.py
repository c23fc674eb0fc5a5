"""What a person does with the queue: choose rows, move, edit, repeat and drop them, let it go on for ever, and what follows when it is empty."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from PyQt5.QtCore import QObject, QTimer, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.drafts import SEED_DRAWS
from sfumato.desktop.jobs import Job
from sfumato.desktop.language import tr
from sfumato.desktop.queue.farewell import Farewell
from sfumato.desktop.queue.glimpses import Glimpses
from sfumato.desktop.queue.groups import QueueGroups
from sfumato.desktop.queue.job import PENDING
from sfumato.desktop.shell import Condition, Shell
from sfumato.jobs.queue_order import placed, shifted
from sfumato.protocol.errors import RUN_AGAIN
from sfumato.protocol.messages import Failed, Finished, JobEvent

FAILURES_ALLOWED = 2
TEXTS = ("prompt", "negative")
TICK_MS = 1000


class Texts(Protocol):
    """The two prompts."""

    text: str
    negative: str


class QueueDesk(QObject):
    """`studio.queue`."""

    changed = pyqtSignal()
    cancelAllAsked = pyqtSignal(int)
    held = pyqtSignal(str, bool)  # a grid, and whether its jobs wait until it is continued
    pickedUp = pyqtSignal(int)  # rows moved: the one that shall be current

    def __init__(self, shell: Shell, prompts: Texts, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell = shell
        self._prompts = prompts
        self._jobs = shell.jobs
        self._rows = shell.jobs.rows
        self._groups = QueueGroups(shell.jobs.rows, self)
        self._shown = bool(shell.session.restored("queue_shown", bool, False))
        self._restored = 0
        self._forever = False
        self._failures = 0
        self._done = 0
        self._anchor = ""
        self._current = ""
        self._editing: Job | None = None
        self._before: tuple[dict[str, Any], dict[str, str]] | None = None
        self._farewell = Farewell(lambda name: shell.settings[name], lambda sentence, kind: shell.notices.show(sentence, kind=kind), shell.places.data, self)
        self._glimpses = Glimpses(shell.places.data / "queue" / "pictures", self._rows, self)
        self._tick = QTimer(self)
        self._tick.setInterval(TICK_MS)
        self._tick.timeout.connect(self._rows.tick)
        if self._shown:
            self._tick.start()
        shell.session.keep("queue_shown", lambda: self._shown)
        self._wire()

    def _wire(self) -> None:
        jobs = self._jobs
        jobs.restored.connect(self._take_restored)
        jobs.complained.connect(self._shell.notices.show)
        jobs.started.connect(lambda _: self.changed.emit())
        jobs.previewed.connect(self._glimpses.preview)
        jobs.pictured.connect(self._glimpses.finish)
        jobs.ended.connect(self._ended)
        jobs.died.connect(self._died)
        jobs.changed.connect(self.changed)
        self._rows.counted.connect(self.changed)
        self._shell.register(
            {
                "queue": self.toggle,
                "queue_pause": self.togglePause,
                "queue_pause_now": jobs.pauseNow,
                "generate_forever": self.toggleForever,
                "cancel": self._cancel,
                "cancel_all": self.cancelAll,
                "queue_retry_all": self.retryAll,
                "queue_clear_done": self.clearDone,
                "queue_up": partial(self.shift, -1),
                "queue_down": partial(self.shift, 1),
                "queue_front": self.front,
                "queue_edit": self.edit,
                "queue_hold": self.hold,
                "queue_duplicate": self.duplicate,
                "queue_retry": self.retry,
                "queue_here": self.moveHere,
                "queue_cancel": self.cancelChosen,
                "queue_remove": self.remove,
                "queue_select_all": self.chooseAll,
                "queue_close": partial(self.show, False),
            }
        )
        can: dict[str, Callable[[], Any]] = {
            "queue_pause_now": lambda: jobs.running is not None,
            "cancel": lambda: jobs.running is not None,
            "cancel_all": lambda: jobs.property("busy"),
            "queue_retry_all": lambda: self._retriable(self._rows.ended),
            "queue_clear_done": lambda: self._rows.ended,
        }
        chosen = ("up", "down", "front", "edit", "hold", "duplicate", "retry", "here", "cancel", "remove")
        can |= {f"queue_{name}": partial(self.can, f"queue_{name}") for name in chosen}
        self._shell.describe({name: Condition(can=check) for name, check in can.items()})
        self._shell.describe(
            {
                "queue": Condition(ticked=lambda: self._shown),
                "queue_hold": Condition(can=partial(self.can, "queue_hold"), title=lambda: tr("Continue grid") if self._holds() else tr("Pause grid")),
                "queue_pause": Condition(can=lambda: True, ticked=lambda: jobs.property("paused")),
                "generate_forever": Condition(ticked=lambda: self._forever),
            }
        )

    # -- the panel -------------------------------------------------------------------------------

    @pyqtProperty(bool, notify=changed)
    def shown(self) -> bool:
        return self._shown

    @pyqtSlot()
    def toggle(self) -> None:
        """Show or hide the panel."""
        self.show(not self._shown)

    @pyqtSlot(bool)
    def show(self, shown: bool) -> None:
        self._shown = shown
        if shown:
            self._tick.start()
        else:
            self._tick.stop()
        self._shell.session.touch()
        self.changed.emit()

    @pyqtProperty(QObject, constant=True)
    def list(self) -> QueueGroups:
        """The rows of the panel: those of the queue, a grid in one."""
        return self._groups

    @pyqtProperty(int, notify=changed)
    def restored(self) -> int:
        """How many jobs of the last session wait for an answer to "Continue?"."""
        return self._restored if self._jobs.property("pausedBy") == "restart" else 0

    def _take_restored(self, count: int) -> None:
        self._restored = count
        self._glimpses.restore()
        self.changed.emit()

    @pyqtSlot()
    def clearRestored(self) -> None:
        """Cancel what the last session left; it can be retried."""
        self._jobs.cancel_waiting([job for job in self._rows.waiting if job.lasting])
        self._jobs.resume()

    @pyqtSlot()
    def togglePause(self) -> None:
        if self._jobs.property("paused"):
            self._jobs.resume()
        else:
            self._jobs.pause()

    # -- choosing rows ---------------------------------------------------------------------------

    @pyqtProperty(int, notify=changed)
    def chosen(self) -> int:
        """How many rows are selected."""
        return len({self._groups.grid_of(job) or job.id for job in self._rows.chosen()})

    @pyqtSlot(int, int)
    def choose(self, row: int, how: int) -> None:
        """Select a row: alone (0), as well or not any more (1, Ctrl), or all up to it (2, Shift)."""
        job = self._groups.at(row)
        if job is None:
            return
        own = {other.id for other in self._groups.jobs_of(job)}
        anchor = self._rows.find(self._anchor) if self._anchor else None
        if how == 2 and anchor is not None:
            first, last = sorted((self._groups.place_of(anchor), row))
            shown = [self._groups.at(place) for place in range(first, last + 1)]
            self._rows.select(other.id for one in shown if one is not None for other in self._groups.jobs_of(one))
        else:
            self._anchor = job.id
            self._rows.select(self._rows.selected ^ own if how == 1 else own)
        self._current = job.id

    @pyqtSlot()
    def chooseAll(self) -> None:
        self._rows.select(job.id for job in self._rows.all())

    @pyqtSlot()
    def chooseNone(self) -> None:
        self._rows.select(())

    @pyqtSlot(str, result=bool)
    def can(self, action: str) -> bool:
        """Whether an action of the panel would do something with the selected rows."""
        chosen = self._rows.chosen()
        waiting = any(job.state in PENDING for job in chosen)
        match action:
            case "queue_front" | "queue_up" | "queue_down":
                return waiting
            case "queue_edit":
                return len(chosen) == 1 and waiting and not self._groups.grid_of(chosen[0]) and self._rows.cell(chosen[0], "editable")
            case "queue_hold":
                return any(self._groups.grid_of(job) and job.state in PENDING for job in chosen)
            case "queue_duplicate":
                return any(not self._groups.grid_of(job) for job in chosen)
            case "queue_retry":
                return bool(self._retriable(chosen))
            case "queue_cancel":
                return waiting or any(job.state in ("running", "fetching") for job in chosen)
            case "queue_remove":
                return any(self._rows.cell(job, "removable") for job in chosen)
            case "queue_here":
                return any(self._rows.cell(job, "elsewhere") for job in chosen)
            case _:
                return bool(chosen)

    # -- what is done with them ------------------------------------------------------------------

    @pyqtSlot()
    def front(self) -> None:
        """Put the selected jobs before the others."""
        for job in (waiting := [job for job in self._rows.chosen() if job.state in PENDING]):
            job.is_urgent = True
        if waiting:
            self._move(placed(self._rows.waiting, self._rows.selected, 0))

    @pyqtSlot(int)
    def shift(self, distance: int) -> None:
        """Move the selected jobs up (-1) or down (1)."""
        before = self._groups.together(self._rows.waiting)
        moved = shifted(before, self._rows.selected, distance)
        # A grid is passed as a whole.
        while (after := self._groups.together(moved)) == before and moved != (further := shifted(moved, self._rows.selected, distance)):
            moved = further
        self._move(after)

    @pyqtSlot(int, int)
    def drop(self, row: int, before: int) -> None:
        """Drop a dragged row, with the others if it is one of the selected, before the row `before`."""
        job, goal = self._groups.at(row), self._groups.at(before)
        if job is None or not any(other in self._rows.waiting for other in self._groups.jobs_of(job)):
            return
        first = self._rows.ahead
        at = self._rows.place_of(goal) - first if goal is not None else len(self._rows.waiting)
        chosen = self._rows.selected if job.id in self._rows.selected else {other.id for other in self._groups.jobs_of(job)}
        self._move(placed(self._rows.waiting, chosen, max(0, min(at, len(self._rows.waiting)))))

    def _move(self, waiting: list[Job]) -> None:
        if waiting != self._rows.waiting:
            self._jobs.reorder(waiting)
            current = self._rows.find(self._current)
            self.pickedUp.emit(self._groups.place_of(current) if current else -1)

    @pyqtSlot()
    def duplicate(self) -> None:
        self._jobs.duplicate([job for job in self._rows.chosen() if not self._groups.grid_of(job)])

    def _holds(self) -> bool:
        """Whether the selected grids wait until they are continued."""
        pending = [job for job in self._rows.chosen() if self._groups.grid_of(job) and job.state in PENDING]
        return bool(pending) and all(job.is_held for job in pending)

    @pyqtSlot()
    def hold(self) -> None:
        """Let the selected grids wait while other jobs go on, or continue them; a cell that runs is finished."""
        held = not self._holds()
        for grid in dict.fromkeys(self._groups.grid_of(job) for job in self._rows.chosen()):
            if grid:
                self.hold_grid(grid, held)
                self.held.emit(grid, held)

    def hold_grid(self, grid: str, held: bool) -> None:
        """Let the waiting jobs of a grid wait, or go on."""
        self._jobs.hold([job for job in self._rows.waiting if self._groups.grid_of(job) == grid], held)

    @pyqtSlot()
    def remove(self) -> None:
        """Forget the selected jobs that do not run; their pictures stay."""
        self._jobs.remove([job for job in self._rows.chosen() if job is not self._editing])

    @pyqtSlot()
    def cancelChosen(self) -> None:
        """Cancel the selected jobs, running or waiting."""
        chosen = list(self._rows.chosen())
        self._jobs.cancel_waiting([job for job in chosen if job.state in PENDING and job is not self._editing])
        self._jobs.stop_fetching(chosen)
        if self._jobs.running in chosen:
            self._cancel()

    @pyqtSlot()
    def retry(self) -> None:
        """Queue the selected jobs that failed or were cancelled again."""
        self._jobs.retry(self._retriable(self._rows.chosen()))

    @pyqtSlot()
    def moveHere(self) -> None:
        """Let the selected jobs that wait for another machine run at the one the window works with."""
        self._jobs.move_here([job for job in self._rows.chosen() if job is not self._editing])

    @pyqtSlot()
    def retryAll(self) -> None:
        self._jobs.retry(self._retriable(self._rows.ended)[::-1])

    @pyqtSlot()
    def clearDone(self) -> None:
        """Take the ended jobs off the list; their pictures stay."""
        self._jobs.remove(list(self._rows.ended))

    def _retriable(self, jobs: Iterable[Job]) -> list[Job]:
        return [job for job in jobs if job.state in ("failed", "cancelled")]

    @pyqtSlot()
    def cancelAll(self) -> None:
        """Cancel everything; asks first where more than one job waits."""
        if self._jobs.waiting > 1:
            self.cancelAllAsked.emit(self._jobs.waiting)
        else:
            self.cancelAllNow()

    @pyqtSlot()
    def cancelAllNow(self) -> None:
        self._set_forever(False)
        self._jobs.cancelAll()

    def _cancel(self) -> None:
        self._set_forever(False)
        self._jobs.cancel()

    # -- editing ---------------------------------------------------------------------------------

    @pyqtProperty(str, notify=changed)
    def editing(self) -> str:
        """The beginning of the prompt of the job whose parameters are in the controls, "" where there is none."""
        return (self._rows.cell(self._editing, "prompt") or tr("no prompt")) if self._editing is not None else ""

    @pyqtSlot()
    def edit(self) -> None:
        """Load the parameters of the selected waiting job into the controls; it does not start until that is over."""
        job = next(iter(self._rows.chosen()), None)
        if job is None or not self.can("queue_edit") or self._editing is not None:
            return
        form = self._shell.parameters
        self._before = (form.set_values(), {"text": str(self._prompts.text), "negative": str(self._prompts.negative)})
        self._editing, job.is_held = job, True
        form.apply({name: value for name, value in job.params.items() if name in self._own()}, tr("Edit a waiting job"), reset_others=True)
        self._prompts.text, self._prompts.negative = (str(job.params.get(name, "")) for name in TEXTS)
        self.changed.emit()

    def _own(self) -> set[str]:
        """The parameters that are values of the form: no pictures, which belong to the job."""
        return {name for name, spec in self._shell.parameters.specs.items() if spec.group != "prompt" and spec.widget != "image" and spec.kind != "list"}

    @pyqtSlot()
    def saveEdit(self) -> None:
        """Give the job what the controls show; the controls get back what they had."""
        job = self._editing
        if job is None:
            return
        own, shown = self._own(), self._shell.parameters.request()
        # What the form does not show because the job's pictures are not in it stays as the job has it.
        hidden = {name: value for name, value in job.params.items() if name not in own or (name not in shown and not self._is_unset(name))}
        params = {**hidden, **{name: value for name, value in shown.items() if name in own}}
        params |= {"prompt": str(self._prompts.text), "negative": str(self._prompts.negative)}
        if params.get("seed") == -1:
            params["seed"] = secrets.randbelow(SEED_DRAWS)
        self._jobs.edit(job, params)
        self.leaveEdit()

    def _is_unset(self, name: str) -> bool:
        return self._shell.parameters.value(name) is None

    @pyqtSlot()
    def leaveEdit(self) -> None:
        """Leave the job as it is; the controls get back what they had."""
        if self._editing is not None:
            self.end_edit()
            self._jobs.advance()
            self.changed.emit()

    def end_edit(self) -> None:
        """Give the controls back what they had; a session that is kept now is the person's own."""
        job, self._editing = self._editing, None
        if job is None or self._before is None:
            return
        job.is_held = False
        values, texts = self._before
        self._shell.parameters.apply(values, tr("Leave the waiting job"), reset_others=True)
        self._prompts.text, self._prompts.negative = texts["text"], texts["negative"]

    # -- for ever, and the end -------------------------------------------------------------------

    @pyqtProperty(bool, notify=changed)
    def forever(self) -> bool:
        return self._forever

    @pyqtSlot()
    def toggleForever(self) -> None:
        """Generate again and again with what the controls hold at each start, until switched off."""
        self._set_forever(not self._forever)
        if self._forever and not self._waits():
            self._generate_again()

    def _set_forever(self, on: bool) -> None:
        self._forever, self._failures = on, 0
        self.changed.emit()

    def stop_forever(self) -> None:
        """Nothing can be generated now."""
        self._set_forever(False)

    def _generate_again(self) -> None:
        if self._shell.parameters.property("obstacle"):
            self._set_forever(False)
        self._shell.handlers["generate"]()

    def _waits(self) -> bool:
        return (self._jobs.running is not None and self._jobs.running.lasting) or any(job.lasting for job in self._rows.waiting)

    def _ended(self, job: Job, event: JobEvent) -> None:
        if not job.lasting:
            return
        self._done += isinstance(event, Finished)
        self._failures = self._failures + 1 if isinstance(event, Failed) else 0
        if self._forever and self._failures >= FAILURES_ALLOWED:
            self._set_forever(False)
            self._shell.notices.show(tr("Generating for ever was stopped, because two jobs in a row failed."), kind="note")
        if self._waits():
            return
        if self._forever and not self._jobs.property("paused"):
            self._generate_again()
        elif not self._forever and self._done:
            self._farewell.run(self._done)
            self._done = 0

    def _died(self, job: Job, event: Failed, again: bool) -> None:
        del job
        if again:
            self._shell.notices.show(tr("{sentence} The job runs once more.", sentence=event.message.replace(RUN_AGAIN, ".")), event.detail)

    def close(self) -> None:
        self._glimpses.close()
