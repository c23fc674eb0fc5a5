"""The picture a job starts from and its mask, ready for each pass: opened, resized, cut out, enlarged, and the result put back.

Geometry is that of `inputs`; which of its ways is taken is decided here, from the request alone. No model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from PIL import Image

from sfumato.engine.inputs import masks, outpainting, repainting
from sfumato.engine.inputs.colour_matching import match_colours
from sfumato.engine.inputs.masks import MaskShape
from sfumato.engine.inputs.opening import open_mask, open_picture
from sfumato.engine.inputs.outpainting import Sides
from sfumato.engine.inputs.repainting import Workpiece
from sfumato.engine.inputs.resizing import PIXEL_UPSCALERS, RESIZE_MODES, Size, fill, fitting, resized
from sfumato.engine.inputs.resizing import Upscaler as PixelUpscaler
from sfumato.protocol.params import SIZE_STEP_PX
from sfumato.protocol.requests.generate import Generate

_ENLARGED = "crop"


@dataclass(frozen=True)
class Start:
    """What one picture is painted over.

    Attributes:
        picture: what is encoded, "RGB"; of the working size, but for resize mode latent.
        size: the working size, (width, height).
        work: how a mask is applied and the result put back; None = no mask.
    """

    picture: Image.Image
    size: Size
    work: Workpiece | None = None

    def put_back(self, painted: Image.Image, paste_mask: Image.Image | None = None) -> Image.Image:
        """The finished picture from what was painted at the working size. `paste_mask` of the working size replaces the mask's own."""
        if self.work is None:
            return painted
        mask = None if paste_mask is None else repainting.mask_in_base(self.work, paste_mask)
        return repainting.put_back(self.work, painted, mask)

    @property
    def working(self) -> Image.Image:
        """The picture at the working size, with what its mask would empty or fill."""
        if self.work is None:
            return resized(self.picture, self.size, "stretch")
        return self.work.base if self.work.box is None else fill(self.work.base.crop(self.work.box), self.size)

    @property
    def untouched(self) -> Image.Image:
        """The picture where nothing is painted: only resized."""
        return self.work.base if self.work else self.picture


def sides_of(request: Generate) -> Sides:
    return Sides(request.outpaint_left, request.outpaint_right, request.outpaint_top, request.outpaint_bottom)


class Originals:
    """The input of one job.

    Args:
        blobs: name -> bytes; the request's `image` and `mask` are names here.

    Raises `ImageUnreadable`.
    """

    def __init__(self, request: Generate, blobs: Mapping[str, bytes]) -> None:
        self._request = request
        self._picture = open_picture(blobs[request.image], "image", request.background)
        # Of less than a latent's place there is no latent to stretch.
        self._mode = "stretch" if request.resize_mode not in RESIZE_MODES and min(self._picture.size) < SIZE_STEP_PX else request.resize_mode
        self._upscale: PixelUpscaler = PIXEL_UPSCALERS[request.resize_filter]
        self._mask: Image.Image | None = None
        self.mask_size: Size = (0, 0)
        if request.mask:
            given = open_mask(blobs[request.mask], "mask")
            self.mask_size = given.size
            grey = repainting.matched(given, self._picture)
            self._mask = masks.shaped(grey, mask_shape(request))
        self._sides = sides_of(request)

    @property
    def size(self) -> Size:
        return self._picture.size

    @property
    def has_empty_mask(self) -> bool:
        return self._mask is not None and masks.is_empty(self._mask)

    @property
    def own_size(self) -> Size | None:
        """The working size where the picture decides it: outpainted, the size asked for (unset: its own) is that of the picture inside its new sides."""
        if self._sides != Sides():
            return outpainting.canvas_of(self._inner, self._sides).size
        return None

    @property
    def is_latent_resize(self) -> bool:
        """Whether the picture is encoded at its own size, and its latent stretched."""
        is_cut = self._mask is not None and not self.has_empty_mask and self._request.mask_padding is not None
        return self._mode not in RESIZE_MODES and self._sides == Sides() and not is_cut

    def start(self, size: Size) -> Start:
        """The start of the first pass at the working size."""
        if self._sides != Sides():
            return self._outpainted()
        if self._mask is None or self.has_empty_mask:
            picture = self._picture if self._mode not in RESIZE_MODES else resized(self._picture, size, self._mode, self._upscale)
            return Start(picture, size)
        return self._masked(self._picture, self._mask, size, self._mode, is_first=True)

    def again(self, before: Start, result: Image.Image) -> Start:
        """The start of the next loop: the result in place of the picture, under the same mask, which now starts from what is there."""
        if before.work is None:
            return Start(result, before.size)
        if before.work.box is not None:
            assert self._mask is not None
            return self._masked(result, self._mask, before.size, _ENLARGED, is_first=False)
        work = replace(before.work, picture=result, base=result)
        return Start(result, before.size, work)

    def enlarged(self, before: Start, size: Size) -> Start:
        """The same start at the size of the highres pass, from the picture as it was given where that shows the same."""
        work = before.work
        if work is None:
            return Start(resized(before.picture, size, _ENLARGED, self._upscale), size)
        if work.box is not None:
            covered = resized(work.mask, size, _ENLARGED)
            part = fill(work.base.crop(work.box), size, self._upscale)
            return Start(part, size, replace(work, picture=part, mask=covered, inner=fitting(work.box.size, size)))
        keeps_aspect = size[0] * before.size[1] == size[1] * before.size[0]
        if keeps_aspect and self._sides == Sides() and self._mask is not None and self._request.loops == 1:
            return self._masked(self._picture, self._mask, size, self._mode, is_first=True)
        bigger = repainting.whole(work.base, work.mask, size, _ENLARGED, self._upscale)
        return Start(bigger.picture, size, bigger)

    def coloured(self, painted: Image.Image, first: Start) -> Image.Image:
        """What was painted, with the colours of the picture the job started from."""
        return match_colours(painted, first.picture)

    def _masked(self, picture: Image.Image, mask: Image.Image, size: Size, mode: str, *, is_first: bool) -> Start:
        request = self._request
        is_filled = is_first and request.mask_fill != "original"
        if request.mask_padding is not None:
            work = repainting.only_masked(picture, mask, request.mask_padding, size, self._upscale, is_filled)
            assert work is not None  # an empty mask was told apart before
        else:
            work = repainting.whole(picture, mask, size, mode, self._upscale, is_filled)
        return Start(work.picture, size, work)

    @property
    def _inner(self) -> Size:
        return self._request.width or self.size[0], self._request.height or self.size[1]

    def _outpainted(self) -> Start:
        picture = self._picture
        if picture.size != self._inner:
            picture = resized(picture, self._inner, self._mode if self._mode in RESIZE_MODES else "stretch", self._upscale)
        work = outpainting.begin(picture, self._sides, self._request.outpaint_fill, self._request.outpaint_overlap)
        return Start(work.picture, work.base.size, work)


def mask_shape(request: Generate) -> MaskShape:
    """How the request shapes its mask. Soft and differential masks live of their greys, so only a hard one is rounded."""
    rounded = request.mask_round and request.mask_mode == "hard"
    return MaskShape(rounded, request.mask_invert, request.mask_expand, request.mask_blur, request.mask_blur)
