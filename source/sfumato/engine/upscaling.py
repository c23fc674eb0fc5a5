"""How a picture is enlarged: in pixels, as a latent, or by a model in a file. A new way without a file is a row here (E74, E75, E77).

Models are opened and run by `engine.upscalers`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from torch import Tensor
from torch.nn import functional

from sfumato.engine.inputs.resizing import PIXEL_UPSCALERS, Size
from sfumato.engine.inputs.resizing import Upscaler as PixelUpscaler
from sfumato.library.models import UPSCALER, locate, scan
from sfumato.protocol.errors import ModelNotFound


@dataclass(frozen=True)
class Upscaler:
    """One way of enlarging; exactly one of `pixels`, `latent` and `model` is set.

    Attributes:
        name: in requests and for people; that of AUTOMATIC1111 where it has one.
        pixels: enlarges a picture.
        latent: how `torch.nn.functional.interpolate` enlarges a latent.
        antialias: smooth the latent first where it is made smaller.
        model: file of the network that enlarges.
    """

    name: str
    pixels: PixelUpscaler | None = None
    latent: str = ""
    antialias: bool = False
    model: Path | None = None

    def latents(self, latents: Tensor, size: tuple[int, int]) -> Tensor:
        """Latents (B, C, h, w) at another size (h, w)."""
        return functional.interpolate(latents, size=size, mode=self.latent, antialias=self.antialias)


_LATENT = (
    ("Latent", "bilinear", False),
    ("Latent (antialiased)", "bilinear", True),
    ("Latent (bicubic)", "bicubic", False),
    ("Latent (bicubic antialiased)", "bicubic", True),
    ("Latent (nearest)", "nearest", False),
    ("Latent (nearest-exact)", "nearest-exact", False),
)
UPSCALERS: Mapping[str, Upscaler] = MappingProxyType(
    {name: Upscaler(name, pixels=function) for name, function in PIXEL_UPSCALERS.items()}
    | {name: Upscaler(name, latent=mode, antialias=antialias) for name, mode, antialias in _LATENT}
)


def find_upscaler(name: str) -> Upscaler | None:
    """The upscaler of that name, whatever the case."""
    wanted = name.strip().casefold()
    return next((row for row in UPSCALERS.values() if row.name.casefold() == wanted), None)


def named_upscaler(name: str, folders: Sequence[Path], field: str, latents: bool = True) -> Upscaler:
    """The upscaler of that name: one of the rows above, or a file in the models folders.

    Args:
        latents: whether a latent may be enlarged; a picture has none.

    Raises:
        ModelNotFound: with the closest name there is, of rows and files; and what `locate` raises of the file.
    """
    row = find_upscaler(name)
    if row is not None and (latents or not row.latent):
        return row
    try:
        return Upscaler(name, model=locate(folders, name, UPSCALER, field))
    except ModelNotFound:
        known = [row.name for row in UPSCALERS.values() if latents or not row.latent] + [entry.name for entry in scan(folders, UPSCALER)]
        raise ModelNotFound(UPSCALER, name, difflib.get_close_matches(name, known, 1, 0.4), path=field) from None


@dataclass(frozen=True)
class Enlargement:
    """From the size of the first pass to that of the highres pass, all in pixels, (width, height).

    Attributes:
        cover: what the picture is enlarged to; at least as large as `size`, with the aspect of the first pass.
        size: what is cut out of it, a whole number of latents from the left and the top, the rest from the other sides.
    """

    cover: Size
    size: Size

    def cut(self, latents: Tensor, factor: int) -> Tensor:
        """Latents (B, C, h, w) of the cover's size -> of the size."""
        (wide, high), (width, height) = self.cover, self.size
        left, top = (wide - width) // factor // 2, (high - height) // factor // 2
        return latents[..., top : top + height // factor, left : left + width // factor]


def enlargement(first: Size, scale: float, width: int, height: int, multiple: int) -> Enlargement | None:
    """What a highres pass is asked for; None if for none.

    Args:
        first: size of the first pass.
        scale: factor of both sides, where neither side is given.
        width, height: size to reach; one of them 0 keeps the aspect; both given: covered, then cut.
        multiple: sides are whole multiples of this; what is over is left out.
    """
    if not width and not height:
        if scale == 1:
            return None
        size = (_down(int(first[0] * scale), multiple), _down(int(first[1] * scale), multiple))
        return Enlargement(size, size)
    if width and height:
        size = (_down(width, multiple), _down(height, multiple))
        if first[0] * size[1] < first[1] * size[0]:
            return Enlargement((size[0], max(size[1], _down(size[0] * first[1] // first[0], multiple))), size)
        return Enlargement((max(size[0], _down(size[1] * first[0] // first[1], multiple)), size[1]), size)
    size = (width or height * first[0] // first[1], height or width * first[1] // first[0])
    size = (_down(size[0], multiple), _down(size[1], multiple))
    return Enlargement(size, size)


def _down(side: int, multiple: int) -> int:
    return max(multiple, side - side % multiple)
