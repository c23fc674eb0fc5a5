"""`studio.grid`: the three axes as they are set, what they resolve to while typing, and the start."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from PyQt5.QtCore import QObject, QTimer, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.drafts import KIND
from sfumato.desktop.grid.cells import GridCells
from sfumato.desktop.grid.runs import GridRuns
from sfumato.desktop.language import told, tr
from sfumato.desktop.queue.job import duration
from sfumato.desktop.shell import Condition, Shell
from sfumato.jobs.grid_axes import NETWORK, NONE, REPLACE, STYLE, Axis, AxisKind, Choice, Resolved, Setting, can_be_axis, kinds_of, resolve
from sfumato.jobs.grid_plan import ASKED_ABOVE, NAMES, Plan
from sfumato.jobs.grid_sheets import corners
from sfumato.jobs.grid_store import GridRecord
from sfumato.jobs.grid_values import is_range, pieces_of, quoted
from sfumato.jobs.queue_rest import expected_pictures
from sfumato.protocol.params.ui import GROUPS
from sfumato.protocol.specs import ParamSpec

CHIPS_SHOWN = 24
# So many cells are looked at for an estimate; the others are taken to be like them.
ESTIMATED = 200
LONGEST_TEXT = 100_000
PAUSE_MS = 120
SAVE_CELLS = "grid_save_cells"


class Prompts(Protocol):
    """What is asked of the prompts; the notifier of changes is `changed`."""

    text: str
    negative: str
    changed: Any
    styles: Any


class Grid(QObject):
    """Axes kept in the session, each change a step of undo."""

    changed = pyqtSignal()
    resolved = pyqtSignal()
    opened = pyqtSignal()
    started = pyqtSignal()

    def __init__(self, shell: Shell, prompts: Any, runs: GridRuns, cells: GridCells, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shell, self._prompts, self._runs, self._cells = shell, prompts, runs, cells
        self._axes = _axes_from(shell.session.restored("grid", list, []))
        self._shown = False
        self._plan: Plan | None = None
        self._asks = False
        self._kinds: list[AxisKind] = []
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._look)
        shell.session.keep("grid", lambda: [[axis.kind, axis.text, axis.is_regex] for axis in self._axes])
        shell.parameters.changed.connect(self._stale)
        prompts.changed.connect(self._stale)
        runs.changed.connect(self.resolved)
        shell.register({"grid": self.open, "grid_start": self.start})
        shell.describe({"grid": Condition(can=lambda: not shell.parameters.property("obstacle"))})

    # -- the panel -------------------------------------------------------------------------------

    @pyqtSlot()
    def open(self) -> None:
        """Show the panel."""
        self._shown = True
        self._look()
        self.opened.emit()

    @pyqtSlot()
    def closed(self) -> None:
        """The panel went away; nothing is resolved until it comes back."""
        self._shown = self._asks = False

    @pyqtProperty(QObject, constant=True)
    def runs(self) -> GridRuns:
        return self._runs

    @pyqtProperty(QObject, constant=True)
    def cells(self) -> GridCells:
        return self._cells

    @pyqtSlot(str, result=bool)
    def canBeAxis(self, name: str) -> bool:
        """Whether a parameter of the form can be an axis."""
        spec = self._shell.parameters.specs.get(name)
        return spec is not None and can_be_axis(spec)

    @pyqtSlot(str)
    def useAsAxis(self, name: str) -> None:
        """Open the panel with a parameter on the first free axis, unless it is on one."""
        if self.canBeAxis(name) and all(axis.kind != name for axis in self._axes):
            free = next((number for number, axis in enumerate(self._axes) if axis.kind == NONE), 0)
            value = self._shell.parameters.value(name)
            spec = self._shell.parameters.specs[name]
            self._set(free, Axis(name, "" if value is None else self._typed(spec, value)), tr("Use {parameter} as an axis", parameter=tr(spec.title)))
        self.open()

    def _typed(self, spec: ParamSpec, value: Any) -> str:
        if spec.kind == "choice":
            return quoted(next((choice.label for choice in self._choices(spec) if choice.value == value), str(value)))
        return ("yes" if value else "no") if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)

    # -- changes ---------------------------------------------------------------------------------

    @pyqtSlot(int, str)
    def setKind(self, number: int, kind: str) -> None:
        """Choose what an axis changes; values typed for something else are gone, but Undo brings them back."""
        if kind != self._axes[number].kind:
            self._set(number, Axis(kind), tr("Change an axis of the grid"))

    @pyqtSlot(int, str)
    def setText(self, number: int, text: str) -> None:
        """Take what was typed as values."""
        axis = self._axes[number]
        if text != axis.text:
            self._set(number, Axis(axis.kind, text[:LONGEST_TEXT], axis.is_regex), tr("Change the values of an axis"), f"grid {number} text")

    @pyqtSlot(int, bool)
    def setRegex(self, number: int, is_regex: bool) -> None:
        """Search a pattern or plain text."""
        axis = self._axes[number]
        if is_regex != axis.is_regex:
            self._set(number, Axis(axis.kind, axis.text, is_regex), tr("Change an axis of the grid"))

    @pyqtSlot(int, int)
    def swap(self, one: int, other: int) -> None:
        """Let two axes change places."""
        axes = list(self._axes)
        axes[one], axes[other] = axes[other], axes[one]
        self._take(tuple(axes), tr("Swap axes of the grid"))

    @pyqtSlot(int, str)
    def addValue(self, number: int, value: str) -> None:
        """Put a value behind the others."""
        axis = self._axes[number]
        label = next((choice.label for choice in self._choices_of(axis.kind) if choice.value == value), value)
        joined = ", ".join(part for part in (axis.text.rstrip().rstrip(","), quoted(label)) if part)
        self._set(number, Axis(axis.kind, joined, axis.is_regex), tr("Change the values of an axis"))

    @pyqtSlot(int)
    def addAll(self, number: int) -> None:
        """Take every value that can be used."""
        axis = self._axes[number]
        text = ", ".join(quoted(choice.label) for choice in self._choices_of(axis.kind) if not choice.reason)
        self._set(number, Axis(axis.kind, text, axis.is_regex), tr("Change the values of an axis"))

    def _set(self, number: int, axis: Axis, words: str, key: str = "") -> None:
        self._take((*self._axes[:number], axis, *self._axes[number + 1 :]), words, key)

    def _take(self, axes: tuple[Axis, ...], words: str, key: str = "") -> None:
        before = self._axes
        if axes != before:
            self._put(axes)
            self._shell.edits.push(words, partial(self._put, before), partial(self._put, axes), key=key)

    def _put(self, axes: tuple[Axis, ...]) -> None:
        self._axes = axes
        self._shell.session.touch()
        self._look()

    # -- resolving -------------------------------------------------------------------------------

    def _stale(self) -> None:
        if self._shown:
            self._pause.start()

    def _look(self) -> None:
        """Read the axes anew."""
        setting = self._setting(self._params())
        self._kinds = kinds_of(setting)
        before, self._plan = self._plan, self._planned(setting)
        self._asks = self._asks and self._plan == before
        self.changed.emit()
        self.resolved.emit()

    def _params(self) -> dict[str, Any]:
        """The job as it would be sent, without the seed drawn and the pictures read."""
        prompts = {"prompt": str(self._prompts.text), "negative": str(self._prompts.negative), "styles": list(self._prompts.styles.names)}
        return self._shell.parameters.request() | prompts

    def _setting(self, params: Mapping[str, Any]) -> Setting:
        specs = self._shell.parameters.specs
        wanted = {axis.kind for axis in self._axes}
        choices = {name: self._choices(spec) for name, spec in specs.items() if spec.kind == "choice" and name in wanted}
        return Setting(specs, choices, params, [row["name"] for row in self._prompts.styles.rows])

    def _choices(self, spec: ParamSpec) -> list[Choice]:
        rows = self._shell.parameters.choices_of(spec)
        return [Choice(str(row["value"]), str(row["label"]), "" if row["enabled"] else str(row["reason"])) for row in rows]

    def _choices_of(self, kind: str) -> list[Choice]:
        if kind == STYLE:
            return [Choice(row["name"], row["name"]) for row in self._prompts.styles.rows]
        spec = self._shell.parameters.specs.get(kind)
        if spec is None or spec.kind not in ("choice", "bool"):
            return []
        return self._choices(spec) if spec.kind == "choice" else [Choice("yes", "yes"), Choice("no", "no")]

    def _planned(self, setting: Setting) -> Plan:
        x, y, z = (resolve(axis, setting) for axis in self._axes)
        return Plan((x, y, z))

    @property
    def plan(self) -> Plan:
        if self._plan is None:
            self._look()
        assert self._plan is not None
        return self._plan

    # -- what QML reads --------------------------------------------------------------------------

    @pyqtProperty("QVariantList", notify=changed)
    def kinds(self) -> list[dict[str, Any]]:
        """What can be an axis, as rows of a drop-down."""
        return [_kind_row(kind) for kind in self._kinds]

    @pyqtProperty("QVariantList", notify=resolved)
    def axes(self) -> list[dict[str, Any]]:
        """The three axes and what their values are."""
        return [self._row(number, axis) for number, axis in enumerate(self.plan.axes)]

    def _row(self, number: int, axis: Resolved) -> dict[str, Any]:
        kind = next((kind for kind in self._kinds if kind.id == axis.axis.kind), None)
        chips = [value.label for value in axis.values[:CHIPS_SHOWN]]
        choices = [{"value": c.value, "label": c.label, "note": "", "enabled": not c.reason, "reason": c.reason} for c in self._choices_of(axis.axis.kind)]
        ranges = [[piece.start, piece.end] for piece in pieces_of(axis.axis.text) if is_range(piece)] if kind is not None and _is_numeric(kind) else []
        problems = [told(sentence) for sentence in axis.problems] if axis.axis.text.strip() else []
        return {
            "name": NAMES[number], "kind": axis.axis.kind, "text": axis.axis.text, "regex": axis.axis.is_regex, "used": axis.axis.kind != NONE,
            "hint": tr(kind.hint) if kind else "", "chips": chips, "more": len(axis.values) - len(chips), "choices": choices,
            "replaces": axis.axis.kind == REPLACE, "problems": problems, "ranges": ranges,
        }  # fmt: skip

    @pyqtProperty(str, notify=resolved)
    def summary(self) -> str:
        """How many pictures, how long, how large."""
        plan = self.plan
        if self.problem:
            return ""
        params = self._params()
        each = expected_pictures(params)
        parts = [tr("{count} pictures", count=plan.count * each) if plan.count * each != 1 else tr("1 picture")]
        if seconds := self._seconds(plan, params):
            parts.append(tr("about {time}", time=duration(seconds)))
        sizes = self._runs.sizes(GridRecord("", plan, params, each))
        size = f"{max(width for width, _ in sizes)} × {max(height for _, height in sizes)} px"
        parts.append(tr("{count} sheets of up to {size}", count=len(sizes), size=size) if len(sizes) > 1 else tr("sheet of {size}", size=size))
        return "  ·  ".join(parts)

    def _seconds(self, plan: Plan, params: Mapping[str, Any]) -> float | None:
        cells = plan.cells()
        some = cells[: max(1, ESTIMATED)] if plan.count <= ESTIMATED else corners(plan)[:ESTIMATED]
        taken = self._shell.jobs.rows.seconds_for(KIND, [plan.params(cell, params) for cell in some])
        return None if taken is None else taken * plan.count / len(some)

    @pyqtProperty(str, notify=resolved)
    def problem(self) -> str:
        """The first reason why there can be no grid now, "" for none."""
        found = self.plan.problems
        return told(found[0]) if found else ""

    @pyqtProperty(bool, notify=resolved)
    def saveCells(self) -> bool:
        return bool(self._shell.settings[SAVE_CELLS])

    @pyqtSlot(bool)
    def setSaveCells(self, on: bool) -> None:
        """Save the picture of every cell as well."""
        self._shell.set(SAVE_CELLS, on)
        self.resolved.emit()

    # -- the start -------------------------------------------------------------------------------

    @pyqtSlot()
    def start(self) -> None:
        """Make the grid; above `ASKED_ABOVE` cells only the second time, so that nobody does so by mistake."""
        self._look()
        if self.problem:
            return
        if self.plan.count > ASKED_ABOVE and not self._asks:
            self._asks = True
            self.resolved.emit()
            return
        self._asks = False
        self._start_now()

    @pyqtProperty(bool, notify=resolved)
    def asks(self) -> bool:
        """Whether there are more cells than a person may have meant, and the start waits for a second word."""
        return self._asks

    def _start_now(self) -> None:
        """Freeze the job and queue a cell for each combination."""
        draft = self._shell.drafting.draft()
        if draft.obstacle:
            self._shell.notices.show(draft.obstacle, action="obstacle")
            return
        plan = self._planned(self._setting(draft.params))
        if plan.problems:
            self.resolved.emit()
            return
        self._runs.start(plan, draft)
        self.started.emit()


def _kind_row(kind: AxisKind) -> dict[str, Any]:
    title = kind.title if kind.id.startswith(NETWORK) else tr(kind.title)
    return {"value": kind.id, "label": title, "note": tr(GROUPS.get(kind.group, "")) if kind.spec else "", "enabled": True, "reason": ""}


def _is_numeric(kind: AxisKind) -> bool:
    return kind.id.startswith(NETWORK) or (kind.spec is not None and kind.spec.kind in ("int", "float"))


def _axes_from(rows: list[Any]) -> tuple[Axis, ...]:
    """Axes of the last session, as far as they can be read."""
    found: list[Axis] = []
    for row in rows[:3]:
        fits = isinstance(row, list) and len(row) == 3 and isinstance(row[0], str) and isinstance(row[1], str)
        found.append(Axis(row[0], row[1][:LONGEST_TEXT], row[2] is True) if fits else Axis())
    return (*found, *(Axis() for _ in range(3 - len(found))))
