"""Presets of distilled models: what they want of a request, known by what a file says of itself or by its name; offered, never forced (E115)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

_STEPS = re.compile(r"(?<!\d)([1-8])[ _-]?steps?(?![a-z])", re.IGNORECASE)
# "hyperrealism" is no Hyper, "TurboV2" is a Turbo.
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# Where files say what they are; the name is asked last.
_TELLING = ("modelspec.title", "modelspec.description", "modelspec.tags", "ss_output_name")


@dataclass(frozen=True)
class Preset:
    """Settings for one way of distillation.

    Attributes:
        name: for the command line; also the word that names of such files contain.
        title: for people.
        fields: values for request fields that nobody has set.
        counts: of steps, that a file's name may ask for instead ("4step").
    """

    name: str
    title: str
    fields: Mapping[str, Any]
    counts: tuple[int, ...]

    def untouched(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that are not among those given."""
        return {name: value for name, value in self.fields.items() if name not in given}


def _preset(name: str, title: str, counts: tuple[int, ...], **fields: Any) -> Preset:
    return Preset(name, title, MappingProxyType(fields), counts)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        row.name: row
        for row in (
            _preset("lcm", "LCM", (4, 5, 6, 7, 8), sampler="LCM", steps=6, guidance=1.5),
            _preset("lightning", "Lightning", (2, 4, 8), sampler="Euler", schedule="trailing", steps=4, guidance=1.0),
            _preset("hyper", "Hyper", (1, 2, 3, 4, 5, 6, 7, 8), sampler="TCD", steps=8, guidance=1.0),
            _preset("turbo", "Turbo", (1, 2, 3, 4), sampler="Euler a", schedule="trailing", steps=4, guidance=1.0, width=512, height=512),
        )
    }
)


def preset_for(name: str, metadata: Mapping[str, str] = MappingProxyType({})) -> Preset | None:
    """The preset for a file of this name that says this of itself; None for an ordinary one. A number of steps in the name counts."""
    texts = [*(metadata.get(key, "") for key in _TELLING), name]
    for text in texts:
        words = {word.lower() for word in _WORDS.findall(text)}
        for row in PRESETS.values():
            if row.name in words:
                asked = _STEPS.search(name)
                steps = int(asked[1]) if asked else 0
                return replace(row, fields=MappingProxyType({**row.fields, "steps": steps})) if steps in row.counts else row
    return None
