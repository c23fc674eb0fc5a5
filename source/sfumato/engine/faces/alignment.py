"""A face brought to where every aligned face has its eyes and mouth, and back to where it was.

The map is a similarity (turn, scale, shift) that takes the five landmarks as near as can be to the template: least squares, in closed form (Umeyama 1991,
here with complex numbers). Coordinates count pixel centres as whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Points = npt.NDArray[np.float64]

SIDE_PX = 512
# Where FFHQ, the faces that restorers learnt from, has its landmarks at 512 pixels; these are facts of that data set.
TEMPLATE: Points = np.array([[192.98138, 239.94708], [318.90277, 240.1936], [256.63416, 314.01935], [201.26117, 371.41043], [313.08905, 371.15118]])
# Beyond the picture; the grey that restorers have seen there.
_OUTSIDE = (132, 133, 135)
# From the edge of an aligned face inwards, how far until it is seen alone.
_FADE_PX = 51


@dataclass(frozen=True)
class Similarity:
    """x + iy -> turn * (x + iy) + shift; |turn| is the scale."""

    turn: complex
    shift: complex

    @staticmethod
    def between(source: Points, target: Points) -> Similarity:
        """The one that takes `source` (n, 2) nearest to `target` (n, 2)."""
        from_, to = (points[:, 0] + 1j * points[:, 1] for points in (source, target))
        middle, wanted = from_.mean(), to.mean()
        spread = float((np.abs(from_ - middle) ** 2).sum())
        turn = complex((np.conj(from_ - middle) * (to - wanted)).sum() / spread) if spread else 1 + 0j
        return Similarity(turn, complex(wanted - turn * middle))

    @property
    def inverse(self) -> Similarity:
        return Similarity(1 / self.turn, -self.shift / self.turn)

    def __call__(self, points: Points) -> Points:
        """Points (n, 2) -> (n, 2)."""
        moved = self.turn * (points[:, 0] + 1j * points[:, 1]) + self.shift
        return np.stack([moved.real, moved.imag], axis=1)

    def drawn(self, picture: Image.Image, size: tuple[int, int], fill: tuple[int, ...] | int, offset: tuple[int, int] = (0, 0)) -> Image.Image:
        """What a picture becomes under this map: its part of `size` pixels from `offset` on."""
        back = self.inverse
        # Pillow counts from the corners of pixels, half a pixel before their centres.
        start = back.turn * (complex(*offset) - (0.5 + 0.5j)) + back.shift + (0.5 + 0.5j)
        rows = (back.turn.real, -back.turn.imag, start.real, back.turn.imag, back.turn.real, start.imag)
        return picture.transform(size, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC, fillcolor=fill)


def aligned(picture: Image.Image, landmarks: Points) -> tuple[Image.Image, Similarity]:
    """A face of an "RGB" picture as (512, 512) pixels, upright, and the map that took it there."""
    found = Similarity.between(landmarks, TEMPLATE)
    # A large face is made smaller by averaging first: sampled as it is, its pores would become a pattern.
    shrunk = max(1, int(1 / abs(found.turn))) if found.turn else 1
    if shrunk == 1:
        return found.drawn(picture, (SIDE_PX, SIDE_PX), _OUTSIDE), found
    small = picture.reduce(shrunk)
    # Pixel centres of the smaller picture lie between those of the larger one.
    enlarged = Similarity(complex(shrunk), complex((shrunk - 1) / 2, (shrunk - 1) / 2))
    joined = Similarity(found.turn * enlarged.turn, found.turn * enlarged.shift + found.shift)
    return joined.drawn(small, (SIDE_PX, SIDE_PX), _OUTSIDE), found


def laid_back(picture: Image.Image, face: Image.Image, similarity: Similarity) -> Image.Image:
    """The picture with an aligned face laid over the place it came from, faded at its edges."""
    back = similarity.inverse
    corners = back(np.array([[0.0, 0.0], [SIDE_PX, 0.0], [0.0, SIDE_PX], [SIDE_PX, SIDE_PX]]))
    left, top = (max(0, int(np.floor(corners[:, axis].min()))) for axis in (0, 1))
    right, bottom = (min(picture.size[axis], int(np.ceil(corners[:, axis].max())) + 1) for axis in (0, 1))
    if right <= left or bottom <= top:
        return picture
    size, offset = (right - left, bottom - top), (left, top)
    layer = back.drawn(face, size, _OUTSIDE, offset)
    done = picture.copy()
    done.paste(layer, offset, back.drawn(_mask(), size, 0, offset))
    return done


def _mask() -> Image.Image:
    """(512, 512): 0 at the edges, 255 from `_FADE_PX` inwards, smoothly between."""
    away = np.minimum(np.arange(SIDE_PX), np.arange(SIDE_PX)[::-1])
    share = np.clip(away / _FADE_PX, 0, 1)
    smooth = share**2 * (3 - 2 * share)
    return Image.fromarray((np.outer(smooth, smooth) * 255).round().astype(np.uint8))
