"""What can be chosen for a transfer: folders, the other machine's models, and the sites that give tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sfumato.desktop.language import tr
from sfumato.library.models import (
    ANNOTATOR,
    CHECKPOINT,
    CONTROL,
    EMBEDDING,
    FACE,
    FOLDERS,
    HYPERNETWORK,
    IMAGE_ENCODER,
    LORA,
    SUFFIXES,
    TEXT_ENCODER,
    TINY,
    UPSCALER,
    VAE,
)

AUTOMATIC = "auto"
TITLES = {
    CHECKPOINT: "Checkpoints",
    VAE: "VAEs",
    TEXT_ENCODER: "Text encoders",
    TINY: "Tiny autoencoders",
    LORA: "LoRAs",
    HYPERNETWORK: "Hypernetworks",
    EMBEDDING: "Embeddings",
    CONTROL: "ControlNet",
    IMAGE_ENCODER: "Image encoders",
    ANNOTATOR: "Preprocessors",
    UPSCALER: "Upscalers",
    FACE: "Faces",
}
SITES = {"huggingface": "Hugging Face", "civitai": "Civitai"}
# Lists of a catalog that name files -> the category of those.
_LISTS = {
    "models": CHECKPOINT,
    "vaes": VAE,
    "text_encoders": TEXT_ENCODER,
    "loras": LORA,
    "hypernetworks": HYPERNETWORK,
    "embeddings": EMBEDDING,
    "control_models": CONTROL,
}
_TOKEN_WORDS = ("token", "access_token", "api_key")


def folder_of(category: str) -> str:
    """The folder that files of a category are put into, automatic for one that is not known."""
    return FOLDERS[category][0] if category in FOLDERS else AUTOMATIC


def folders() -> list[dict[str, Any]]:
    """The rows of the choice of a folder."""
    rows = [{"value": AUTOMATIC, "label": tr("Automatic"), "note": ""}]
    rows += [{"value": folder_of(category), "label": tr(title), "note": ""} for category, title in TITLES.items()]
    return [row | {"enabled": True, "reason": ""} for row in rows]


def models_of(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The model files that a machine lists, as rows of a choice; `value` is folder and name with a stroke between."""
    rows: list[dict[str, Any]] = []
    for name, category in _LISTS.items():
        listed = choices.get(name)
        for entry in listed if isinstance(listed, list) else ():
            value = entry.get("value") if isinstance(entry, dict) else None
            if isinstance(value, str) and value and entry.get("state", "ready") == "ready":
                file = value if PurePosixPath(value).suffix.casefold() in SUFFIXES else f"{value}.safetensors"
                label = str(entry.get("label") or value)
                rows.append({"value": f"{folder_of(category)}|{file}", "label": label, "note": tr(TITLES[category]), "enabled": True, "reason": ""})
    return rows


@dataclass(frozen=True)
class Pasted:
    """An address as it was pasted, and the token that stood in it."""

    address: str
    site: str
    token: str


def pasted(text: str) -> Pasted:
    """Take an address apart; a token of a site that stands in it is not left there, since addresses are written down."""
    from sfumato.library.transfers.sources import site_of  # late: the web is nothing a start needs

    address = text.strip()
    site = site_of(address)
    if not site or not address.startswith("https:"):
        return Pasted(address, site, "")
    parts = urlsplit(address)
    query = parse_qsl(parts.query, keep_blank_values=True)
    token = next((value for name, value in query if name.casefold() in _TOKEN_WORDS), "")
    kept = [(name, value) for name, value in query if name.casefold() not in _TOKEN_WORDS]
    return Pasted(urlunsplit(parts._replace(query=urlencode(kept))) if len(kept) < len(query) else address, site, token)
