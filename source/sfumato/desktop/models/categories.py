"""The categories of the Models page and what of the library lies in each."""

from __future__ import annotations

from dataclasses import dataclass

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
    TEXT_ENCODER,
    TINY,
    UPSCALER,
    VAE,
)
from sfumato.library.models_index import WILDCARD

FAVOURITES = "favourites"


@dataclass(frozen=True)
class Category:
    """`holds` are categories of the library; `folder` is where files of it belong; `empty` says what to do when there are none."""

    id: str
    title: str
    icon: str
    holds: tuple[str, ...]
    folder: str = ""
    empty: str = ""


def _folder(category: str) -> str:
    return FOLDERS[category][0]


CATEGORIES = (
    Category(FAVOURITES, "Favourites", "star", (), "", "Mark a model with F and it stands here."),
    Category("checkpoints", "Checkpoints", "box", (CHECKPOINT,), _folder(CHECKPOINT), "Drop a .safetensors checkpoint here, or put it into the folder."),
    Category("components", "Components", "puzzle", (VAE, TEXT_ENCODER, TINY, IMAGE_ENCODER, ANNOTATOR), _folder(VAE), "VAEs and text encoders stand here."),
    Category("loras", "LoRAs", "layers", (LORA,), _folder(LORA), "Drop a LoRA here, or put it into the folder."),
    Category("hypernetworks", "Hypernetworks", "network", (HYPERNETWORK,), _folder(HYPERNETWORK), "Drop a hypernetwork here, or put it into the folder."),
    Category("embeddings", "Embeddings", "bookmark", (EMBEDDING,), _folder(EMBEDDING), "Drop an embedding here, or put it into the folder."),
    Category("upscalers", "Upscalers", "scaling", (UPSCALER,), _folder(UPSCALER), "Drop an upscaler here, or put it into the folder."),
    Category("faces", "Faces", "scan-face", (FACE,), _folder(FACE), "Face restorers and detectors stand here."),
    Category("control", "ControlNet", "waypoints", (CONTROL,), _folder(CONTROL), "Drop a control model here, or put it into the folder."),
    Category("wildcards", "Wildcards", "asterisk", (WILDCARD,), "", "Put lists of lines (.txt) into the folder."),
)
BY_ID = {category.id: category for category in CATEGORIES}
HOME = {held: category for category in CATEGORIES for held in category.holds}
"""Category of the library -> category of the page."""

# Kinds of files that act only beside models of their own family.
OF_A_FAMILY = frozenset({LORA, HYPERNETWORK, EMBEDDING, CONTROL})
