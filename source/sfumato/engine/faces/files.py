"""Which file of the models folders finds faces and which mends them, told by headers alone; and what to do where there is none."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sfumato.engine.upscalers.builtin import Shapes
from sfumato.engine.upscalers.reading import read_shapes
from sfumato.library.models import FACE, FOLDERS, locate, scan
from sfumato.protocol.errors import ModelNotFound, SfumatoError

DETECTOR, RESTORER = "face detector", "face restorer"
_FOLDER = f"models/{FOLDERS[FACE][0]}"
_REMEDIES = {
    DETECTOR: (
        "Put RetinaFace's detection_Resnet50_Final or detection_mobilenet0.25_Final (of the facexlib project's releases) "
        f"into {_FOLDER}, and write it anew with sfumato convert."
    ),
    RESTORER: f"Put GFPGANv1.4, RestoreFormer or CodeFormer (of those projects' releases) into {_FOLDER}, and write it anew with sfumato convert.",
}
_DETECTOR = "RetinaFace"
# Architecture -> tensors by which its files are known.
_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "GFPGAN": ("toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight"),
        "CodeFormer": ("position_emb", "idx_pred_layer.1.weight", "quantize.embedding.weight"),
        "RestoreFormer": ("quantize.embedding.weight", "encoder.conv_in.weight", "decoder.conv_out.weight"),
        _DETECTOR: ("LandmarkHead.0.conv1x1.weight", "fpn.output1.0.weight"),
    }
)


def find_restorer(folders: Sequence[Path], name: str, field: str = "face_model") -> Path:
    """The face restorer of that name. Raises `ModelNotFound` that says where to get one, and what `locate` raises."""
    return _named(folders, name, RESTORER, field)


def find_detector(folders: Sequence[Path], name: str = "", field: str = "face_detector") -> Path:
    """The face detector of that name; for "" the first there is. Raises as `find_restorer`."""
    if name:
        return _named(folders, name, DETECTOR, field)
    for entry in scan(folders, FACE):
        if not entry.reason and _is_detector(entry.path):
            return entry.path
    # A detector that has only to be converted is the nearest way.
    pickled = next((entry for entry in scan(folders, FACE) if entry.kind == "pickle" and _looks_like_detector(entry.name)), None)
    if pickled is not None:
        return locate(folders, pickled.name, FACE, field)  # which refuses it with the sentence that says so
    raise ModelNotFound(DETECTOR, "", path=field, remedy=_REMEDIES[DETECTOR])


def _named(folders: Sequence[Path], name: str, what: str, field: str) -> Path:
    try:
        return locate(folders, name, FACE, field)
    except ModelNotFound:
        closest = difflib.get_close_matches(name, [entry.name for entry in scan(folders, FACE)], 1, 0.4)
        raise ModelNotFound(what, name, closest, path=field, remedy=_REMEDIES[what]) from None


@dataclass(frozen=True)
class FaceArchitecture:
    """What a file of the folder of face models is."""

    architecture: str
    is_detector: bool = False


def architecture_of(shapes: Shapes) -> FaceArchitecture | None:
    """The face model that these tensors belong to, None if to none that is known."""
    found = next((row for row, keys in _KEYS.items() if all(key in shapes for key in keys)), None)
    return FaceArchitecture(found, found == _DETECTOR) if found else None


def _is_detector(path: Path) -> bool:
    try:
        found = architecture_of(read_shapes(path)[0])
    except SfumatoError:
        return False
    return found is not None and found.is_detector


def _looks_like_detector(name: str) -> bool:
    return any(word in name.casefold() for word in ("retinaface", "detection_", "mobilenet0.25"))
