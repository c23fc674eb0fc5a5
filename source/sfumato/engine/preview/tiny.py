"""Tiny autoencoders (Bohan 2023, TAESD): a decoder of a few megabytes from the latent of a family, as a file that the user supplies.

Read in the layouts they are published in: the decoder alone with its layers' numbers for keys, the same under a prefix, or diffusers' AutoencoderTiny.
Files lie in the models folder's `vae_approx`, named for the latent they read (`Family.tiny`: "taesd", "taesdxl").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from sfumato.engine.checkpoint import identity_of, weights_of
from sfumato.engine.decoding import Pixels, to_pixels
from sfumato.engine.layouts.place import Place
from sfumato.library.models import FOLDERS, TINY, scan
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile, ModelIncompatible, ModelNotFound, PickleRefused

if TYPE_CHECKING:
    from sfumato.engine.checkpoint import Stored
    from sfumato.engine.device import Device
    from sfumato.engine.family import Model
    from sfumato.engine.preview.previewer import Colours

# Prefix of the decoder's layers, and how far their numbers are from diffusers', which has no layer for the clamp.
_LAYOUTS = (("decoder.layers.", 0), ("taesd_decoder.", 1), ("decoder.", 1), ("", 1))
_LAYER = re.compile(r"(\d{1,3})\.(.+)")
# Latents beyond this side are shrunk first: the picture is shown at half of what they give anyway, and memory grows with them.
_SIDE_LIMIT = 128


def find_tiny(folders: Sequence[Path], stem: str, field: str = "preview") -> Path:
    """The decoder's file for latents of this stem: a file, or one in a folder, whose name is the stem or goes on after it with another sign than a letter.

    Raises `ModelNotFound`, or `PickleRefused` where there is only a pickle; `field` of the request is what they name.
    """
    named = re.compile(rf"{re.escape(stem)}(?![a-z0-9])", re.IGNORECASE)
    found = [entry for entry in scan(folders, TINY) if any(named.match(name) for name in (entry.path.stem, entry.path.parent.name))]
    usable = [entry.path for entry in found if entry.kind == "safetensors" and "encoder" not in entry.path.stem.casefold()]
    if usable:
        return usable[0]
    if any(entry.kind == "pickle" for entry in found):
        raise PickleRefused(found[0].path.name, path=field)
    raise ModelNotFound(TINY, f"{stem}_decoder", path=field, remedy=place_of(stem))


def place_of(stem: str) -> str:
    """A sentence that says where the file of this stem belongs."""
    return f"For this model it is {stem}_decoder.safetensors in the folder {FOLDERS[TINY][0]} of a models folder."


def load_tiny(path: Path, device: Device) -> nn.Module:
    """The decoder of a file: latents (B, C, h, w) -> pictures (B, 3, 8h, 8w) in -1..1.

    Raises `CorruptFile`, also for a file of another kind.
    """
    from diffusers.models.autoencoders.vae import DecoderTiny  # late: seconds, and only for those who use it

    from sfumato.engine.modules import fill
    from sfumato.engine.reading import Reader

    weights = _decoder_weights(path)
    first, blocks = weights.get("layers.0.weight"), _blocks(weights)
    if first is None or len(first.shape) != 4 or not blocks:
        raise CorruptFile(path.name, "it holds no decoder of a tiny autoencoder", path="preview")
    width, channels = first.shape[:2]
    with torch.device("meta"):
        decoder = DecoderTiny(channels, 3, blocks, (width,) * len(blocks), 2, "relu", "nearest")
    with Reader(path.name) as reader:
        fill(decoder, weights, path.name, "vae", reader, device.dtype, device.torch)
    return decoder


def _decoder_weights(path: Path) -> dict[str, Stored]:
    """Name in diffusers' decoder -> weight."""
    header = read_header(path)
    for prefix, distance in _LAYOUTS:
        layers = {key: _LAYER.fullmatch(key.removeprefix(prefix)) for key in header.tensors if key.startswith(prefix)}
        places = {f"layers.{int(found[1]) - distance}.{found[2]}": Place(key) for key, found in layers.items() if found}
        if places:
            return weights_of(path, header, places)
    return {}


def _blocks(weights: Mapping[str, Stored]) -> tuple[int, ...]:
    """How many residual blocks lie between one convolution and the next, from the first convolution to the last."""
    indices = sorted({int(name.split(".")[1]) for name in weights})
    counts = [0]
    for index in indices:
        if f"layers.{index}.conv.0.weight" in weights:
            counts[-1] += 1
        elif index > 0:
            counts.append(0)
    return tuple(counts[:-1])


class TinyDecoders:
    """The decoder used last, kept between jobs of a process."""

    def __init__(self) -> None:
        self._key: object = None
        self._decoder: nn.Module | None = None

    def get(self, path: Path, device: Device) -> nn.Module:
        """The decoder of a file, read again only if the file or the device changed; errors as `load_tiny`."""
        key = (identity_of([path]), device)
        if self._decoder is None or key != self._key:
            self._decoder = None
            self._decoder, self._key = load_tiny(path, device), key
        return self._decoder

    @property
    def nbytes(self) -> int:
        """What it takes."""
        return sum(weight.nbytes for weight in self._decoder.parameters()) if self._decoder is not None else 0

    def clear(self) -> None:
        """Let it go."""
        self._key, self._decoder = None, None


def tiny_decode(decoder: nn.Module, model: Model, name: str, field: str = "preview") -> Callable[[Tensor], Pixels]:
    """A latent (1, C, h, w) -> pixels (8h, 8w, 3) by the decoder. Raises `ModelIncompatible` where it reads another kind of latent."""
    first = next(decoder.parameters())
    channels = first.shape[1]
    if channels != model.latent.channels:
        raise ModelIncompatible(name, f"latents of {channels} channels", f"{model.family.title}, whose latents have {model.latent.channels}", path=field)

    def decode(latent: Tensor) -> Pixels:
        with torch.inference_mode():
            return to_pixels(decoder(latent.to(first.dtype))[0].float().nan_to_num(0.0))

    return decode


def tiny_colours(decoder: nn.Module, model: Model, name: str) -> Colours:
    """Latents -> pictures of a preview's size by the decoder. Raises `ModelIncompatible` where it reads another kind of latent."""
    decode = tiny_decode(decoder, model, name)

    def colours(latents: Tensor) -> list[Image.Image]:
        scale = _SIDE_LIMIT / max(latents.shape[-2:])
        if scale < 1:
            height, width = (max(1, round(side * scale)) for side in latents.shape[-2:])
            latents = functional.interpolate(latents, size=(height, width), mode="area")
        return [Image.fromarray(decode(row[None])) for row in latents]

    return colours
