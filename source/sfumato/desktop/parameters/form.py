"""The form: one row per parameter of the job kind, drawn from its ParamSpec rows alone.

Holds what the user set and nothing else: an unset value is its default, or follows what it follows (the model's own size, another parameter). The request
is made from the same values the rows show, so the two cannot differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, pyqtProperty, pyqtSignal, pyqtSlot
from PyQt5.QtGui import QGuiApplication

from sfumato.desktop.images import address
from sfumato.desktop.inputs import OWNED
from sfumato.desktop.language import inside, told, tr
from sfumato.desktop.numbers import NotANumber, OutOfRange, snap_step
from sfumato.desktop.parameters.roles import ROLE, ROLES
from sfumato.desktop.parameters.section import Section
from sfumato.desktop.parameters.step import UNSET, FormStep
from sfumato.desktop.parameters.values import PICTURE, Choice, choice, fits, missing, read, words, written
from sfumato.protocol.params import GROUPS
from sfumato.protocol.specs import ParamSpec, acts, range_sentence

PROMPTS = "prompt"
PINNED = "pinned"
MORE = "more"
OPERATION = "operation"
# Parameters that have a better place in the window than a row: the prompt boxes, the chips of styles, the strip of inputs.
ELSEWHERE = frozenset({"prompt", "negative", "styles"}) | OWNED
# Models of later passes, for which a parameter may be meant.
LATER_MODELS = ("refiner", "hr_model")
# The seconds within which a control goes on with the same step of undo.
ONE_STEP_S = 1.0
MODEL = "model"


class ParameterForm(QAbstractListModel):
    """Rows in the order they are shown: by section, everyday ones first."""

    changed = pyqtSignal()  # any value, any choice list
    edited = pyqtSignal()  # a value the user may want back after a restart
    stepped = pyqtSignal(str, object, object, str)  # words, undo, redo, key: something that can be undone was done

    def __init__(self, specs: Iterable[ParamSpec], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[str, ParamSpec] = {}
        self._specs: list[ParamSpec] = []
        self._set: dict[str, Any] = {}
        self._given: dict[str, Any] = {}
        self._problems: dict[str, str] = {}
        self._choices: dict[str, list[Choice]] = {}
        self.last_step = FormStep("")
        # Whether the last change was the choice of a model and of nothing else: remembered.py then brings what belongs to it.
        self.chose_model = False
        self._advanced = False
        # What changes together with a value that a person sets: aspect.py keeps the shape of the picture.
        self.companion: Callable[[str, Any], Mapping[str, Any]] = lambda name, value: {}
        self._pinned: frozenset[str] = frozenset()
        self._hidden: frozenset[str] = frozenset()
        self.describe(specs, {})
        self._sections = [Section(self, group) for group in (PINNED, *GROUPS, MORE) if group != PROMPTS]

    def describe(self, specs: Iterable[ParamSpec], choices: Mapping[str, list[Choice]]) -> None:
        """Take the rows and choice lists an engine offers; values that were set stay, even those the lists lack."""
        order = {name: index for index, name in enumerate(GROUPS)}
        offered = {spec.name: spec for spec in specs}
        self._choices = {name: list(rows) for name, rows in choices.items()} or self._choices
        if offered == self._all:
            # The controls stay as they are, with the focus and what is being typed.
            self._touch()
            return
        self.beginResetModel()
        self._all = offered
        rows = [spec for spec in offered.values() if spec.name not in ELSEWHERE]
        self._specs = sorted(rows, key=lambda spec: (order.get(spec.group, len(order)), spec.advanced))
        self.endResetModel()
        self.changed.emit()

    # -- values ----------------------------------------------------------------------------------

    @property
    def specs(self) -> Mapping[str, ParamSpec]:
        """Every parameter of the job kind by its name, also those that have no row here."""
        return self._all

    def value(self, name: str) -> Any:
        """What the control shows and the request carries; None where the engine decides."""
        if name in self._set:
            return self._set[name]
        spec = self._all[name]
        if name == "model" and not spec.default:
            # One after the other: asked often, and there may be tens of thousands.
            return next((row["value"] for row in map(choice, self._choices.get(spec.choices_from, [])) if row["enabled"]), "")
        return spec.default

    def model_path(self) -> str:
        """The file of the chosen model, "" where the engine has not named it."""
        return str(self._chosen("model").get("path") or "")

    def side(self, name: str) -> int:
        """Width or height in pixels, the model's own where none is set; 0 where that is not known."""
        value = self.value(name)
        return int(value if value is not None else self._followed(self._all[name]) or 0)

    def set_values(self) -> dict[str, Any]:
        """Only what differs from the defaults, for the session; not how this machine works."""
        return {name: value for name, value in self._set.items() if self._all[name].group != OPERATION}

    def operation_values(self) -> dict[str, Any]:
        """What of the section of how this machine works differs from the defaults: a setting of the installation, which no preset or import changes."""
        return {name: value for name, value in self._set.items() if self._all[name].group == OPERATION}

    def give(self, values: Mapping[str, Any]) -> None:
        """Tell what other parts of the window will put into the request (a picture, a mask): rows that need it act and are shown."""
        if dict(values) != self._given:
            self._given = dict(values)
            self._touch()

    def restore(self, values: Mapping[str, Any]) -> list[str]:
        """Take values of an earlier session; the names of those that no longer fit."""
        refused = self._take(values)
        self._touch()
        return refused

    def apply(self, values: Mapping[str, Any], sentence: str, *, reset_others: bool = False, joins: FormStep | None = None) -> list[str]:
        """Set many values as one step of undo called `sentence`; the names of those that do not fit, which stay as they were.

        Args:
            reset_others: everything not in `values` gets its default first. How this machine works stays in any case (D53).
            joins: an earlier step that this one is a part of, if nothing was changed since.
        """
        self.chose_model = set(values) == {MODEL} and not reset_others
        before = dict(self._set)
        if reset_others:
            self._set = self.operation_values()
        refused = self._take({name: value for name, value in values.items() if name not in self._all or self._all[name].group != OPERATION})
        self._done(sentence, before, joins=joins)
        return refused

    def _take(self, values: Mapping[str, Any]) -> list[str]:
        refused = []
        for name, value in values.items():
            spec = self._all.get(name)
            if spec is None or name in OWNED or not fits(spec, value):
                refused.append(name)
            else:
                self._store(spec, tuple(value) if spec.kind == "list" else value)
        return refused

    def pictures(self) -> dict[str, str]:
        """Parameter -> file of each picture that is chosen in a row."""
        return {name: str(value) for name, value in self._set.items() if self._all[name].widget == PICTURE and self._acts(self._all[name])}

    def request(self) -> dict[str, Any]:
        """The parameters of the job, exactly as shown; what is hidden because it cannot act is left out."""
        values = {name: self.value(name) for name, spec in self._all.items() if name not in ELSEWHERE and self._acts(spec)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value is not None}

    def _store(self, spec: ParamSpec, value: Any) -> None:
        if value == spec.default or (value is None and spec.optional):
            self._set.pop(spec.name, None)
        else:
            self._set[spec.name] = value
        self._problems.pop(spec.name, None)

    def _done(self, sentence: str, before: dict[str, Any], key: str = "", joins: FormStep | None = None) -> None:
        """Tell of a change that was made, so that it can be taken back."""
        if self._set != before:
            last, now = self.last_step, time.monotonic()
            # A slider that is dragged, or a number corrected at once, is one step; a second visit is another.
            goes_on = bool(key) and key == last.key and now - last.when < ONE_STEP_S
            step = self.last_step = last if goes_on or joins is last else FormStep(sentence, key)
            step.when = now
            step.grow(before, self._set)
            self.stepped.emit(step.words, partial(self._put, step.before), partial(self._put, step.after), step.name)
        self._touch()
        self.edited.emit()

    def _put(self, values: Mapping[str, Any]) -> None:
        """Give these values, and no others, what they had: others may have changed since by a step of another page."""
        self.chose_model, self.last_step = False, FormStep("")
        for name, value in values.items():
            if value is UNSET:
                self._set.pop(name, None)
            else:
                self._set[name] = value
        self._problems.clear()
        self._touch()
        self.edited.emit()

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot(str, str, result=bool)
    def commit(self, name: str, text: str) -> bool:
        """Take what was typed or chosen; empty restores the default. False, and the row says why, when it cannot be taken."""
        spec = self._all[name]
        before = dict(self._set)
        try:
            value = read(spec, text)
            if spec.kind == "list" and not fits(spec, value):
                raise OutOfRange(told(range_sentence(spec)))
        except (NotANumber, OutOfRange) as error:
            self._problems[name] = str(error)
            self._touch()
            return False
        self._store(spec, value)
        self._take(self.companion(name, value))
        self.chose_model = name == MODEL
        self._done(tr("Change {parameter}", parameter=tr(spec.title)), before, f"parameter:{name}")
        return True

    @pyqtSlot(str)
    def reset(self, name: str) -> None:
        self._reset(lambda spec: spec.name == name, tr("Reset {parameter}", parameter=tr(self._all[name].title)))

    def reset_group(self, group: str) -> None:
        """Give every shown parameter of a section its default."""
        shown = {self._specs[row].name for row in range(len(self._specs)) if self.is_shown(row, group)}
        self._reset(lambda spec: spec.name in shown, tr("Reset {section}", section=tr(GROUPS.get(group, group))))

    @pyqtSlot()
    def resetAll(self) -> None:
        """Give every parameter its default, but those of how this machine works."""
        self._reset(lambda spec: spec.group != OPERATION, tr("Reset all parameters"))

    def _reset(self, chosen: Callable[[ParamSpec], bool], sentence: str) -> None:
        before = dict(self._set)
        for spec in self._specs:
            if chosen(spec):
                self._set.pop(spec.name, None)
                self._problems.pop(spec.name, None)
        self._done(sentence, before)

    @pyqtSlot(str)
    def copy(self, name: str) -> None:
        """Put a value on the clipboard, as it is written in a picture's text."""
        QGuiApplication.clipboard().setText(written(self._all[name], self.value(name)))

    @pyqtSlot(str, result=str)
    def textOf(self, name: str) -> str:
        return str(self.value(name) or "")

    def mark(self, problems: Mapping[str, str]) -> None:
        """Show what the engine refused beside the controls it named."""
        self._problems.update({name: told(sentence) for name, sentence in problems.items() if name in self._all})
        self._touch()

    def _get_advanced(self) -> bool:
        return self._advanced

    def _set_advanced(self, shown: bool) -> None:
        if shown != self._advanced:
            self._advanced = shown
            self._touch()

    # Whether seldom needed parameters have rows; those that are set have theirs in any case.
    advanced = pyqtProperty(bool, _get_advanced, _set_advanced, notify=changed)

    @pyqtProperty(str, notify=changed)
    def obstacle(self) -> str:
        """Why nothing can be generated now, or ""."""
        if self._choices.get("models") is None:
            return ""
        rows = self.choices_of(self._all["model"])
        current = next((row for row in rows if row["value"] == self.value("model")), None)
        if current is None:
            return tr("There is no model yet. Put a .safetensors checkpoint into the folder models/checkpoints, then choose File, Reload engine.")
        if not current["enabled"]:
            return tr("The model '{name}' cannot be used: {reason}", name=current["label"], reason=current["reason"])
        return ""

    @pyqtProperty("QVariantMap", notify=changed)
    def preset(self) -> dict[str, str]:
        """What the chosen model is and wants, where nobody has set it already; empty for an ordinary model, or where nothing is left to fill."""
        wanted = self._wanted_by_model()
        if not wanted:
            return {}
        told = [f"{inside(tr(self._all[name].title))} {written(self._all[name], value)}" for name, value in wanted.items()]
        return {"title": str(self._chosen("model")["preset"]["title"]), "words": ", ".join(told)}

    @pyqtSlot()
    def takePreset(self) -> None:
        """Fill what the chosen model wants and nobody has set."""
        self.apply(self._wanted_by_model(), tr("Take the model's settings"))

    def _wanted_by_model(self) -> dict[str, Any]:
        preset = self._chosen("model").get("preset") or {}
        fields = {name: value for name, value in dict(preset.get("fields", {})).items() if name in self._all and name not in self._set}
        return {name: value for name, value in fields.items() if value != self.value(name) and value != self._followed(self._all[name])}

    @pyqtProperty("QVariantList", constant=True)
    def sections(self) -> list[Section]:
        """One section for each group, in order; those without a row that is shown are empty."""
        return self._sections

    def in_force(self) -> list[tuple[ParamSpec, bool]]:
        """Every parameter with a row that acts now, and whether it has a value of the user's."""
        return [(spec, spec.name in self._set) for spec in self._specs if self._acts(spec)]

    def is_shown(self, row: int, group: str) -> bool:
        """Whether a row stands in a section now: it acts, and it is an everyday one, or set, or pinned, or the seldom needed ones are shown."""
        spec = self._specs[row]
        pinned = spec.name in self._pinned
        home = PINNED if pinned else spec.group if spec.group in GROUPS else MORE
        wanted = self._advanced or pinned or not spec.advanced or spec.name in self._set
        # A row that is hidden comes forward when something is wrong with it.
        return home == group and wanted and self._acts(spec) and (spec.name not in self._hidden or spec.name in self._problems)

    @property
    def arranged(self) -> tuple[frozenset[str], frozenset[str]]:
        """The parameters whose rows are pinned to the top, and those whose rows are hidden."""
        return self._pinned, self._hidden

    def arrange(self, pinned: frozenset[str], hidden: frozenset[str]) -> None:
        """Pin and hide rows."""
        self._pinned, self._hidden = pinned, hidden
        self._touch()

    # -- the model QML reads ---------------------------------------------------------------------

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for name, role in ROLE.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._specs)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        number = role - ROLE["name"]
        if not index.isValid() or not 0 <= number < len(ROLES):
            return None
        return self.cell(self._specs[index.row()].name, ROLES[number])

    def cell(self, name: str, role: str) -> Any:
        """One value of one row, by its role's name."""
        spec = self._all[name]
        value, follows = self.value(name), self._followed(spec)
        numeric = spec.kind in ("int", "float")
        match role:
            case "name" | "unit" | "group" | "step":
                return getattr(spec, role)
            case "title" | "description":
                return tr(getattr(spec, role))
            case "control":
                return spec.widget or {"int": "number", "float": "number", "list": "lines" if spec.item == "text" else "text"}.get(spec.kind, spec.kind)
            case "text":
                return written(spec, value if value is not None and not self._follows(spec, value) else follows)
            case "value":
                shown = follows if value is None or self._follows(spec, value) else value
                return float(shown or spec.slider_minimum or 0) if numeric else 0.0
            case "isSet":
                return name in self._set
            case "minimum":
                return spec.slider_minimum if spec.slider_minimum is not None else 0.0
            case "maximum":
                return self._slider_end(spec, value)
            case "snap":
                return snap_step(spec)
            case "choices":
                return self.choices_of(spec) if spec.kind == "choice" else []
            case "problem":
                return self._problems.get(name, "")
            case "placeholder":
                return tr(spec.unset)
            case "source":
                return address(Path(str(value))) if spec.widget == PICTURE and value and Path(str(value)).is_file() else ""
            case _:
                return None

    def _slider_end(self, spec: ParamSpec, value: Any) -> float:
        """The slider grows by doubling when a typed value is beyond its end."""
        end = spec.slider_maximum if spec.slider_maximum is not None else 1.0
        if isinstance(value, int | float) and spec.maximum is not None:
            while end < value and end < spec.maximum:
                end = min(end * 2, spec.maximum)
        return end

    def choices_of(self, spec: ParamSpec) -> list[Choice]:
        """The rows of a drop-down; a value that is set and not among them stays, marked."""
        rows = self._choices.get(spec.choices_from, []) if spec.choices_from else [{"value": value, "label": words(value)} for value in spec.choices]
        found = [choice(row) for row in rows]
        if spec.choices_from and spec.name != "model" and all(row["value"] != spec.default for row in found):
            label = f"= {self._label(spec.follows)}" if spec.follows else tr(spec.unset) or words(str(spec.default))
            found.insert(0, choice({"value": spec.default, "label": label}))
        chosen = self._set.get(spec.name)
        if chosen and all(row["value"] != chosen for row in found) and (rows or spec.name == "model"):
            found.append(missing(str(chosen)))
        elif not found and spec.default:
            found.append(choice({"value": self.value(spec.name), "label": words(self.value(spec.name))}))
        return found

    def _label(self, name: str) -> str:
        """A choice as the drop-down of its own row says it."""
        return str(self._chosen(name).get("label") or words(str(self.value(name))))

    def _chosen(self, name: str) -> Choice:
        if name not in self._all:
            return {}
        value = self.value(name)
        return next((row for row in self._choices.get(self._all[name].choices_from, []) if row.get("value") == value), {})

    def _follows(self, spec: ParamSpec, value: Any) -> bool:
        """Whether a value means "the same as another parameter"; choices show that themselves."""
        return bool(spec.follows) and spec.kind != "choice" and value == spec.default

    def _followed(self, spec: ParamSpec) -> Any:
        """What an unset value will be, where that is known: another parameter's, or the chosen model's own size; 0 there is a model nobody looked at yet."""
        if spec.follows:
            return self.value(spec.follows)
        return (self._chosen("model").get(spec.name) or None) if spec.optional else None

    def _acts(self, spec: ParamSpec) -> bool:
        """False for a parameter that needs what is not given, that the chosen model does not use, or that only other samplers and schedules use."""
        if not acts(self._all, spec.name, self._set | self._given) or self._is_idle(spec.name):
            return False
        for rows, used in (("samplers", self._chosen("sampler")), ("schedules", self._chosen_schedule())):
            owned = {name for row in self._choices.get(rows, []) for name in row.get("parameters", ())}
            if used and spec.name in owned and spec.name not in used.get("parameters", ()):
                return False
        return True

    def _is_idle(self, name: str) -> bool:
        """Whether none of the models of the job uses a parameter."""
        chosen = [self._chosen("model"), *(self._chosen(later) for later in LATER_MODELS if self._set.get(later))]
        return all(name in row.get("idle", ()) for row in chosen)

    def _chosen_schedule(self) -> Choice:
        """The schedule in force: automatic is the sampler's own."""
        chosen = self._chosen("schedule")
        resolved = self._chosen("sampler").get("default_schedule", "") if chosen.get("value") == "automatic" else ""
        return next((row for row in self._choices.get("schedules", []) if row.get("value") == resolved), {}) if resolved else chosen

    def _touch(self) -> None:
        if self._specs:
            self.dataChanged.emit(self.index(0), self.index(len(self._specs) - 1))
        self.changed.emit()
