"""Random Generate requests, drawn from the published schema, so that a new parameter is covered the day it is declared."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs

_WHOLE: dict[str, Any] = Generate.model_json_schema()
SCHEMA: dict[str, Any] = _WHOLE["properties"]
ROWS = {spec.name: spec for spec in specs(Generate)}
CHECKSUMS = st.sampled_from(["", "0" * 64, "0123456789abcdef" * 4])
# Whatever breaks formats: signs of infotexts, of prompts, of JSON; scripts from right to left; beyond the basic plane.
TRICKY = (
    "a, b: c", 'say "x"', "it's \\ % {}", "line\nline", "猫 😀", "\u202eשלום", "(a:1.2) [b|c]", "Steps: 3", "<lora:x:0.8>", "é\u0301", "\u2028", "\t", "# note",
    "a\x00b",
    "Negative prompt: x", "64x64",
)  # fmt: skip
TEXT = st.lists(st.sampled_from(TRICKY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=4).map("".join)


def values(name: str) -> st.SearchStrategy[Any]:
    """Valid values of a field."""
    return CHECKSUMS if ROWS[name].widget == "image" and ROWS[name].kind != "list" else _of(SCHEMA[name], ROWS[name].widget == "image")


def _of(schema: dict[str, Any], is_picture: bool) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _object(schema["$ref"].rsplit("/", 1)[-1])
    if "anyOf" in schema:
        return st.one_of(_of(part, is_picture) for part in schema["anyOf"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum"))
            return st.floats(low, schema.get("maximum"), allow_nan=False, allow_infinity=False, exclude_min="exclusiveMinimum" in schema)
        case "array":
            item = CHECKSUMS if is_picture else _of(schema["items"], False)
            return st.lists(item, max_size=min(4, schema.get("maxItems", 4))).map(tuple)
        case "string" if "pattern" in schema:
            return st.from_regex(schema["pattern"].replace("$", r"\Z"))
        case "string":
            return TEXT.map(lambda text: text[: schema.get("maxLength")])
        case kind:
            raise TypeError(f"no values for {kind}")


def _object(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """An object of the schema, any of its fields given."""
    pictures = {field.name for spec in ROWS.values() for field in spec.fields if field.widget == "image"}
    properties = _WHOLE["$defs"][name]["properties"]
    return st.fixed_dictionaries({}, optional={field: CHECKSUMS if field in pictures else _of(row, False) for field, row in properties.items()})


@st.composite
def requests(draw: st.DrawFn, *always: str, at_most: int = 14) -> Generate:
    """A request with some fields off their defaults, among them `always`."""
    names = draw(st.lists(st.sampled_from(sorted(ROWS)), max_size=at_most, unique=True))
    return Generate(**{name: draw(values(name)) for name in dict.fromkeys([*always, *names])})
