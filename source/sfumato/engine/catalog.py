"""What this machine can do, for windows and other clients: models, samplers, schedules, devices, versions. Reads headers, never weights."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sfumato import __version__
from sfumato.engine import device as devices
from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.families import recognise
from sfumato.engine.model_rows import rows
from sfumato.engine.samplers import SAMPLERS
from sfumato.engine.schedules import AUTOMATIC, SCHEDULES
from sfumato.jobs.places import Places
from sfumato.library.models import ModelEntry, locate, scan
from sfumato.protocol.errors import CorruptFile, SfumatoError

log = logging.getLogger(__name__)

_PACKAGES = ("torch", "diffusers", "transformers")


def describe(places: Places) -> dict[str, Any]:
    """This engine's part of the catalog, as plain data."""
    kind = devices.kind()
    return {
        "choices": {
            "models": rows(scan(places.models), places.data, model_row, unread_row),
            "samplers": [
                {"value": row.name, "label": row.name, "aliases": list(row.aliases), "default_schedule": row.schedule, "parameters": list(row.parameters)}
                for row in SAMPLERS
            ],
            "schedules": [
                {"value": AUTOMATIC, "label": "Automatic"},
                *({"value": row.name, "label": row.title, "aliases": list(row.aliases), "parameters": list(row.parameters)} for row in SCHEDULES),
            ],
            "devices": [{"value": kind, "label": devices.name_of(kind)}],
        },
        "versions": {"sfumato": __version__, **{name: found for name in _PACKAGES if (found := _version(name))}},
        "device": {"name": devices.name_of(kind), "kind": kind},
    }


def model_row(entry: ModelEntry) -> dict[str, Any]:
    """One model for a chooser; `state` is "ready", or "unusable" with the reason as a sentence."""
    row = {**unread_row(entry), "state": "unusable"}
    if entry.reason:
        return row
    try:
        checkpoint = open_checkpoint(entry.path)
        family = recognise(checkpoint)
        side = family.native_px(checkpoint)
    except SfumatoError as error:
        return {**row, "reason": error.message}
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        # One file that nobody foresaw must not take the list of all others with it.
        log.warning("%s cannot be understood", entry.path, exc_info=True)
        return {**row, "reason": CorruptFile(entry.path.name, f"it cannot be understood ({type(error).__name__})").message}
    title = _legible(checkpoint.metadata.get("modelspec.title", "")).strip()[:80]
    return {**row, "label": title or entry.name, "family": family.title, "width": side, "height": side, "state": "ready"}


def unread_row(entry: ModelEntry) -> dict[str, Any]:
    """A model of which nothing but the name is known; no family, no size."""
    row: dict[str, Any] = {"value": entry.name, "label": entry.name, "family": "", "width": 0, "height": 0, "state": "ready", "reason": entry.reason}
    return row | {"path": _legible(str(entry.path))}


def _legible(text: str) -> str:
    """Text from a file or its name as text that every message can carry and every terminal show."""
    text = text.encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else " " for character in text)


def find_model(folders: Sequence[Path], name: str) -> Path:
    """The checkpoint a request names; for "" the first that can be used. Raises the errors of `library.models.locate`."""
    if not name:
        for entry in scan(folders):
            if model_row(entry)["state"] == "ready":
                return entry.path
    return locate(folders, name)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
