"""Faces of a picture with their landmarks, by a detector read from a file.

Anchors and what the network says of them: Deng et al. 2019 (RetinaFace), section 4.1: two square anchors at each place of three grids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from sfumato.engine.device import Device
from sfumato.engine.faces.retinaface import network_for
from sfumato.engine.upscalers.reading import read_shapes, read_weights
from sfumato.protocol.errors import CorruptFile, ModelUnsupported

# Pixels from one place of a grid to the next -> sides of its anchors.
_GRIDS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
_CENTRE_SHARE, _SIZE_SHARE = 0.1, 0.2
# Blue, green, red: the order and means of the pictures it learnt from.
_MEANS = (104.0, 117.0, 123.0)
_SURE = 0.97
_SAME = 0.4
# Pictures are looked at so large; a smaller one as it is.
_SHORT_SIDE_PX, _LONG_SIDE_PX = 640, 2150
# Eyes nearer to each other than this are a face from the side, or too small to be mended.
_EYES_APART_PX = 5.0


@dataclass(frozen=True)
class Face:
    """One face: `landmarks` (5, 2) are the x and y in pixels of the eye on the left, the eye on the right, the nose, and the mouth's corners."""

    landmarks: npt.NDArray[np.float64]
    score: float = 1.0


class Detector(Protocol):
    """Whatever finds faces."""

    @property
    def nbytes(self) -> int: ...

    def __call__(self, picture: Image.Image) -> list[Face]:
        """The faces of an "RGB" picture, the surest first."""
        ...


@dataclass(frozen=True)
class RetinaFaceDetector:
    """Finds faces with a RetinaFace network, in float32."""

    network: nn.Module
    device: torch.device

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.network.parameters(), *self.network.buffers()))

    def __call__(self, picture: Image.Image) -> list[Face]:
        width, height = picture.size
        shrunk = max(1.0, min(width, height) / _SHORT_SIDE_PX, max(width, height) / _LONG_SIDE_PX)
        size = (max(1, int(width / shrunk)), max(1, int(height / shrunk)))
        seen = picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)
        pixels = torch.from_numpy(np.asarray(seen)[..., ::-1].copy()).permute(2, 0, 1).float()[None]
        with torch.inference_mode():
            boxes, chances, landmarks = (each[0].cpu() for each in self.network((pixels - torch.tensor(_MEANS).view(1, 3, 1, 1)).to(self.device)))
        places = anchors(*size)
        sure = chances > _SURE
        found = _decoded(boxes[sure], landmarks[sure], places[sure])
        faces = [
            Face((found[1][index].double().numpy() + 0.5) * (width / size[0], height / size[1]) - 0.5, float(chances[sure][index]))
            for index in _distinct(found[0], chances[sure])
        ]
        return [face for face in faces if np.linalg.norm(face.landmarks[0] - face.landmarks[1]) >= _EYES_APART_PX]


def open_detector(path: Path, device: Device, check: Callable[[], None] = lambda: None) -> RetinaFaceDetector:
    """The detector in a file.

    Raises:
        CorruptFile, PickleRefused: it is damaged, or no safetensors file.
        ModelUnsupported: it is no detector that is known.
    """
    shapes, keys = read_shapes(path)
    network = network_for(shapes)
    if network is None:
        raise ModelUnsupported(path.name, "no RetinaFace detector", use="find faces with it", path="face_detector")
    try:
        network.load_state_dict(read_weights(path, keys, check))
    except RuntimeError as error:
        raise CorruptFile(path.name, "its weights do not fit the network they are named after", path="face_detector", detail=str(error)[:2000]) from error
    return RetinaFaceDetector(network.eval().requires_grad_(False).to(device.torch), device.torch)


def anchors(width: int, height: int) -> Tensor:
    """(N, 3): x and y of the centres and the sides, in pixels, of all anchors of a picture."""
    found = []
    for step, sides in _GRIDS:
        rows, columns = -(-height // step), -(-width // step)
        y, x, side = torch.meshgrid(
            (torch.arange(rows) + 0.5) * step, (torch.arange(columns) + 0.5) * step, torch.tensor(sides, dtype=torch.float32), indexing="ij"
        )
        found.append(torch.stack([x, y, side], dim=-1).reshape(-1, 3))
    return torch.cat(found)


def _decoded(boxes: Tensor, landmarks: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes (n, 4) as left, top, right, bottom, and landmarks (n, 5, 2), in pixels."""
    centres, sides = places[:, :2], places[:, 2:]
    middle = centres + boxes[:, :2] * _CENTRE_SHARE * sides
    half = sides * torch.exp(boxes[:, 2:] * _SIZE_SHARE) / 2
    points = centres[:, None] + landmarks.view(-1, 5, 2) * _CENTRE_SHARE * sides[:, None]
    return torch.cat([middle - half, middle + half], dim=1), points


def _distinct(boxes: Tensor, scores: Tensor) -> list[int]:
    """Of boxes that cover each other the surest, the surest first."""
    kept: list[int] = []
    for index in scores.argsort(descending=True).tolist():
        if all(_shared(boxes[index], boxes[other]) <= _SAME for other in kept):
            kept.append(index)
    return kept


def _shared(first: Tensor, second: Tensor) -> float:
    """Area of what two boxes share, of the area they cover together."""
    inner = (torch.minimum(first[2:], second[2:]) - torch.maximum(first[:2], second[:2])).clamp(min=0).prod()
    both = (first[2:] - first[:2]).prod() + (second[2:] - second[:2]).prod() - inner
    return float(inner / both) if both > 0 else 0.0
