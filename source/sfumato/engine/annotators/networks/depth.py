"""Depth by the networks that transformers knows (DPT of MiDaS: Ranftl et al. 2021; Depth Anything: Yang et al. 2024), each a folder in models/annotators."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

import sfumato.engine.offline  # noqa: F401  before transformers
from sfumato.engine.annotators.networks.files import FOLDER, Networks
from sfumato.engine.annotators.networks.seeing import as_tensor
from sfumato.engine.annotators.row import Seen
from sfumato.engine.annotators.surfaces import Floats, spread
from sfumato.library.models import ANNOTATOR, FOLDERS
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile, ModelIncomplete, ModelNotFound

_CONFIG, _WEIGHTS, _PREPARATION = "config.json", "model.safetensors", "preprocessor_config.json"
_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class DepthKind:
    """A kind of depth network.

    Attributes:
        architecture: as config.json names it.
        example: a folder of this kind as it was published, and by whom.
        shorter_px, multiple: the shorter side at which it looks, and what both sides must be multiples of.
        is_square: it sees every picture as a square, whatever its aspect.
    """

    architecture: str
    example: str
    publisher: str
    shorter_px: int
    multiple: int
    is_square: bool = False


DPT = DepthKind("DPTForDepthEstimation", "dpt-large", "the project Intel/dpt-large", 384, 32, is_square=True)
DEPTH_ANYTHING = DepthKind("DepthAnythingForDepthEstimation", "Depth-Anything-V2-Small-hf", "the project depth-anything", 518, 14)


def depth_of(seen: Seen, kind: DepthKind) -> Floats:
    """(H, W) in 0..1, near 1."""
    # By the file, not the folder, whose time of change tells nothing of what is written over inside.
    weights = find_weights(seen.networks, kind)
    path = weights.parent
    network = seen.networks.kept.get(weights, seen.networks.device, lambda weights: _read(weights, seen.networks))
    seen.check()
    height, width, _ = seen.pixels.shape
    said = _json(path / _PREPARATION) if (path / _PREPARATION).is_file() else {}
    size = _size(kind, height, width)
    with torch.inference_mode():
        shown = nnf.interpolate(as_tensor(seen.pixels, seen.device) / 255, size, mode="bicubic", align_corners=False)
        mean, deviation = (_three(said.get(name), default).to(seen.device) for name, default in (("image_mean", 0.5), ("image_std", 0.5)))
        depth = network(pixel_values=(shown - mean) / deviation).predicted_depth
        whole = nnf.interpolate(depth[:, None].float(), (height, width), mode="bicubic", align_corners=False)[0, 0]
    return spread(np.nan_to_num(whole.cpu().double().numpy()))


def _size(kind: DepthKind, height: int, width: int) -> tuple[int, int]:
    """(h, w) at which the network looks at a picture."""
    if kind.is_square:
        return kind.shorter_px, kind.shorter_px
    factor = kind.shorter_px / min(height, width)
    sides = [max(kind.multiple, round(side * factor / kind.multiple) * kind.multiple) for side in (height, width)]
    return sides[0], sides[1]


def _three(values: Any, default: float) -> Tensor:
    """Three numbers of a preparation as (1, 3, 1, 1)."""
    is_sound = isinstance(values, list) and len(values) == 3 and all(isinstance(value, int | float) and 0 < value < 10 for value in values)
    return torch.tensor(values if is_sound else [default] * 3).view(1, 3, 1, 1)


def find_weights(networks: Networks, kind: DepthKind) -> Path:
    """Those in the first folder of this kind, by name; other formats are not looked for. Raises `ModelNotFound`."""
    for path in _folders(networks.folders):
        if kind.architecture in (_json(path / _CONFIG).get("architectures") or ()):
            if not (path / _WEIGHTS).is_file():
                raise ModelNotFound("file", f"{path.name}/{_WEIGHTS}", path=networks.field, remedy=f"Put it into {FOLDER}/{path.name}.")
            return path / _WEIGHTS
    remedy = f"Put such a folder with {_CONFIG} and {_WEIGHTS} into {FOLDER}; it is published in {kind.publisher}."
    raise ModelNotFound("folder", kind.example, path=networks.field, remedy=remedy)


def _folders(models: Sequence[Path]) -> Iterator[Path]:
    for root in models:
        for name in FOLDERS[ANNOTATOR]:
            if (root / name).is_dir():
                yield from sorted(path for path in (root / name).iterdir() if (path / _CONFIG).is_file())


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LIMIT_BYTES:
            raise ValueError(path)
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read(weights: Path, networks: Networks) -> nn.Module:
    """The network of a folder, whose weights are safetensors; nothing is looked up anywhere."""
    from transformers import AutoModelForDepthEstimation  # half a second, for the few who need it

    networks.check()
    path = weights.parent
    read_header(weights)
    try:
        network, told = AutoModelForDepthEstimation.from_pretrained(
            path, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CorruptFile(path.name, "its configuration and its weights do not fit", path=networks.field, detail=str(error)) from error
    if lacking := [*told["missing_keys"], *told["mismatched_keys"]]:
        # They would hold random numbers.
        raise ModelIncomplete(f"{path.name}/{_WEIGHTS}", "depth network", [str(name) for name in lacking], path=networks.field)
    networks.check()
    return network.to(networks.device).eval().requires_grad_(False)
