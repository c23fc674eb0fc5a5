"""The faces of a picture mended one after the other: found, aligned, restored, laid back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sfumato.engine.faces.alignment import aligned, laid_back
from sfumato.engine.faces.detection import Detector
from sfumato.engine.upscalers.network import ImageNetwork
from sfumato.protocol.errors import ModelUnsupported

Restore = Callable[[Any, Tensor, float], Tensor]


@dataclass(frozen=True)
class Restorer:
    """How one architecture is asked: `call(module, face, fidelity)`, (1, 3, 512, 512) in -1..1 to the same."""

    call: Restore
    takes_fidelity: bool = False


# By architecture. Their modules work in -1..1 and give what they thought besides; spandrel's own calls of the first two forget the range.
RESTORERS: Mapping[str, Restorer] = MappingProxyType(
    {
        "GFPGAN": Restorer(lambda module, face, fidelity: module(face, return_rgb=False)[0]),
        "CodeFormer": Restorer(lambda module, face, fidelity: module(face, weight=fidelity)[0], takes_fidelity=True),
        "RestoreFormer": Restorer(lambda module, face, fidelity: module(face)[0]),
    }
)


class FaceMender:
    """Mends faces with one restorer.

    Args:
        fidelity: 0..1, how near the result stays to what is seen, for restorers that ask.
        check: called before each face; may raise to stop.

    Raises:
        ModelUnsupported: the network is no face restorer.
    """

    def __init__(self, network: ImageNetwork, detector: Detector, fidelity: float = 0.5, check: Callable[[], None] = lambda: None) -> None:
        if network.architecture not in RESTORERS:
            raise ModelUnsupported(network.name, f"{network.architecture}, which enlarges pictures", use="mend faces with it", path="face_model")
        self._network = network
        self._restorer = RESTORERS[network.architecture]
        self._detector = detector
        self._fidelity = fidelity
        self._check = check

    @property
    def takes_fidelity(self) -> bool:
        return self._restorer.takes_fidelity

    def __call__(self, picture: Image.Image) -> tuple[Image.Image, int]:
        """The picture ("RGB" or "RGBA", whose transparency stays) with its faces mended, and how many there are."""
        self._check()
        colours = picture.convert("RGB")
        faces = self._detector(colours)
        for face in faces:
            self._check()
            cut, similarity = aligned(colours, face.landmarks)
            colours = laid_back(colours, self._restored(cut), similarity)
        if picture.mode == "RGBA":
            colours.putalpha(picture.getchannel("A"))
        return colours, len(faces)

    def _restored(self, face: Image.Image) -> Image.Image:
        network = self._network
        pixels = torch.from_numpy(np.asarray(face).copy()).permute(2, 0, 1)[None].to(network.device, network.dtype) / 127.5 - 1
        with torch.inference_mode():
            mended = self._restorer.call(network.module, pixels, self._fidelity)
        mended = torch.nan_to_num(mended.float(), 0.0, 1.0, -1.0).clamp(-1, 1)[0].permute(1, 2, 0)
        return Image.fromarray(((mended + 1) * 127.5).round().to(torch.uint8).cpu().numpy())
