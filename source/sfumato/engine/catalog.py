"""What this machine can do, for windows and other clients: models, samplers, schedules, devices, versions. Reads headers, never weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sfumato import __version__
from sfumato.engine import device as devices
from sfumato.engine.acting import Traits, idle
from sfumato.engine.annotators.table import PREPROCESSORS
from sfumato.engine.checkpoint import Checkpoint, open_checkpoint
from sfumato.engine.configuration import input_channels, need
from sfumato.engine.control.rows import control_row, unread_control_row
from sfumato.engine.families import recognise
from sfumato.engine.family import variant_of
from sfumato.engine.findings import Findings
from sfumato.engine.image_prompts.rows import encoder_row
from sfumato.engine.layouts import original
from sfumato.engine.model_rows import rows
from sfumato.engine.networks.rows import embedding_row, hypernetwork_row, lora_row, named, unread_tag_row
from sfumato.engine.samplers import SAMPLERS
from sfumato.engine.schedules import AUTOMATIC, SCHEDULES
from sfumato.engine.upscalers.rows import network_row, unread_network_row
from sfumato.engine.upscaling import UPSCALERS
from sfumato.jobs.places import Places
from sfumato.library.models import CONTROL, EMBEDDING, FACE, HYPERNETWORK, IMAGE_ENCODER, LORA, TEXT_ENCODER, UPSCALER, VAE, ModelEntry, locate, scan
from sfumato.library.presets import preset_for
from sfumato.library.styles import read_styles
from sfumato.library.words import style_files
from sfumato.protocol.errors import CorruptFile, ModelIncomplete, ModelNotFound, SfumatoError

# Request field of a part -> where files of its kind lie.
CATEGORIES: Mapping[str, str] = {"vae": VAE, "clip": TEXT_ENCODER, "clip_2": TEXT_ENCODER}

# Choice -> where files of its kind lie, and what tells of one.
_NETWORKS: Mapping[str, tuple[str, Callable[[ModelEntry], dict[str, Any]]]] = {
    "loras": (LORA, lora_row),
    "hypernetworks": (HYPERNETWORK, hypernetwork_row),
    "embeddings": (EMBEDDING, embedding_row),
}

log = logging.getLogger(__name__)

_PACKAGES = ("torch", "diffusers", "transformers")


def describe(places: Places) -> dict[str, Any]:
    """This engine's part of the catalog, as plain data."""
    kind = devices.kind()
    findings = Findings(places.data)
    plain = [{"value": name, "label": name, "kind": "latent" if row.latent else "pixels"} for name, row in UPSCALERS.items()]
    upscalers = rows(scan(places.models, UPSCALER), places.data, network_row, unread_network_row, "upscalers.json")
    faces = rows(scan(places.models, FACE), places.data, network_row, unread_network_row, "faces.json")
    return {
        "choices": {
            "models": rows(
                scan(places.models),
                places.data,
                lambda entry: model_row(entry, findings),
                unread_row,
                note=lambda entry: findings.prediction(entry.path) or "",
            ),
            "vaes": rows(scan(places.models, VAE), places.data, vae_row, unread_row, "vaes.json"),
            "text_encoders": rows(scan(places.models, TEXT_ENCODER), places.data, text_encoder_row, unread_row, "text_encoders.json"),
            "samplers": [
                {
                    "value": row.name,
                    "label": row.name,
                    "aliases": list(row.aliases),
                    "default_schedule": row.schedule,
                    "ignores_schedule": row.grid is not None,
                    "parameters": list(row.parameters),
                }
                for row in SAMPLERS
            ],
            "schedules": [
                {"value": AUTOMATIC, "label": "Automatic"},
                *({"value": row.name, "label": row.title, "aliases": list(row.aliases), "parameters": list(row.parameters)} for row in SCHEDULES),
            ],
            "upscalers": [*plain, *upscalers],
            "picture_upscalers": [row for row in (*plain, *upscalers) if row["kind"] != "latent"],
            "face_restorers": [row for row in faces if row["kind"] != "detector"],
            "face_detectors": [row for row in faces if row["kind"] == "detector"],
            "preprocessors": [row.to_json() for row in PREPROCESSORS.values()],
            "control_models": rows(scan(places.models, CONTROL), places.data, control_row, unread_control_row, "control_models.json"),
            "image_encoders": rows(scan(places.models, IMAGE_ENCODER), places.data, encoder_row, unread_control_row, "image_encoders.json"),
            **{name: _networks(places, name, category, read) for name, (category, read) in _NETWORKS.items()},
            "styles": [{"value": style.name, "label": style.name} for style in read_styles(style_files(places.data))],
            "devices": [{"value": kind, "label": devices.name_of(kind)}],
        },
        "versions": {"sfumato": __version__, **{name: found for name in _PACKAGES if (found := _version(name))}},
        "device": {"name": devices.name_of(kind), "kind": kind},
    }


def _networks(places: Places, name: str, category: str, read: Callable[[ModelEntry], dict[str, Any]]) -> list[dict[str, Any]]:
    entries = scan(places.models, category)
    return named(rows(entries, places.data, read, unread_tag_row, f"{name}.json"), entries, places.models, category)


def model_row(entry: ModelEntry, findings: Findings | None = None) -> dict[str, Any]:
    """One model for a chooser.

    `state` is "ready", or "unusable" with the reason as a sentence; `variant` what the network is for ("base", "inpainting", "pix2pix"); `missing` the
    request fields of parts that the file does not have, which other files must bring; `preset` what a distilled model wants of a request, or None; `idle` the
    parameters that change nothing with it; `encoders` its text encoders. What was found out about the network earlier counts.
    """

    def told(checkpoint: Checkpoint) -> dict[str, Any]:
        if findings is not None:
            checkpoint = replace(checkpoint, found=findings.prediction(entry.path) or "")
        family = recognise(checkpoint)
        side = family.native_px(checkpoint)
        variant = variant_of(input_channels(checkpoint), family.latent.channels)
        missing = [field for field, part in family.roles.items() if part not in checkpoint.parts]
        row = {"family": family.title, "width": side, "height": side, "variant": variant or "base", "missing": missing}
        encoders = [part for field, part in family.roles.items() if field.startswith("clip")]
        return row | {"encoders": encoders, "preset": _preset(entry, checkpoint), "idle": idle(Traits.of_file(family, variant))}

    return _row(entry, told)


def _preset(entry: ModelEntry, checkpoint: Checkpoint) -> dict[str, Any] | None:
    """What a distilled model wants of a request."""
    found = preset_for(entry.path.stem, checkpoint.metadata)
    return {"name": found.name, "title": found.title, "fields": dict(found.fields)} if found else None


def vae_row(entry: ModelEntry) -> dict[str, Any]:
    """One VAE for a chooser; whole checkpoints have one, too. `channels`: of its latents."""

    def told(checkpoint: Checkpoint) -> dict[str, Any]:
        return {"channels": need(checkpoint, original.VAE, "decoder.conv_in.weight", 4)[1]}

    return _row(entry, told)


def text_encoder_row(entry: ModelEntry) -> dict[str, Any]:
    """One text encoder for a chooser; whole checkpoints have them, too. `widths`: of the towers in the file."""

    def told(checkpoint: Checkpoint) -> dict[str, Any]:
        towers = [part for part in checkpoint.parts if part.startswith(original.CLIP)]
        if not towers:
            raise ModelIncomplete(checkpoint.name, "text encoder")
        return {"widths": [need(checkpoint, part, "embeddings.token_embedding.weight", 2)[1] for part in towers]}

    return _row(entry, told)


def _row(entry: ModelEntry, told: Callable[[Checkpoint], dict[str, Any]]) -> dict[str, Any]:
    row = {**unread_row(entry), "state": "unusable"}
    if entry.reason:
        return row
    try:
        checkpoint = open_checkpoint(entry.path)
        found = told(checkpoint)
    except SfumatoError as error:
        return {**row, "reason": error.message}
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        # One file that nobody foresaw must not take the list of all others with it.
        log.warning("%s cannot be understood", entry.path, exc_info=True)
        return {**row, "reason": CorruptFile(entry.path.name, f"it cannot be understood ({type(error).__name__})").message}
    title = _legible(checkpoint.metadata.get("modelspec.title", "")).strip()[:80]
    return {**row, "label": title or entry.name, **found, "state": "ready"}


def unread_row(entry: ModelEntry) -> dict[str, Any]:
    """A model of which nothing but the name is known; no family, no size."""
    row: dict[str, Any] = {"value": entry.name, "label": entry.name, "family": "", "width": 0, "height": 0, "state": "ready", "reason": entry.reason}
    row |= {"variant": "base", "missing": [], "preset": None, "idle": []}
    return row | {"path": _legible(str(entry.path))}


def _legible(text: str) -> str:
    """Text from a file or its name as text that every message can carry and every terminal show."""
    text = text.encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else " " for character in text)


def find_model(folders: Sequence[Path], name: str) -> Path:
    """The checkpoint a request names; for "" the first that can be used. Raises the errors of `library.models.locate`."""
    if not name:
        for entry in scan(folders):
            row = model_row(entry)
            if row["state"] == "ready" and not row["missing"]:
                return entry.path
    return locate(folders, name)


def find_components(folders: Sequence[Path], chosen: Mapping[str, str]) -> dict[str, Path]:
    """The files of the parts a request takes from elsewhere, for `Loaded.load`.

    Args:
        chosen: request field ("vae", "clip", "clip_2") -> name, "" = the checkpoint's own. A name may mean a whole checkpoint that has the part.

    Raises the errors of `library.models.locate`, with the field as their path.
    """
    return {field: _find_component(folders, name, field) for field, name in chosen.items() if name}


def _find_component(folders: Sequence[Path], name: str, field: str) -> Path:
    try:
        return locate(folders, name, CATEGORIES[field], field)
    except ModelNotFound as error:
        try:
            return locate(folders, name, field=field)
        except ModelNotFound:
            raise error from None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
