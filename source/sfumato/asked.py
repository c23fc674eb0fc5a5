"""What a `generate` command asks for: one job, or one for each picture of a folder. Reads the pictures; starts nothing."""

from __future__ import annotations

import argparse
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfumato.imaging.encoding import FORMATS
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import ParamSpec, specs, validate

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff")
# The range other programs can read as well.
_SEED_DRAWS = 2**32 - 2
_PICTURES = {spec.name: spec for spec in specs(Generate) if spec.widget == "image"}


@dataclass(frozen=True)
class Asked:
    """One job; `blobs` are the pictures its request names, `file` is where the result goes (None: the numbered outputs folder)."""

    request: Generate
    blobs: Mapping[str, bytes]
    file: Path | None


def jobs_of(options: argparse.Namespace) -> Iterator[Asked]:
    """The jobs, each made when its turn comes. Raises `Invalid` for what cannot be, as far as it shows before anything is read."""
    given: dict[str, Any] = {spec.name: getattr(options, spec.name) for spec in specs(Generate) if hasattr(options, spec.name)}
    output: Path | None = options.output
    if output is not None and "format" not in given:
        # The ending says it.
        given["format"] = next((form for form, row in FORMATS.items() if output.suffix.lower() in row.suffixes), "png")
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
    return (
        _job(given | {"image": picture} | ({"mask": masks[picture]} if masks else {}), output / f"{picture.stem}{ending}" if output else None)
        for picture in pictures
    )


def _pictures_of(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS and not path.name.startswith("."))
    if not found:
        raise Invalid([Problem("image", f"There are no pictures in the folder '{folder}'.")])
    return found


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
    return Asked(validate(Generate, named), blobs, file)


def _sent(spec: ParamSpec, file: Path, blobs: dict[str, bytes]) -> str:
    """Put a picture among the blobs of the job; its name there is its SHA-256, so that the request says which picture it was made from."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise Invalid([Problem(spec.name, f"{spec.title}: '{file}' cannot be read ({error.strerror}); name a picture.")]) from error
    name = hashlib.sha256(data).hexdigest()
    blobs[name] = data
    return name
