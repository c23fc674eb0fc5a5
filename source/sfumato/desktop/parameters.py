"""The form: one row per parameter of the job kind, drawn from its ParamSpec rows alone.

Holds what the user set and nothing else: an unset value is its default, or follows what it follows (the model's own size). The request is made from
the same values the rows show, so the two cannot differ.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, QSortFilterProxyModel, Qt, QUrl, pyqtProperty, pyqtSignal, pyqtSlot

from sfumato.desktop.images import address
from sfumato.desktop.numbers import NotANumber, OutOfRange, parse, shown, snap_step
from sfumato.protocol.params import GROUPS
from sfumato.protocol.specs import ParamSpec, acts

PROMPTS = "prompt"
PICTURE = "image"
Choice = dict[str, Any]

ROLES = (
    "name", "title", "description", "control", "text", "value", "isSet", "minimum", "maximum", "step", "snap", "unit", "choices",
    "group", "opensGroup", "problem", "placeholder", "source",
)  # fmt: skip
_SET_ROLE = Qt.ItemDataRole.UserRole + 1 + ROLES.index("isSet")


class Section(QSortFilterProxyModel):
    """The rows of the form that act now: the everyday ones (`group` empty), or the advanced ones of a group."""

    counted = pyqtSignal()

    def __init__(self, form: ParameterForm, group: str = "") -> None:
        super().__init__(form)
        self._form = form
        self._group = group
        self.setSourceModel(form)
        form.changed.connect(self.counted)

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        return self._form.is_shown(row, self._group)

    @pyqtProperty(str, constant=True)
    def name(self) -> str:
        return self._group

    @pyqtProperty(str, constant=True)
    def title(self) -> str:
        return GROUPS.get(self._group, "")

    @pyqtProperty(int, notify=counted)
    def count(self) -> int:
        """Rows that act."""
        return self.rowCount()

    @pyqtProperty(int, notify=counted)
    def changes(self) -> int:
        """Rows in force with a value of the user's."""
        return sum(bool(self.index(row, 0).data(_SET_ROLE)) for row in range(self.rowCount()))

    @pyqtSlot()
    def reset(self) -> None:
        """Give every advanced row of the group its default."""
        self._form.reset_group(self._group)


class ParameterForm(QAbstractListModel):
    """Rows in the order they are shown: groups first, advanced ones last. Prompts are texts beside the rows."""

    changed = pyqtSignal()  # any value, any choice list
    edited = pyqtSignal()  # a value the user may want back after a restart

    def __init__(self, specs: Iterable[ParamSpec], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[str, ParamSpec] = {}
        self._specs: list[ParamSpec] = []
        self._set: dict[str, Any] = {}
        self._problems: dict[str, str] = {}
        self._choices: dict[str, list[Choice]] = {}
        self._roles = {Qt.ItemDataRole.UserRole + 1 + index: name for index, name in enumerate(ROLES)}
        self.describe(specs, {})
        self._everyday = Section(self)
        self._groups = [Section(self, group) for group in GROUPS if group != PROMPTS]

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
        rows = [spec for spec in offered.values() if spec.group != PROMPTS]
        self._specs = sorted(rows, key=lambda spec: (spec.advanced, order.get(spec.group, len(order))))
        self.endResetModel()
        self.changed.emit()

    # -- values ----------------------------------------------------------------------------------

    def value(self, name: str) -> Any:
        """What the control shows and the request carries; None where the engine decides."""
        if name in self._set:
            return self._set[name]
        spec = self._all[name]
        if name == "model" and not spec.default:
            return next((row["value"] for row in self._choices_of(spec) if row["enabled"]), "")
        return spec.default

    def set_values(self) -> dict[str, Any]:
        """Only what differs from the defaults, for the session."""
        return dict(self._set)

    def restore(self, values: Mapping[str, Any]) -> list[str]:
        """Take values of an earlier session; the names of those that no longer fit."""
        refused = []
        for name, value in values.items():
            spec = self._all.get(name)
            if spec is None or not _fits(spec, value):
                refused.append(name)
            else:
                self._store(spec, value)
        self._touch()
        return refused

    def pictures(self) -> dict[str, str]:
        """Parameter -> file of each picture the job starts from."""
        return {name: str(value) for name, value in self._set.items() if self._all[name].widget == PICTURE and self._acts(self._all[name])}

    def request(self) -> dict[str, Any]:
        """The parameters of the job, exactly as shown, pictures by their files; what is hidden because it cannot act is left out."""
        values = {name: self.value(name) for name, spec in self._all.items() if self._acts(spec)}
        return {name: value for name, value in values.items() if value is not None}

    def _store(self, spec: ParamSpec, value: Any) -> None:
        if value == spec.default or (value is None and spec.optional):
            self._set.pop(spec.name, None)
        else:
            self._set[spec.name] = value
        self._problems.pop(spec.name, None)

    # -- what QML calls --------------------------------------------------------------------------

    @pyqtSlot(str, str, result=bool)
    def commit(self, name: str, text: str) -> bool:
        """Take what was typed or chosen; empty restores the default. False, and the row says why, when it cannot be taken."""
        spec = self._all[name]
        text = text if spec.kind in ("text", "choice") else text.strip()
        try:
            if spec.kind in ("int", "float"):
                value: Any = parse(spec, text) if text else spec.default
            elif spec.kind == "bool":
                value = text == "true"
            elif spec.widget == PICTURE:
                value = _file(text)
            else:
                value = text
        except (NotANumber, OutOfRange) as error:
            self._problems[name] = str(error)
            self._touch()
            return False
        self._store(spec, value)
        self._touch()
        self.edited.emit()
        return True

    @pyqtSlot(str)
    def reset(self, name: str) -> None:
        self._set.pop(name, None)
        self._problems.pop(name, None)
        self._touch()
        self.edited.emit()

    def reset_group(self, group: str) -> None:
        """Give every advanced parameter of a group its default."""
        self._reset(lambda spec: spec.group == group)

    @pyqtSlot()
    def resetHidden(self) -> None:
        """Give every advanced parameter its default."""
        self._reset(lambda spec: True)

    def _reset(self, chosen: Callable[[ParamSpec], bool]) -> None:
        for spec in self._specs:
            if spec.advanced and chosen(spec):
                self._set.pop(spec.name, None)
                self._problems.pop(spec.name, None)
        self._touch()
        self.edited.emit()

    @pyqtSlot(str, result=str)
    def textOf(self, name: str) -> str:
        return str(self.value(name) or "")

    def mark(self, problems: Mapping[str, str]) -> None:
        """Show what the engine refused beside the controls it named."""
        self._problems.update({name: sentence for name, sentence in problems.items() if name in self._all})
        self._touch()

    @pyqtProperty(int, notify=changed)
    def advancedSet(self) -> int:
        """How many advanced parameters are in force with a value of the user's."""
        return sum(1 for spec in self._specs if spec.advanced and spec.name in self._set and self._acts(spec))

    @pyqtProperty(str, notify=changed)
    def obstacle(self) -> str:
        """Why nothing can be generated now, or ""."""
        if self._choices.get("models") is None:
            return ""
        rows = self._choices_of(self._all["model"])
        current = next((row for row in rows if row["value"] == self.value("model")), None)
        if current is None:
            return "There is no model yet. Put a .safetensors checkpoint into the folder models/checkpoints, then choose File, Reload engine."
        if not current["enabled"]:
            return f"The model '{current['label']}' cannot be used: {current['reason']}"
        return ""

    @pyqtProperty("QVariantMap", notify=changed)
    def preset(self) -> dict[str, str]:
        """What the chosen model is and wants, where nobody has set it already; empty for an ordinary model, or where nothing is left to fill."""
        wanted = self._wanted_by_model()
        if not wanted:
            return {}
        told = [f"{self._all[name].title.lower()} {shown(self._all[name], value)}" for name, value in wanted.items()]
        return {"title": str(self._chosen("model")["preset"]["title"]), "words": ", ".join(told)}

    @pyqtSlot()
    def takePreset(self) -> None:
        """Fill what the chosen model wants and nobody has set."""
        for name, value in self._wanted_by_model().items():
            self._store(self._all[name], value)
        self._touch()
        self.edited.emit()

    def _wanted_by_model(self) -> dict[str, Any]:
        preset = self._chosen("model").get("preset") or {}
        fields = {name: value for name, value in dict(preset.get("fields", {})).items() if name in self._all and name not in self._set}
        return {name: value for name, value in fields.items() if value != self.value(name) and value != self._followed(self._all[name])}

    @pyqtProperty(QObject, constant=True)
    def everyday(self) -> Section:
        return self._everyday

    @pyqtProperty("QVariantList", constant=True)
    def advanced(self) -> list[Section]:
        """One section for each group, in order; those without a row that acts are empty."""
        return self._groups

    def is_shown(self, row: int, group: str) -> bool:
        """Whether a row stands among the everyday ones (no group), or the advanced ones of a group."""
        spec = self._specs[row]
        return (spec.group if spec.advanced else "") == group and self._acts(spec)

    # -- the model QML reads ---------------------------------------------------------------------

    def roleNames(self) -> dict[int, bytes]:
        return {role: name.encode() for role, name in self._roles.items()}

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._specs)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or role not in self._roles:
            return None
        return self.cell(self._specs[index.row()].name, self._roles[role])

    def cell(self, name: str, role: str) -> Any:
        """One value of one row, by its role's name."""
        spec = self._all[name]
        value, follows = self.value(name), self._followed(spec)
        problem = self._problems.get(name, "")
        cells = {
            "name": lambda: name,
            "title": lambda: spec.title,
            "description": lambda: spec.description,
            "control": lambda: spec.widget or ("number" if spec.kind in ("int", "float") else spec.kind),
            "text": lambda: shown(spec, value if value is not None else follows),
            "value": lambda: float(value if value is not None else follows or spec.slider_minimum or 0) if spec.kind in ("int", "float") else 0.0,
            "isSet": lambda: name in self._set,
            "minimum": lambda: spec.slider_minimum if spec.slider_minimum is not None else 0.0,
            "maximum": lambda: self._slider_end(spec, value),
            "step": lambda: spec.step,
            "snap": lambda: snap_step(spec),
            "unit": lambda: spec.unit,
            "choices": lambda: self._choices_of(spec) if spec.kind == "choice" else [],
            "group": lambda: spec.group,
            "opensGroup": lambda: self._opens_group(spec),
            "problem": lambda: problem,
            "placeholder": lambda: spec.unset,
            "source": lambda: address(Path(str(value))) if spec.widget == PICTURE and value and Path(str(value)).is_file() else "",
        }
        return cells[role]()

    def _opens_group(self, spec: ParamSpec) -> bool:
        """True where a line is drawn above the row; advanced rows stand without lines."""
        rows = [other for other in self._specs if other.advanced == spec.advanced and self._acts(other)]
        place = rows.index(spec) if spec in rows else 0
        return not spec.advanced and place > 0 and rows[place - 1].group != spec.group

    def _slider_end(self, spec: ParamSpec, value: Any) -> float:
        """The slider grows by doubling when a typed value is beyond its end."""
        end = spec.slider_maximum if spec.slider_maximum is not None else 1.0
        if isinstance(value, int | float) and spec.maximum is not None:
            while end < value and end < spec.maximum:
                end = min(end * 2, spec.maximum)
        return end

    def _choices_of(self, spec: ParamSpec) -> list[Choice]:
        rows = self._choices.get(spec.choices_from, []) if spec.choices_from else [{"value": value, "label": _words(value)} for value in spec.choices]
        choices = [_choice(row) for row in rows]
        if spec.choices_from and spec.name != "model" and all(row["value"] != spec.default for row in choices):
            choices.insert(0, _choice({"value": spec.default, "label": spec.unset or _words(str(spec.default))}))
        chosen = self._set.get(spec.name)
        if chosen and all(row["value"] != chosen for row in choices) and (rows or spec.name == "model"):
            choices.append({"value": chosen, "label": chosen, "note": "missing", "enabled": False, "reason": "it is not in the models folders."})
        elif not choices and spec.default:
            choices.append(_choice({"value": self.value(spec.name), "label": _words(self.value(spec.name))}))
        return choices

    def _chosen(self, name: str) -> Choice:
        rows = self._choices.get(self._all[name].choices_from, []) if name in self._all else []
        return next((row for row in rows if row.get("value") == self.value(name)), {})

    def _followed(self, spec: ParamSpec) -> Any:
        """What an unset value will be, where that is known: the chosen model's own size; 0 in the catalog is a model nobody looked at yet."""
        return (self._chosen("model").get(spec.name) or None) if spec.optional else None

    def _acts(self, spec: ParamSpec) -> bool:
        """False for a parameter that some samplers use, and the chosen one does not."""
        # Lists have no control yet.
        if spec.kind == "list" or not acts(self._all, spec.name, self._set):
            return False
        rows = self._choices.get("samplers", [])
        owned = {name for row in rows for name in row.get("parameters", ())}
        return spec.name not in owned or spec.name in self._chosen("sampler").get("parameters", ())

    def _touch(self) -> None:
        self.dataChanged.emit(self.index(0), self.index(len(self._specs) - 1))
        self.changed.emit()


def _choice(row: Mapping[str, Any]) -> Choice:
    value = str(row["value"])
    state = str(row.get("state") or "ready")
    return {
        "value": value,
        "label": str(row.get("label") or value),
        "note": str(row.get("family") or ""),
        "enabled": state == "ready",
        "reason": str(row.get("reason") or ""),
    }


def _file(text: str) -> str:
    """The path in what was typed, pasted or dropped: quotes and file: addresses are taken off."""
    text = text.strip().strip("\"'")
    return QUrl(text).toLocalFile() if text.startswith("file:") else os.path.expanduser(text)


def _words(value: str) -> str:
    """A value of the protocol as a person reads it: "no_norm" is "No norm"; names with capitals or digits stay."""
    return value.replace("_", " ").capitalize() if value.islower() and not any(letter.isdigit() for letter in value) else value


def _fits(spec: ParamSpec, value: Any) -> bool:
    if value is None:
        return spec.optional
    if spec.kind in ("int", "float"):
        if isinstance(value, bool) or not isinstance(value, int | float) or (spec.kind == "int" and not isinstance(value, int)):
            return False
        return (spec.minimum is None or value >= spec.minimum) and (spec.maximum is None or value <= spec.maximum)
    if spec.kind == "bool":
        return isinstance(value, bool)
    return isinstance(value, str) and (not spec.choices or value in spec.choices) and len(value) <= (spec.max_length or len(value))
