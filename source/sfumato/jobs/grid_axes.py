"""The axes of a grid: what can be changed from cell to cell, what a typed list of values means for it, and how a value is put into a job.

An axis over a parameter is made from its `ParamSpec`; the others change the prompts. Everything a list gets wrong is found here, before a picture is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import combinations, permutations
from typing import Any

from sfumato.jobs.grid_values import VALUES_AT_MOST, BadRange, Piece, is_range, numbers_of, pieces_of
from sfumato.prompts.tag_editing import listed_tags, with_weight
from sfumato.protocol.specs import ParamSpec, range_sentence

NONE, REPLACE, ORDER, MATRIX, STYLE, NETWORK = "", "replace", "order", "matrix", "style", "network:"
ORDERED_AT_MOST = 6
COMBINED_AT_MOST = 9
# What takes long to change turns least often.
_SLOW = {"model": 100, "hr_model": 90, "refiner": 90, "clip": 80, "clip_2": 80, "vae": 70, "dtype": 60, "width": 20, "height": 20}
_SLOW_NETWORK = 40
_PROMPTS = ("prompt", "negative")
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
# What an axis cannot be: how many pictures there are, and how this machine works.
_NO_AXIS_GROUPS = frozenset({"operation", "batch"})


@dataclass(frozen=True)
class AxisKind:
    """Something that can be an axis; `spec` is the parameter's, None for what changes the prompts."""

    id: str
    title: str
    hint: str
    group: str = ""
    spec: ParamSpec | None = None


@dataclass(frozen=True)
class Choice:
    """A value of a choice, as the catalog offers it; `reason` says why it cannot be used, "" if it can."""

    value: str
    label: str
    reason: str = ""


@dataclass(frozen=True)
class Axis:
    """What a person has set: the kind's id, the list of values, and for Replace whether what is searched is a pattern."""

    kind: str = NONE
    text: str = ""
    is_regex: bool = False


@dataclass(frozen=True)
class Setting:
    """What the values are checked against.

    Attributes:
        specs: the parameters of the job kind.
        choices: of each choice parameter what can be chosen.
        params: the job as it would be sent without a grid.
        styles: the names of all styles.
    """

    specs: Mapping[str, ParamSpec]
    choices: Mapping[str, Sequence[Choice]] = field(default_factory=dict[str, Sequence[Choice]])
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    styles: Sequence[str] = ()


@dataclass(frozen=True)
class Value:
    """One value of an axis: what stands beside its row or column, and plain data."""

    label: str
    data: Any


@dataclass(frozen=True)
class Resolved:
    """An axis written out. `problems` are sentences; with one, nothing is made."""

    axis: Axis
    title: str
    values: tuple[Value, ...] = ()
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain data for the record of a grid."""
        return {
            "kind": self.axis.kind, "text": self.axis.text, "regex": self.axis.is_regex, "title": self.title,
            "values": [[value.label, value.data] for value in self.values],
        }  # fmt: skip

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> Resolved:
        """What `to_json` made. Raises KeyError, TypeError or ValueError for anything else."""
        axis = Axis(str(row["kind"]), str(row["text"]), row["regex"] is True)
        return Resolved(axis, str(row["title"]), tuple(Value(str(label), data) for label, data in row["values"]))


def kinds_of(setting: Setting) -> list[AxisKind]:
    """Everything that can be an axis now: no axis, the prompts' own, a weight for each network of the prompts, and the parameters in their order."""
    kinds = [
        AxisKind(NONE, "None", "no axis"),
        AxisKind(REPLACE, "Replace in the prompt", "first what is searched, then what takes its place", "prompt"),
        AxisKind(ORDER, "Prompt order", "words of the prompt, which change places", "prompt"),
        AxisKind(MATRIX, "Prompt matrix", "texts that are put behind the prompt in every combination", "prompt"),
        AxisKind(STYLE, "Style", "names of styles, None for no further one", "prompt"),
    ]
    names = dict.fromkeys(tag.name for text in _PROMPTS for tag in listed_tags(str(setting.params.get(text, "")), negative=text == "negative"))
    kinds += [AxisKind(NETWORK + name, f"Weight of {name}", "weights, such as 0.2-1(0.2)", "prompt") for name in names]
    return kinds + [AxisKind(name, spec.title, _hint(spec), spec.group, spec) for name, spec in setting.specs.items() if can_be_axis(spec)]


def can_be_axis(spec: ParamSpec) -> bool:
    """Whether a parameter's values are few words: numbers, choices, yes and no."""
    return spec.kind in ("int", "float", "choice", "bool") and spec.group not in _NO_AXIS_GROUPS


def _hint(spec: ParamSpec) -> str:
    match spec.kind:
        case "int":
            return "such as 10, 20, 30 or 10-30(5) or 10-30[3]"
        case "float":
            return "such as 1, 1.5 or 1-2(0.25) or 1-2[5]"
        case "bool":
            return "yes, no"
        case _:
            return "names, with commas between them"


def resolve(axis: Axis, setting: Setting) -> Resolved:
    """Write out the values of an axis."""
    kind = next((kind for kind in kinds_of(setting) if kind.id == axis.kind), None)
    if kind is None:
        name = axis.kind.removeprefix(NETWORK)
        sentence = f"The prompt names no network '{name}'; put its tag in or choose another axis." if axis.kind.startswith(NETWORK) else ""
        return Resolved(axis, name, (), (sentence or f"'{axis.kind}' is no parameter of this job; choose another axis.",))
    if kind.id == NONE:
        return Resolved(axis, "")
    values, problems = _Reader(axis, kind, setting).read()
    if not values and not problems:
        problems = [f"{kind.title} has no values yet: {kind.hint}."]
    if len(values) > VALUES_AT_MOST:
        problems.append(f"{kind.title} has {len(values)} values; an axis has at most {VALUES_AT_MOST}.")
    return Resolved(axis, kind.title, tuple(values[:VALUES_AT_MOST]), tuple(dict.fromkeys(problems)))


class _Reader:
    """Reads the list of one axis."""

    def __init__(self, axis: Axis, kind: AxisKind, setting: Setting) -> None:
        self._axis, self._kind, self._setting = axis, kind, setting
        self._pieces = pieces_of(axis.text)
        self._problems: list[str] = []

    def read(self) -> tuple[list[Value], list[str]]:
        spec = self._kind.spec
        if spec is not None:
            values = {"int": self._numbers, "float": self._numbers, "bool": self._switches}.get(spec.kind, self._choices)(spec)
        elif self._kind.id.startswith(NETWORK):
            values = self._weights()
        else:
            values = {REPLACE: self._replacements, ORDER: self._orders, MATRIX: self._combinations, STYLE: self._styles}[self._kind.id]()
        return values, self._problems

    # -- parameters ------------------------------------------------------------------------------

    def _numbers(self, spec: ParamSpec) -> list[Value]:
        found: list[Value] = []
        for piece in self._pieces:
            for number in self._written_out(piece, spec.kind == "int", spec.step):
                value = self._fitting(spec, number)
                if value is not None:
                    found.append(Value(_shown(value), value))
        return found

    def _written_out(self, piece: Piece, whole: bool, step: float) -> list[Decimal]:
        # A negative number alone is no range.
        if is_range(piece):
            try:
                return numbers_of(piece.text, whole, step)
            except BadRange as error:
                self._problems.append(str(error))
                return []
        if re.fullmatch(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", piece.text):
            return [Decimal(piece.text)]
        self._problems.append(f"'{piece.text}' is neither a number nor a range; {self._kind.hint}.")
        return []

    def _fitting(self, spec: ParamSpec, number: Decimal) -> int | float | None:
        if spec.kind == "int" and number != int(number):
            self._problems.append(f"{spec.title} takes whole numbers; {number.normalize():f} is none.")
            return None
        value = int(number) if spec.kind == "int" else float(number)
        if (spec.minimum is not None and value < spec.minimum) or (spec.maximum is not None and value > spec.maximum):
            self._problems.append(f"{_shown(value)}: {range_sentence(spec)}")
            return None
        return value

    def _switches(self, spec: ParamSpec) -> list[Value]:
        found: list[Value] = []
        for piece in self._pieces:
            value = _WORDS.get(piece.text.lower())
            if value is None:
                self._problems.append(f"{spec.title} is yes or no; '{piece.text}' is neither.")
            else:
                found.append(Value("yes" if value else "no", value))
        return found

    def _choices(self, spec: ParamSpec) -> list[Value]:
        offered = self._setting.choices.get(spec.name) or [Choice(value, value) for value in spec.choices]
        found: list[Value] = []
        for piece in self._pieces:
            hits = matching(piece.text, offered)
            if len(hits) == 1 and not hits[0].reason:
                found.append(Value(hits[0].label, hits[0].value))
            elif len(hits) == 1:
                self._problems.append(f"{spec.title} '{hits[0].label}' cannot be used: {hits[0].reason}")
            elif hits:
                self._problems.append(f"'{piece.text}' can mean {_listed([hit.label for hit in hits])}; write more of the name.")
            else:
                self._problems.append(f"{spec.title} has no '{piece.text}'; there is {_listed([choice.label for choice in offered if not choice.reason])}.")
        return found

    # -- the prompts -----------------------------------------------------------------------------

    def _replacements(self) -> list[Value]:
        if not self._pieces:
            return []
        searched, replacements = self._pieces[0].text, [piece.text for piece in self._pieces[1:]]
        if self._axis.is_regex:
            try:
                re.compile(searched)
            except re.error as error:
                self._problems.append(f"'{searched}' is no pattern ({error}); mend it or take the mark from Pattern.")
                return []
        if searched and not any(_occurs(str(self._setting.params.get(name, "")), searched, self._axis.is_regex) for name in _PROMPTS):
            self._problems.append(f"'{searched}' does not occur in the prompts; write it as it stands there.")
        found = [Value(text or "(nothing)", [searched, text, self._axis.is_regex]) for text in replacements]
        # The first value is the prompt as it stands, unless the whole prompt is replaced or a pattern is searched.
        as_it_is = [Value(searched, [searched, searched, False])] if searched and not self._axis.is_regex else []
        if searched == "" and not replacements:
            self._problems.append("Nothing is put in place of the prompt yet; write the prompts behind the empty first value.")
        return as_it_is + found

    def _orders(self) -> list[Value]:
        words, prompt = [piece.text for piece in self._pieces], str(self._setting.params.get("prompt", ""))
        missing = [word for word in words if word not in prompt]
        for word in missing:
            self._problems.append(f"'{word}' does not occur in the prompt; write it as it stands there.")
        if len(words) > ORDERED_AT_MOST:
            self._problems.append(f"More than {ORDERED_AT_MOST} words have too many orders; take fewer.")
        if len(words) == 1:
            self._problems.append("One word has one order; write two or more.")
        if self._problems:
            return []
        return [Value(", ".join(order), list(order)) for order in permutations(words)] if words else []

    def _combinations(self) -> list[Value]:
        texts = [piece.text for piece in self._pieces]
        if len(texts) > COMBINED_AT_MOST:
            self._problems.append(f"More than {COMBINED_AT_MOST} texts have too many combinations; take fewer.")
            return []
        chosen = [list(some) for count in range(len(texts) + 1) for some in combinations(texts, count)] if texts else []
        return [Value(" + ".join(some) or "(as it is)", some) for some in chosen]

    def _styles(self) -> list[Value]:
        offered = [Choice(name, name) for name in self._setting.styles]
        found: list[Value] = []
        for piece in self._pieces:
            hits = matching(piece.text, offered)
            if not hits and piece.text.lower() in ("none", ""):
                found.append(Value("None", ""))
            elif len(hits) == 1:
                found.append(Value(hits[0].label, hits[0].value))
            elif hits:
                self._problems.append(f"'{piece.text}' can mean {_listed([hit.label for hit in hits])}; write more of the name.")
            else:
                self._problems.append(f"There is no style '{piece.text}'; there is {_listed(list(self._setting.styles)) or 'none'}.")
        return found

    def _weights(self) -> list[Value]:
        name = self._kind.id.removeprefix(NETWORK)
        if not any(tag.is_plain for text in _PROMPTS for tag in listed_tags(str(self._setting.params.get(text, ""))) if tag.name == name):
            self._problems.append(f"The weight of '{name}' is a schedule in the prompt; write one number there.")
        found: list[Value] = []
        for piece in self._pieces:
            for number in self._written_out(piece, False, 0.1):
                if abs(number) > 10:
                    self._problems.append(f"{number.normalize():f}: the weight of a network is between -10 and 10.")
                else:
                    found.append(Value(_shown(float(number)), float(number)))
        return found


def matching(text: str, offered: Sequence[Choice]) -> list[Choice]:
    """What a typed name can mean: the one that is called so, else those that begin so, else those that hold it; case does not matter."""
    wanted = text.strip().lower()
    exact = [choice for choice in offered if wanted in (choice.value.lower(), choice.label.lower())]
    if exact or not wanted:
        return exact[:1]
    begin = [choice for choice in offered if choice.label.lower().startswith(wanted) or choice.value.lower().startswith(wanted)]
    return begin or [choice for choice in offered if wanted in choice.label.lower()]


def put_in(kind: str, data: Any, params: dict[str, Any]) -> None:
    """Let a job have one value of an axis."""
    if kind == REPLACE:
        searched, text, is_regex = data
        found = [name for name in _PROMPTS if searched and _occurs(str(params.get(name, "")), searched, is_regex)]
        for name in found:
            params[name] = _replaced(str(params[name]), searched, text, is_regex)
        if searched == "":
            params["prompt"] = text
    elif kind == ORDER:
        params["prompt"] = _reordered(str(params.get("prompt", "")), data)
    elif kind == MATRIX:
        params["prompt"] = ", ".join(part for part in (str(params.get("prompt", "")), *data) if part)
    elif kind == STYLE:
        if data:
            params["styles"] = [*(name for name in params.get("styles") or () if name != data), data]
    elif kind.startswith(NETWORK):
        for name in _PROMPTS:
            params[name] = _reweighed(str(params.get(name, "")), kind.removeprefix(NETWORK), data, name == "negative")
    else:
        params[kind] = data


def slowness(kind: str) -> int:
    """How long a change on an axis takes, in no unit."""
    return _SLOW_NETWORK if kind.startswith(NETWORK) else _SLOW.get(kind, 0)


def _occurs(text: str, searched: str, is_regex: bool) -> bool:
    return re.search(searched, text) is not None if is_regex else searched in text


def _replaced(text: str, searched: str, by: str, is_regex: bool) -> str:
    if not is_regex:
        return text.replace(searched, by)
    try:
        return re.sub(searched, by, text)
    except (re.error, IndexError):
        # What takes its place names a group that the pattern has not: it is meant as it stands.
        return re.sub(searched, lambda _: by, text)


def _reordered(text: str, words: Sequence[str]) -> str:
    """The words in another order, each at a place where one of them stands."""
    places: list[tuple[int, str]] = []
    for word in sorted(words, key=len, reverse=True):
        at = next((found.start() for found in re.finditer(re.escape(word), text) if not _overlaps(found.start(), found.end(), places)), None)
        if at is not None:
            places.append((at, word))
    places.sort()
    made, last = "", 0
    for (at, word), other in zip(places, words, strict=False):
        made += text[last:at] + other
        last = at + len(word)
    return made + text[last:]


def _overlaps(start: int, end: int, places: Sequence[tuple[int, str]]) -> bool:
    return any(start < at + len(word) and at < end for at, word in places)


def _reweighed(text: str, name: str, weight: float, negative: bool) -> str:
    for tag in reversed(listed_tags(text, negative=negative)):
        edit = with_weight(text, tag, weight) if tag.name == name else None
        text = edit.applied(text) if edit else text
    return text


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}" if abs(value) < 1e6 else str(value)


def _listed(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
