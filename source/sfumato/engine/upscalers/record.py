"""What an enlarged picture remembers: all that its source told, and how it was enlarged. Rules: M4, M5 of metadata.

Other programs read the second from the PNG text `postprocessing`, under the names of AUTOMATIC1111's tab Extras; the formats that have no such text keep it in
our own record.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch
from PIL import Image

from sfumato.engine.device import Device
from sfumato.engine.inputs.opening import flattened
from sfumato.engine.inputs.resizing import Size
from sfumato.engine.record import PENDING, UsedModel
from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import Encoded, encode
from sfumato.imaging.infotext import Value, quoted, shown
from sfumato.imaging.picture import Reading, read_picture
from sfumato.library.hashes import Hashes
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.upscale import Upscale

# Colour profiles are a few kilobytes; what is larger is none.
_PROFILE_LIMIT_BYTES = 1 << 20
_OPAQUE = frozenset({"jpeg"})
_DAMAGE = (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError, struct.error, zlib.error, Warning)


@dataclass(frozen=True)
class Source:
    """A picture that was given: its bytes, what it tells of itself, and its size."""

    blob: str
    data: bytes
    size: Size

    @property
    def reading(self) -> Reading:
        return read_picture(self.data)


@dataclass(frozen=True)
class Recorder:
    """Writes the pictures of one job."""

    request: Upscale
    models: Sequence[UsedModel]
    device: Device
    hashes: Hashes

    def record(self, picture: Image.Image, source: Source, index: int, told: Mapping[str, Value], warnings: Sequence[JobWarning]) -> tuple[Encoded, str, str]:
        """The file of a picture, the infotext of its source, and how it was enlarged; both texts are empty (and not in the file) unless the request wants all.

        Args:
            told: keys and values for `postprocessing`, in order.
        """
        request = self.request
        if request.format in _OPAQUE:
            picture = flattened(picture)
        options: dict[str, Any] = {"form": request.format, "quality": request.quality, **_appearance(source.data)}
        if request.metadata == "none":
            return encode(picture, **options), "", ""
        text = postprocessing(told)
        reading = source.reading if request.metadata == "full" else None
        digests = {used.path: self.hashes.known(used.path) for used in self.models}
        own = own_document(
            "upscale",
            self._request().model_dump(mode="json"),
            {"index": index, "width": picture.width, "height": picture.height, "stage": "final"},
            datetime.now(UTC).astimezone(),
            resolved={"postprocessing": text},
            models=[
                {"role": used.role, "name": used.name, "family": used.family, "sha256": digests[used.path] or PENDING, "bytes": used.bytes}
                for used in self.models
            ],
            inputs=[{"role": "images", "sha256": hashlib.sha256(source.data).hexdigest(), "width": source.size[0], "height": source.size[1], "name": ""}],
            engine={"torch": torch.__version__, "diffusers": version("diffusers"), "device": self.device.name, "dtype": self.device.dtype_name},
            warnings=[warning.model_dump(mode="json") for warning in warnings],
            source=reading.own if reading is not None else None,
        )
        infotext = reading.text if reading is not None else ""
        return encode(picture, infotext, own, postprocessing=text, **options), infotext, text

    def _request(self) -> Upscale:
        """The request as it is written: of each picture nothing but that it was there."""
        return self.request.model_copy(update={"images": ()})


def postprocessing(told: Mapping[str, Value]) -> str:
    """Pairs as the last line of an infotext has them."""
    return ", ".join(f"{key}: {quoted(shown(value))}" for key, value in told.items() if value is not None)


def _appearance(data: bytes) -> dict[str, Any]:
    """The colour profile and the resolution that a picture is to be shown with; nothing if they cannot be read."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            profile, dpi = image.info.get("icc_profile"), image.info.get("dpi")
            mode = image.mode
    except _DAMAGE:
        return {}
    # A profile of inks or greys says nothing of the red, green and blue that were made of them.
    is_usable = isinstance(profile, bytes) and len(profile) <= _PROFILE_LIMIT_BYTES and mode in ("RGB", "RGBA", "P")
    found: dict[str, Any] = {"icc_profile": profile} if is_usable else {}
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(isinstance(each, int | float) and 0 < each < 100_000 for each in dpi):
        found["dpi"] = (float(dpi[0]), float(dpi[1]))
    return found
