"""A picture continued beyond its edges: the larger canvas, what its new bands start from, and the mask that repaints them (E69 of engine)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.engine.inputs.colour_matching import match_histogram
from sfumato.engine.inputs.masks import blurred as blurred_mask
from sfumato.engine.inputs.masks import convolved, expanded, gaussian_kernel
from sfumato.engine.inputs.repainting import Workpiece
from sfumato.engine.inputs.resizing import Box, extended

Fill = Literal["edges", "texture", "noise"]
Array = NDArray[np.float64]

STEP_PX = 8
# Softens the streaks that stretched edges are.
_STREAK_SIGMA = 16.0
_SEED = 0
# Share of the noise that differs between red, green and blue.
_COLOUR = 0.05


@dataclass(frozen=True, slots=True)
class Sides:
    """Pixels to be painted beyond each edge."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def one_by_one(self) -> tuple[Sides, ...]:
        """One side at a time, in the order of the fields; each is continued from the result of the last."""
        return tuple(Sides(**{name: pixels}) for name in ("left", "right", "top", "bottom") if (pixels := getattr(self, name)) > 0)


def begin(picture: Image.Image, sides: Sides, fill: Fill = "edges", overlap: int = 8) -> Workpiece:
    """The work of painting the sides of a picture ("RGB").

    The working size is that of `work.base`: the picture and its sides, rounded up to multiples of 8; what rounding adds is painted too, to the right or
    below unless only the other side is. The picture's pixels farther than `overlap` from a painted side keep their bytes.

    Args:
        fill: "edges" stretches the outermost pixels and blurs them; "texture" is noise with the picture's spectrum and colours; "noise" is the
            latent's: here as "edges", and the caller replaces the latent by noise where the mask is open.
        overlap: how far the mask reaches into the picture, ever more closed.
    """
    plane = canvas_of(picture.size, sides)
    canvas = _FILLS[fill](picture, plane)
    canvas.paste(picture, (-plane.left, -plane.top))
    mask = band_mask(picture.size, plane, overlap)
    return Workpiece(canvas, mask, canvas, mask)


def canvas_of(size: tuple[int, int], sides: Sides) -> Box:
    """The new canvas in the coordinates of the picture: left and top are 0 or negative."""
    left, right = _rounded_up(size[0], sides.left, sides.right)
    top, bottom = _rounded_up(size[1], sides.top, sides.bottom)
    return Box(-left, -top, size[0] + right, size[1] + bottom)


def band_mask(size: tuple[int, int], plane: Box, overlap: int) -> Image.Image:
    """White beyond the picture, falling to black within `overlap` pixels of its painted edges, as the integral of a Gaussian."""
    mask = Image.new("L", plane.size, 255)
    mask.paste(0, (-plane.left, -plane.top, size[0] - plane.left, size[1] - plane.top))
    # Half of the overlap is hard, the blur's kernel reaches over the other half and back to the edge of the picture.
    sigma = (overlap - overlap // 2 - 0.4) / 2.5
    soft = blurred_mask(expanded(mask, overlap // 2), sigma, sigma)
    return Image.fromarray(np.maximum(np.asarray(soft), np.asarray(mask)))


def _rounded_up(length: int, before: int, after: int) -> tuple[int, int]:
    extra = -(length + before + after) % STEP_PX
    return (before + extra, after) if before and not after else (before, after + extra)


def _stretched_edges(picture: Image.Image, plane: Box) -> Image.Image:
    kernel = gaussian_kernel(_STREAK_SIGMA)
    # One colour at a time: a large canvas takes gigabytes in float64.
    channels = [_to_image(convolved(convolved(np.asarray(channel), kernel, 1), kernel, 0)) for channel in extended(picture, plane).split()]
    return Image.merge("RGB", channels)


def _texture(picture: Image.Image, plane: Box) -> Image.Image:
    """White noise times the picture's amplitude at each frequency, then with the picture's histogram in each channel. The same for the same picture."""
    width, height = plane.size
    # The picture fades out towards its edges, or these would be the strongest texture in it.
    window = np.outer(_fading(picture.height), _fading(picture.width))
    band = np.ones((height, width), bool)
    band[-plane.top : picture.height - plane.top, -plane.left : picture.width - plane.left] = False
    grey, *colours = np.random.default_rng(_SEED).spawn(4)
    shared = grey.standard_normal((height, width))
    channels: list[Image.Image] = []
    for own, channel in zip(colours, picture.split()):
        pixels = np.asarray(channel).astype(np.float64)
        amplitude = np.abs(np.fft.rfft2((pixels - pixels.mean()) * window, (height, width)))
        noise = (1 - _COLOUR) * shared + _COLOUR * own.standard_normal((height, width))
        texture = np.fft.irfft2(np.fft.rfft2(noise) * amplitude, (height, width))
        texture[band] = match_histogram(texture[band], pixels)
        channels.append(_to_image(texture))
    return Image.merge("RGB", channels)


_FILLS = {"edges": _stretched_edges, "texture": _texture, "noise": _stretched_edges}


def _fading(length: int) -> Array:
    """Raised cosine (Hann 1901) over `length` places, nowhere 0."""
    return np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2


def _to_image(values: Array) -> Image.Image:
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
