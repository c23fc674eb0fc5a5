"""From a request type to rows that a slider, a flag, a web form, a grid axis and the docs are drawn from."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Le, MaxLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.params import Ui
from sfumato.protocol.requests import Request

R = TypeVar("R", bound=Request)
Kind = Literal["text", "int", "float", "bool", "choice", "list", "object"]

_WANTED: Mapping[Kind, str] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "text": "a text",
    "choice": "a text",
    "list": "a list",
    "object": "an object with fields",
}


@dataclass(frozen=True)
class ParamSpec:
    """Everything a control needs to know about one parameter.

    `minimum` and `maximum` are refusals, `slider_minimum` and `slider_maximum` the reach of the slider. A `choice` has fixed `choices` or takes them
    from the catalog list `choices_from`. `optional` parameters may be unset (None); `unset` says how that reads; one that `follows` has the value of
    another parameter while it has its default. A `list` holds many values of kind
    `item`; objects have the `fields` of their own declaration. `needs`: when the parameter acts at all (see `acts`).
    """

    name: str
    title: str
    description: str
    kind: Kind
    default: Any
    optional: bool
    minimum: float | None
    maximum: float | None
    max_length: int | None
    step: float
    slider_minimum: float | None
    slider_maximum: float | None
    choices: tuple[str, ...]
    choices_from: str
    group: str
    advanced: bool
    unit: str
    label: str
    widget: str
    unset: str
    follows: str = ""
    item: Kind | None = None
    needs: tuple[str, ...] = ()
    fields: tuple[ParamSpec, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain data for the catalog; tuples become lists."""
        return asdict(self) | {"choices": list(self.choices), "needs": list(self.needs), "fields": [field.to_json() for field in self.fields]}

    @staticmethod
    def from_json(row: Mapping[str, Any]) -> ParamSpec:
        """A row of a catalog."""
        inner = tuple(ParamSpec.from_json(field) for field in row.get("fields", ()))
        default = tuple(row["default"]) if row["kind"] == "list" else row["default"]
        values: dict[str, Any] = {**row, "default": default, "choices": tuple(row["choices"]), "needs": tuple(row.get("needs", ())), "fields": inner}
        return ParamSpec(**values)

    @property
    def flag(self) -> str:
        """The command-line spelling."""
        return "--" + self.name.replace("_", "-")


@cache
def specs(request: type[BaseModel]) -> tuple[ParamSpec, ...]:
    """The parameters of a request, or the fields of an object in one, in the order they are declared."""
    return tuple(_spec(name, field) for name, field in request.model_fields.items())


def _spec(name: str, field: FieldInfo) -> ParamSpec:
    annotation, optional = _without_none(field.annotation)
    ui = next((extra for extra in field.metadata if isinstance(extra, Ui)), None)
    if ui is None or not field.title or not field.description:
        raise TypeError(f"{name}: a parameter needs a title, a description and a Ui")
    # As they were written: a seed's limit is exact as an integer, a float would round it up.
    minimum: Any = next((extra.ge for extra in field.metadata if isinstance(extra, Ge)), None)
    maximum: Any = next((extra.le for extra in field.metadata if isinstance(extra, Le)), None)
    low, high = ui.slider or (minimum, maximum)
    item = _item(annotation)
    kind: Kind = "list" if item else _kind(annotation, bool(get_origin(annotation) is Literal or ui.choices_from))
    choices = tuple(str(choice) for choice in get_args(annotation)) if get_origin(annotation) is Literal else ()
    return ParamSpec(
        name=name,
        title=field.title,
        description=field.description,
        kind=kind,
        default=None if field.is_required() else field.default,
        optional=optional,
        minimum=minimum,
        maximum=maximum,
        max_length=next((extra.max_length for extra in field.metadata if isinstance(extra, MaxLen)), None),
        step=ui.step,
        slider_minimum=low,
        slider_maximum=high,
        choices=choices,
        choices_from=ui.choices_from,
        group=ui.group,
        advanced=ui.advanced,
        unit=ui.unit,
        label=ui.label,
        widget=ui.widget,
        unset=ui.unset,
        follows=ui.follows,
        item=_kind(item, False) if item else None,
        needs=ui.needs,
        fields=specs(item) if item and _is_object(item) else (),
    )


def _item(annotation: Any) -> Any:
    """The type of a list's values, None for what is no list."""
    if get_origin(annotation) is not tuple:
        return None
    inner = get_args(annotation)[0]
    return get_args(inner)[0] if get_origin(inner) is Annotated else inner


def _is_object(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def acts(rows: Mapping[str, ParamSpec], name: str, values: Mapping[str, Any]) -> bool:
    """Whether a parameter matters with these values (absent ones are defaults): one of the things it needs is given, and that one acts itself."""
    spec = rows[name]
    return not spec.needs or any(_holds(rows, need, values) for need in spec.needs)


def _holds(rows: Mapping[str, ParamSpec], need: str, values: Mapping[str, Any]) -> bool:
    name, _, wanted = need.partition("=")
    if name not in rows or not acts(rows, name, values):
        return False
    value = values.get(name, rows[name].default)
    return str(value) == wanted if wanted else value != rows[name].default


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        return inner[0], len(inner) < len(get_args(annotation))
    return annotation, False


def _kind(annotation: Any, is_choice: bool) -> Kind:
    if is_choice:
        return "choice"
    if _is_object(annotation):
        return "object"
    kinds: dict[Any, Kind] = {str: "text", bool: "bool", int: "int", float: "float"}
    return kinds[annotation]


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e6 else str(int(value))


def range_sentence(spec: ParamSpec) -> str:
    """The limit in words, e.g. "Steps must be between 1 and 150."."""
    if spec.minimum is not None and spec.maximum is not None:
        return f"{spec.title} must be between {_number(spec.minimum)} and {_number(spec.maximum)}."
    return f"{spec.title} is out of range."


def validate(request: type[R], params: dict[str, Any]) -> R:
    """`params` as a request; raises `Invalid` naming every bad field at once."""
    try:
        return request.model_validate(params)
    except ValidationError as error:
        raise Invalid([_problem(specs(request), item["loc"], item) for item in error.errors()]) from error


def _entry_sentence(spec: ParamSpec, index: int, item: Any) -> str:
    """What is wrong with one entry of a list."""
    limits, entry = item.get("ctx", {}), f"{spec.title}: entry {index + 1}"
    match item["type"]:
        case "greater_than_equal":
            return f"{entry} must be {_number(limits['ge'])} or more."
        case "less_than_equal":
            return f"{entry} must be {_number(limits['le'])} or less."
        case "string_too_long":
            return f"{entry} may have at most {limits['max_length']} characters."
        case _:
            return f"{entry} must be {_WANTED[spec.item or 'text']}."


def _problem(fields: Sequence[ParamSpec], place: tuple[int | str, ...], item: Any) -> Problem:
    """What is wrong at one place.

    Args:
        fields: the rows of the request, or of the object that `place` is in.
        place: where in them, as pydantic counts.
    """
    path = ".".join(map(str, item["loc"])) or "params"
    spec = next((spec for spec in fields if place and spec.name == place[0]), None)
    if spec is not None and spec.fields and len(place) > 2:
        sentence = _problem(spec.fields, place[2:], item).sentence
        return Problem(path, f"{spec.title} {int(place[1]) + 1}: {continued(sentence)}")
    kind = item["type"]
    if kind == "extra_forbidden":
        return Problem(path, f"'{'.'.join(map(str, place))}' is not a parameter of this job.")
    if kind == "missing":
        return Problem(path, f"{spec.title if spec else path} is required.")
    if spec is None:
        return Problem(path, f"{path}: {item['msg']}.")
    if kind == "too_long":
        return Problem(path, f"{spec.title} may have at most {spec.max_length} entries.")
    if spec.kind == "list" and len(place) > 1:
        return Problem(path, _entry_sentence(spec, int(place[1]), item))
    if kind == "string_pattern_mismatch":
        return Problem(path, f"{spec.title} must be written as in '{spec.default}'.")
    if kind in ("greater_than_equal", "less_than_equal", "finite_number"):
        return Problem(path, range_sentence(spec))
    if kind == "string_too_long":
        return Problem(path, f"{spec.title} may have at most {spec.max_length} characters.")
    if kind == "literal_error":
        return Problem(path, f"{spec.title} must be one of {', '.join(spec.choices)}.")
    return Problem(path, f"{spec.title} must be {_WANTED[spec.kind]}.")


def continued(sentence: str) -> str:
    """A sentence behind a colon: its first letter small, unless it begins an abbreviation."""
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]
