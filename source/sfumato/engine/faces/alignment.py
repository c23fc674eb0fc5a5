"""A face brought to where every aligned face has its eyes and mouth, and back to where it was.

The map is a similarity (turn, scale, shift) that takes the five landmarks as near as can be to the template: least squares, in closed form (Umeyama 1991,
here with complex numbers). Coordinates count pixel centres as whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from sfumato.engine.inputs.resizing import Box, extended

Points = npt.NDArray[np.float64]

SIDE_PX = 512
# Where FFHQ, the faces that restorers learnt from, has its landmarks at 512 pixels; these are facts of that data set.
TEMPLATE: Points = np.array([[192.98138, 239.94708], [318.90277, 240.1936], [256.63416, 314.01935], [201.26117, 371.41043], [313.08905, 371.15118]])
# As far as a sample reaches to its neighbours.
_BESIDE_PX = 3
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

    def drawn(self, picture: Image.Image, size: tuple[int, int], offset: tuple[int, int] = (0, 0)) -> Image.Image:
        """What a picture becomes under this map: its part of `size` pixels from `offset` on, black beyond it."""
        back = self.inverse
        # Pillow counts from the corners of pixels, half a pixel before their centres.
        start = back.turn * (complex(*offset) - (0.5 + 0.5j)) + back.shift + (0.5 + 0.5j)
        rows = (back.turn.real, -back.turn.imag, start.real, back.turn.imag, back.turn.real, start.imag)
        bands = [
            # In bytes Pillow cuts fractions off, and a face brought back would be darker by one.
            np.rint(np.asarray(band.convert("F").transform(size, Image.Transform.AFFINE, rows, Image.Resampling.BICUBIC))).clip(0, 255).astype(np.uint8)
            for band in picture.split()
        ]
        return Image.fromarray(np.stack(bands, axis=-1) if len(bands) > 1 else bands[0])


def aligned(picture: Image.Image, landmarks: Points) -> tuple[Image.Image, Similarity]:
    """A face of an "RGB" picture as (512, 512) pixels, upright, and the map that took it there; beyond the picture its edges go on."""
    found = Similarity.between(landmarks, TEMPLATE)
    left, top, right, bottom = _reach(found)
    part = extended(picture, Box(left, top, right, bottom))
    # A large face is made smaller by averaging first: sampled as it is, its pores would become a pattern.
    shrunk = max(1, int(1 / abs(found.turn)))
    if shrunk > 1:
        part = part.reduce(shrunk)
    # From the part to the picture; pixel centres of one made smaller lie between those it was made of.
    placed = Similarity(complex(shrunk), complex(left, top) + (shrunk - 1) / 2 * (1 + 1j))
    return Similarity(found.turn * placed.turn, found.turn * placed.shift + found.shift).drawn(part, (SIDE_PX, SIDE_PX)), found


def _reach(similarity: Similarity) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of where an aligned face lies in its picture, and what is sampled beside it."""
    corners = similarity.inverse(np.array([[0.0, 0.0], [SIDE_PX, 0.0], [0.0, SIDE_PX], [SIDE_PX, SIDE_PX]]))
    (left, top), (right, bottom) = np.floor(corners.min(0)).astype(int) - _BESIDE_PX, np.ceil(corners.max(0)).astype(int) + _BESIDE_PX
    return int(left), int(top), int(right), int(bottom)


def laid_back(picture: Image.Image, face: Image.Image, similarity: Similarity) -> Image.Image:
    """The picture with an aligned face laid over the place it came from, faded at its edges."""
    back = similarity.inverse
    reach = _reach(similarity)
    left, top = max(0, reach[0]), max(0, reach[1])
    right, bottom = min(picture.width, reach[2]), min(picture.height, reach[3])
    if right <= left or bottom <= top:
        return picture
    size, offset = (right - left, bottom - top), (left, top)
    layer = back.drawn(face, size, offset)
    done = picture.copy()
    done.paste(layer, offset, back.drawn(_mask(), size, offset))
    return done


def _mask() -> Image.Image:
    """(512, 512): 0 at the edges, 255 from `_FADE_PX` inwards, smoothly between."""
    away = np.minimum(np.arange(SIDE_PX), np.arange(SIDE_PX)[::-1])
    share = np.clip(away / _FADE_PX, 0, 1)
    smooth = share**2 * (3 - 2 * share)
    return Image.fromarray((np.outer(smooth, smooth) * 255).round().astype(np.uint8))
