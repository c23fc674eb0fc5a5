"""What a `generate` command asks for: one job, or one for each picture of a folder. Reads the pictures; starts nothing."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfumato.imaging.encoding import FORMATS
from sfumato.library.presets import PRESETS
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests import Request
from sfumato.protocol.requests.annotate import Annotate
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.requests.upscale import Upscale
from sfumato.protocol.specs import ParamSpec, specs, validate

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff")
# The range other programs can read as well.
_SEED_DRAWS = 2**32 - 2
_WORD = re.compile(r'\s*(?P<name>\w+)\s*=\s*(?:"(?P<quoted>[^"]*)"\s*|(?P<bare>[^,"][^,]*|))(?:,|$)')
_OBJECTS = {spec.name: spec for spec in specs(Generate) if spec.fields}
_PICTURES = {spec.name: spec for spec in specs(Generate) if spec.widget == "image"}


@dataclass(frozen=True)
class Asked:
    """One job of a `kind`; `blobs` are the pictures its request names, `file` is where the result goes (None: the numbered outputs folder)."""

    request: Request
    blobs: Mapping[str, bytes]
    file: Path | None
    kind: str = "generate"

    @property
    def count(self) -> int:
        """How many pictures it makes."""
        return getattr(self.request, "batch_size", 1) * getattr(self.request, "batch_count", 1)

    @property
    def form(self) -> str:
        """The format they are written in."""
        return getattr(self.request, "format", "png")


def jobs_of(options: argparse.Namespace) -> Iterator[Asked]:
    """The jobs, each made when its turn comes. Raises `Invalid` for what cannot be, as far as it shows before anything is read."""
    given: dict[str, Any] = {spec.name: getattr(options, spec.name) for spec in specs(Generate) if hasattr(options, spec.name)}
    if getattr(options, "preset", None):
        given |= PRESETS[options.preset].untouched(given)
    output: Path | None = options.output
    if output is not None and "format" not in given:
        # The ending says it.
        given["format"] = _form_of(output)
    image = given.get("image")
    if not isinstance(image, Path) or not image.is_dir():
        return iter([_job(given, output)])
    pictures = _pictures_of(image)
    masks = _masks_for(pictures, given["mask"]) if isinstance(given.get("mask"), Path) and given["mask"].is_dir() else {}
    if output is not None and not output.is_dir():
        raise Invalid([Problem("output", f"'{output}' is no folder; with a folder of pictures the results need one, in which they keep their names.")])
    if given.get("seed", -1) == -1:
        given["seed"] = secrets.randbelow(_SEED_DRAWS)  # the same for all, so that only the pictures differ
    ending = FORMATS[validate(Generate, {"format": given.get("format", "png")}).format].suffixes[0]
    files = _results_in(output, pictures, ending)
    return (_job(given | {"image": picture} | ({"mask": masks[picture]} if masks else {}), file) for picture, file in zip(pictures, files, strict=True))


def map_of(options: argparse.Namespace) -> Asked:
    """The job that makes a control map. Raises `Invalid` for what cannot be."""
    given: dict[str, Any] = {spec.name: getattr(options, spec.name) for spec in specs(Annotate) if hasattr(options, spec.name)}
    blobs: dict[str, bytes] = {}
    for spec in specs(Annotate):
        if spec.widget == "image" and spec.name in given:
            given[spec.name] = _sent(spec, given[spec.name], blobs)
    return Asked(validate(Annotate, given), blobs, options.output, "annotate")


def larger_of(options: argparse.Namespace) -> Iterator[Asked]:
    """The jobs that enlarge pictures, one each, made when their turn comes. Raises `Invalid` for what cannot be, as far as it shows before anything is read."""
    given: dict[str, Any] = {spec.name: getattr(options, spec.name) for spec in specs(Upscale) if hasattr(options, spec.name)}
    pictures = [picture for file in options.files for picture in (_pictures_of(file, "images") if file.is_dir() else [file])]
    output: Path | None = options.output
    if output is None or output.is_dir():
        ending = FORMATS[validate(Upscale, {"format": given.get("format", "png")}).format].suffixes[0]
        files = _results_in(output, pictures, ending)
        return (_larger(given, picture, file) for picture, file in zip(pictures, files, strict=True))
    if len(pictures) > 1 or options.files[0].is_dir():
        raise Invalid([Problem("output", f"'{output}' is no folder; with several pictures the results need one, in which they keep their names.")])
    if "format" not in given:
        given["format"] = _form_of(output)
    return iter([_larger(given, pictures[0], output)])


def _larger(given: Mapping[str, Any], picture: Path, file: Path | None) -> Asked:
    blobs: dict[str, bytes] = {}
    spec = next(spec for spec in specs(Upscale) if spec.name == "images")
    return Asked(validate(Upscale, {**given, "images": (_sent(spec, picture, blobs),)}), blobs, file, "upscale")


def _form_of(output: Path) -> str:
    """The format that a file's ending says."""
    return next((form for form, row in FORMATS.items() if output.suffix.lower() in row.suffixes), "png")


def _pictures_of(folder: Path, field: str = "image") -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS and not path.name.startswith("."))
    if not found:
        raise Invalid([Problem(field, f"There are no pictures in the folder '{folder}'.")])
    return found


def _results_in(folder: Path | None, pictures: list[Path], ending: str) -> list[Path | None]:
    """A file for the result of each picture, named as it is; those that differ in nothing but their ending keep it in the name."""
    if folder is None:
        return [None] * len(pictures)
    stems = Counter(picture.stem.casefold() for picture in pictures)
    return [folder / f"{picture.stem if stems[picture.stem.casefold()] == 1 else picture.name}{ending}" for picture in pictures]


def _masks_for(pictures: list[Path], folder: Path) -> dict[Path, Path]:
    """Picture -> mask of the same name, whatever its ending."""
    masks = {path.stem: path for path in _pictures_of(folder)}
    lacking = [picture.name for picture in pictures if picture.stem not in masks]
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise Invalid([Problem("mask", f"There is no mask in '{folder}' for {', '.join(lacking[:3])}{more}; a mask has the name of its picture.")])
    return {picture: masks[picture.stem] for picture in pictures}


def _job(given: Mapping[str, Any], file: Path | None) -> Asked:
    blobs: dict[str, bytes] = {}
    named = dict(given)
    for name, spec in _PICTURES.items():
        if name in named:
            files = named[name]
            named[name] = tuple(_sent(spec, one, blobs) for one in files) if spec.kind == "list" else _sent(spec, files, blobs)
    for name, spec in _OBJECTS.items():
        if name in named:
            named[name] = tuple(_with_pictures(spec, index, read_words(spec, index, text), blobs) for index, text in enumerate(named[name]))
    return Asked(validate(Generate, named), blobs, file)


def read_words(spec: ParamSpec, index: int, text: str) -> dict[str, Any]:
    """The fields of an object as it stands on a command line: `name=value,name="with, comma"`, or JSON.

    Raises:
        Invalid: it is neither, or says a field twice.
    """
    path, title = f"{spec.name}.{index}", f"{spec.title} {index + 1}"
    if text.lstrip().startswith("{"):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Invalid([Problem(path, f"{title}: '{text[:60]}' is not JSON; check its quotation marks and commas.")]) from error
        return dict(values)
    found: dict[str, Any] = {}
    place = 0
    while place < len(text):
        if not (word := _WORD.match(text, place)):
            raise Invalid([Problem(path, f"{title}: '{text[place : place + 60]}' is not written as name=value; part fields by commas.")])
        if word["name"] in found:
            raise Invalid([Problem(f"{path}.{word['name']}", f"{title}: '{word['name']}' is said twice; say it once.")])
        found[word["name"]] = word["bare"] if word["quoted"] is None else word["quoted"]
        place = word.end()
    return found


def _with_pictures(spec: ParamSpec, index: int, values: dict[str, Any], blobs: dict[str, bytes]) -> dict[str, Any]:
    """The fields of an object, the files of its pictures sent."""
    pictures = [field for field in spec.fields if field.widget == "image" and isinstance(values.get(field.name), str) and values[field.name]]
    return values | {
        field.name: _read_into(blobs, Path(values[field.name]), f"{spec.name}.{index}.{field.name}", f"{spec.title} {index + 1}: {field.name}")
        for field in pictures
    }


def _sent(spec: ParamSpec, file: Path, blobs: dict[str, bytes]) -> str:
    return _read_into(blobs, file, spec.name, spec.title)


def _read_into(blobs: dict[str, bytes], file: Path, path: str, title: str) -> str:
    """Put a picture among the blobs of the job; its name there is its SHA-256, so that the request says which picture it was made from."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Invalid([Problem(path, f"{title}: '{file}' cannot be read ({error.strerror}); name a picture.")]) from error
    name = hashlib.sha256(data).hexdigest()
    blobs[name] = data
    return name
