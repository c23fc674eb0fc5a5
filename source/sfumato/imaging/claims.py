"""What a picture claims about itself, judged as if a person had typed it. Rules: M14-M16 of metadata, X11 of security.

The readers of `origins` collect claims in any form; here each becomes a valid value of a request's field, or a warning. Nothing here opens or chooses a
file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from sfumato.imaging.saying import Fields, rows
from sfumato.protocol.errors import Invalid
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import ParamSpec, validate

# Pictures are found by their checksum; a name of a file is not taken from a stranger.
_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_MODEL_SUFFIX = re.compile(r"\.(safetensors|sft|ckpt|pt|pth|bin|gguf)$", re.IGNORECASE)
_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?\s*", re.ASCII)
_SHOWN_CHARACTERS = 60


@dataclass(slots=True)
class Claims:
    """What one reader found.

    Attributes:
        source: who wrote it: "automatic1111", "comfyui" ...
        fields: values by field of the request, of any type.
        unknown: pairs for which there is no field; kept and shown.
        hashes: digits of models by field, for finding them here.
        switches: names of the fields that say how the origin reads prompts (P66).
        warnings: sentences.
    """

    source: str
    fields: Fields = field(default_factory=dict)
    unknown: dict[str, Any] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    switches: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    def claim(self, name: str, value: object) -> None:
        """One field; None claims nothing."""
        if value is not None:
            self.fields[name] = value

    def switch(self, **values: object) -> None:
        """How the origin reads prompts, where it differs from ours."""
        self.fields.update(values)
        self.switches |= values.keys()

    def keep(self, pairs: Mapping[str, Any]) -> None:
        """Pairs that nobody here understands."""
        for key, value in pairs.items():
            if value is not None and value != "":
                self.unknown.setdefault(str(key), value)


def judged(claims: Mapping[str, Any]) -> tuple[Fields, list[str]]:
    """The claims that are valid values, and a sentence for each that is not."""
    fields: Fields = {}
    warnings = []
    for name, claimed in claims.items():
        spec = rows().get(name)
        if spec is None:
            warnings.append(f"'{name[:_SHOWN_CHARACTERS]}' is no parameter here; its value was left out.")
            continue
        try:
            fields[name] = as_kind(spec, claimed)
        except ValueError as error:
            warnings.append(f"{spec.title}: {error}; the picture's value was left out.")
    try:
        request = validate(Generate, fields)
    except Invalid as error:
        for problem in error.problems:
            fields.pop(problem.path.split(".")[0], None)
            warnings.append(f"{problem.sentence} The picture's value was left out.")
        request = validate(Generate, fields)
    plain = request.model_dump()
    return {name: plain[name] for name in fields}, warnings


def as_kind(spec: ParamSpec, value: Any) -> Any:
    """A value of any type as the kind a parameter has; raises ValueError naming what it is instead."""
    if value is None and spec.optional:
        return None
    if spec.widget == "image":
        return _checksums(spec, value)
    match spec.kind:
        case "int" | "float":
            return _number(spec, value)
        case "bool":
            return _truth(value)
        case "list":
            if not isinstance(value, list | tuple):
                raise ValueError(f"{_shown(value)} is no list")
            return tuple(_object(spec, item) for item in value) if spec.fields else tuple(value)
        case _:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return str(value)
            if not isinstance(value, str):
                raise ValueError(f"{_shown(value)} is no text")
            return value


def _object(spec: ParamSpec, value: Any) -> Fields:
    """One object of a list, each of its fields as its kind; what newer versions may have in it is left out."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if not isinstance(value, Mapping):
        raise ValueError(f"{_shown(value)} is no object")
    return {field.name: as_kind(field, value[field.name]) for field in spec.fields if field.name in value}


def _checksums(spec: ParamSpec, value: Any) -> Any:
    items = value if spec.kind == "list" and isinstance(value, list | tuple) else [value]
    if not all(isinstance(item, str) and (not item or _CHECKSUM.fullmatch(item)) for item in items):
        raise ValueError("pictures are found by their SHA-256 only")
    return tuple(items) if spec.kind == "list" else value


def _number(spec: ParamSpec, value: Any) -> int | float:
    if isinstance(value, str) and len(value) < 400 and _NUMBER.fullmatch(value):
        text = value.strip()
        value = int(text) if text.lstrip("+-").isdigit() else float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_shown(value)} is no number")
    if isinstance(value, float) and spec.kind == "int":
        if not value.is_integer():
            raise ValueError(f"{_shown(value)} is no whole number")
        return int(value)
    return value


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False, "none": False, "": False}
    if str(value).strip().casefold() not in words:
        raise ValueError(f"{_shown(value)} is neither true nor false")
    return words[str(value).strip().casefold()]


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, str | int | float | bool) and not (isinstance(value, int) and value.bit_length() > 256) else type(value).__name__
    return repr(text[:_SHOWN_CHARACTERS])


# -- what several readers need ---------------------------------------------------------------------


def model_name(path: object) -> str | None:
    """A model's name as it is known here: the file without its ending and folders written with slashes; None if there is none."""
    if not isinstance(path, str) or not path.strip() or path.strip().casefold() in ("none", "default", "automatic", "baked vae"):
        return None
    return _MODEL_SUFFIX.sub("", path.strip().replace("\\", "/"))


def network_tag(name: object, unet: object = 1.0, text_encoder: object = None) -> str:
    """`<lora:name:weight>`, or with two weights where they differ; empty without a name."""
    if (title := model_name(name)) is None:
        return ""
    title = re.sub(r"[<>:]", "_", title.rsplit("/", 1)[-1])
    weights = [_weight(unet if text_encoder is None else text_encoder), _weight(unet)]
    return f"<lora:{title}:{weights[0]}>" if weights[0] == weights[1] else f"<lora:{title}:{weights[0]}:{weights[1]}>"


def _weight(value: object) -> str:
    """A weight as a prompt may hold it: no exponent (rule P7)."""
    try:
        number = float(value) if isinstance(value, int | float | str) else 1.0
    except ValueError:
        number = 1.0
    if not -1000 < number < 1000:  # not a number either
        number = 1.0
    return f"{number:.4f}".rstrip("0").rstrip(".")


def objects(value: object) -> Iterator[Mapping[str, Any]]:
    """The objects of a JSON list; nothing if it is none."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item


def with_tags(prompt: object, tags: list[str]) -> str:
    """A prompt with network tags behind it that it does not hold yet."""
    text = prompt if isinstance(prompt, str) else ""
    new = [tag for tag in dict.fromkeys(tags) if tag and tag not in text]
    return " ".join(filter(None, [text, *new]))
