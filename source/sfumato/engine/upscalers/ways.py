"""An upscaler ready for a job, whether it is a filter or a model: what tasks and the highres pass enlarge with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from sfumato.engine.device import Device
from sfumato.engine.inputs.resizing import Size
from sfumato.engine.upscalers.enlarging import Enlarger
from sfumato.engine.upscalers.kept import KeptImageNetworks
from sfumato.engine.upscalers.tiles import Tiling
from sfumato.engine.upscaling import Upscaler
from sfumato.protocol.errors import FileTrouble, MissingPackage, ModelUnsupported


@dataclass(frozen=True)
class Way:
    """One upscaler, ready.

    Attributes:
        name: as other programs name it: of a model its file without folder and ending.
        path: the model's file, None for a filter.
    """

    name: str
    path: Path | None
    _enlarge: Callable[[Image.Image, Size, Callable[[], None]], Image.Image]
    _count: Callable[[Size, Size, bool], int]

    def enlarge(self, picture: Image.Image, size: Size, told: Callable[[], None] = lambda: None) -> Image.Image:
        """The picture ("RGB" or "RGBA") in exactly `size`; `told` is called before each unit and may raise to stop."""
        return self._enlarge(picture, size, told)

    def count(self, source: Size, target: Size, is_transparent: bool = False) -> int:
        """How many units it takes to enlarge a picture."""
        return self._count(source, target, is_transparent)


def way_of(
    upscaler: Upscaler,
    field: str,
    kept: KeptImageNetworks,
    device: Device,
    check: Callable[[], None],
    tiling: Tiling = Tiling(),  # noqa: B008 - it is frozen
    say: Callable[[str], None] = lambda sentence: None,
) -> Way:
    """An upscaler that is not a latent's, its model read if it is not in memory.

    Args:
        field: of the request, which is named where the file is at fault.
        check: called before each tensor that is read; may raise to stop.
        say: told a sentence when tiles get smaller.

    Raises the errors of `open_network`, and `ModelUnsupported` for a network that expects a face.
    """
    if upscaler.pixels is not None:
        enlarge = upscaler.pixels

        def at_once(picture: Image.Image, size: Size, told: Callable[[], None]) -> Image.Image:
            told()
            return enlarge(picture, size)

        return Way(upscaler.name, None, at_once, lambda source, target, is_transparent: 1)
    assert upscaler.model is not None, "a latent is no picture"
    try:
        network = kept.network(upscaler.model, device, check)
    except (FileTrouble, MissingPackage) as error:
        error.path = field
        raise
    if network.is_face:
        raise ModelUnsupported(network.name, f"{network.architecture}, which mends single faces", use="enlarge pictures with it", path=field)
    enlarger = Enlarger(network, tiling, say)
    return Way(upscaler.model.stem, upscaler.model, enlarger, enlarger.count)
