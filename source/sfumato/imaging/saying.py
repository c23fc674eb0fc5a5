"""How the fields of a request are put into words: what there is to tell of a picture, and the kinds of rows of `labels`' table. Rules: M10, M11 of metadata."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sfumato.imaging.infotext import Value
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import ParamSpec, acts, specs

Said = str | tuple[int, int]
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the engine made definite of a request, for one picture.

    Attributes:
        sampler, schedule: titles; the schedule is "Automatic" if it is the sampler's own choice.
        width, height: of the first pass, in pixels.
        seed, variation_seed: of this picture.
        strength: of image to image, None without an image.
        clip_skip: layer counted from the end; 0 if it is the family's own.
        acting: names of the sampler parameters that the sampler reads.
        names: titles of models by field ("model", "vae", "refiner", "hr_model") where the request leaves them open or names a path.
        hashes: first digits by the same fields.
        loras, embeddings: their hashes by name.
        prompt, negative, hr_prompt, hr_negative: as they were understood: styles applied, choices made, comments removed, network tags kept.
        hr_sampler, hr_schedule: titles, if they differ from the first pass.
        incomplete: calls done and planned, of a picture cut short.
        brownian: "own" if the SDE noise is not torchsde's.
    """

    sampler: str
    width: int
    height: int
    seed: int
    schedule: str = "Automatic"
    variation_seed: int = -1
    strength: float | None = None
    clip_skip: int = 0
    acting: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    loras: Mapping[str, str] = field(default_factory=dict)
    embeddings: Mapping[str, str] = field(default_factory=dict)
    prompt: str = ""
    negative: str = ""
    hr_prompt: str = ""
    hr_negative: str = ""
    hr_sampler: str = ""
    hr_schedule: str = ""
    incomplete: tuple[int, int] | None = None
    brownian: str = ""


@dataclass(frozen=True, slots=True)
class Telling:
    """A request and its facts while they are put into words. `values` are the fields as they count."""

    values: Fields
    facts: Facts

    def acts(self, name: str) -> bool:
        return acts(rows(), name, self.values)

    @property
    def is_highres(self) -> bool:
        return any(self.values[name] != rows()[name].default for name in ("hr_scale", "hr_width", "hr_height"))


Write = Callable[[Telling], Value]
Read = Callable[[Said], Fields]


@dataclass(frozen=True, slots=True)
class Row:
    """One key. `read` raises ValueError for what it does not know; None where the key is never read."""

    write: Write
    read: Read


@cache
def rows() -> dict[str, ParamSpec]:
    """The parameters of a Generate request by name."""
    return {spec.name: spec for spec in specs(Generate)}


def text_of(said: Said) -> str:
    if isinstance(said, tuple):
        return f"{said[0]}x{said[1]}"
    return said


def plain(spec: ParamSpec) -> Row:
    """A field under its own label: its value if it acts and is not the default."""

    def write(told: Telling) -> Value:
        value = told.values[spec.name]
        if value == spec.default or not told.acts(spec.name) or (spec.group == "sampler" and spec.name not in told.facts.acting):
            return None
        return json.dumps(list(value), ensure_ascii=False) if spec.kind == "list" else value

    def read(said: Said) -> Fields:
        return {spec.name: json.loads(text_of(said)) if spec.kind == "list" else text_of(said)}

    return Row(write, read)


def always(name: str, when: Callable[[Telling], bool] = lambda told: True) -> Row:
    """A field that is written at its default too."""
    return Row(lambda told: told.values[name] if when(told) else None, lambda said: {name: text_of(said)})


def pair(first: str, second: str, when: Callable[[Telling], bool] = lambda told: True) -> Row:
    """Two numbers as WxH, if one of them is set."""

    def write(told: Telling) -> Value:
        values = (told.values[first], told.values[second])
        if values == (rows()[first].default, rows()[second].default) or not when(told):
            return None
        return (values[0] or 0, values[1] or 0)

    def read(said: Said) -> Fields:
        if not isinstance(said, tuple):
            raise ValueError(said)
        return {first: said[0] or rows()[first].default, second: said[1] or rows()[second].default}

    return Row(write, read)


def words(name: str, spelled: Mapping[Any, Value], also: Mapping[str, Any] | None = None) -> Row:
    """A choice, its values `spelled` in words of their own; None: not written. `also` are further words that are understood."""
    known = {str(word).casefold(): value for value, word in spelled.items() if word is not None} | {
        word.casefold(): value for word, value in (also or {}).items()
    }

    def write(told: Telling) -> Value:
        return spelled.get(told.values[name]) if told.acts(name) else None

    def read(said: Said) -> Fields:
        if (word := text_of(said).strip().casefold()) not in known:
            raise ValueError(said)
        return {name: known[word]}

    return Row(write, read)


def is_true(said: Said) -> bool:
    return text_of(said).strip().casefold() in ("true", "1", "yes", "on")


def flag(name: str, value: Any) -> Row:
    """True where a choice has one value."""
    return Row(lambda told: True if told.values[name] == value and told.acts(name) else None, lambda said: {name: value} if is_true(said) else {})
