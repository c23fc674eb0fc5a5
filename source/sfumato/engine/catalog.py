"""What this machine can do, for windows and other clients: models, samplers, schedules, devices, versions. Reads headers, never weights."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sfumato import __version__
from sfumato.engine import device as devices
from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.families import recognise
from sfumato.engine.samplers import SAMPLERS
from sfumato.engine.schedules import AUTOMATIC, SCHEDULES
from sfumato.jobs.places import Places
from sfumato.library.models import ModelEntry, locate, scan
from sfumato.protocol.errors import SfumatoError

_PACKAGES = ("torch", "diffusers", "transformers")


def describe(places: Places) -> dict[str, Any]:
    """This engine's part of the catalog, as plain data."""
    kind = devices.kind()
    return {
        "choices": {
            "models": [model_row(entry) for entry in scan(places.models)],
            "samplers": [
                {"value": row.name, "label": row.name, "aliases": list(row.aliases), "default_schedule": row.schedule, "parameters": list(row.parameters)}
                for row in SAMPLERS
            ],
            "schedules": [
                {"value": AUTOMATIC, "label": "Automatic"},
                *({"value": row.name, "label": row.title, "aliases": list(row.aliases)} for row in SCHEDULES),
            ],
            "devices": [{"value": kind, "label": devices.name_of(kind)}],
        },
        "versions": {"sfumato": __version__, **{name: found for name in _PACKAGES if (found := _version(name))}},
        "device": {"name": devices.name_of(kind), "kind": kind},
    }


def model_row(entry: ModelEntry) -> dict[str, Any]:
    """One model for a chooser; `state` is "ready", or "unusable" with the reason as a sentence."""
    row: dict[str, Any] = {"value": entry.name, "label": entry.name, "family": "", "width": 0, "height": 0, "state": "unusable", "reason": entry.reason}
    row["path"] = str(entry.path)
    if entry.reason:
        return row
    try:
        checkpoint = open_checkpoint(entry.path)
        family = recognise(checkpoint)
    except SfumatoError as error:
        return {**row, "reason": error.message}
    side = family.native_px(checkpoint)
    title = checkpoint.metadata.get("modelspec.title", "").strip()[:80]
    return {**row, "label": title or entry.name, "family": family.title, "width": side, "height": side, "state": "ready"}


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
