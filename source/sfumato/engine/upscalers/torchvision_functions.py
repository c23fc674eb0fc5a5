"""The three things that spandrel takes from torchvision, for machines that have none, or one that was built for another torch.

`lent` puts them where spandrel looks, for as long as it is imported and no longer: nothing else may take them for torchvision.
"""

from __future__ import annotations

import enum
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional

_FUNCTIONS = "torchvision.transforms.functional"


class InterpolationMode(enum.Enum):
    """How values between pixels are found; named as torchvision names them."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """(..., C, H, W), each channel less its mean and divided by its deviation."""
    shape = (-1, 1, 1)
    middle, spread = (torch.as_tensor(values, dtype=tensor.dtype, device=tensor.device).view(shape) for values in (mean, std))
    return tensor.sub_(middle).div_(spread) if inplace else (tensor - middle) / spread


def rotate(img: Tensor, angle: float | Tensor, interpolation: InterpolationMode = InterpolationMode.NEAREST, fill: float | None = None) -> Tensor:
    """(B, C, H, W) turned about its centre by `angle` degrees against the clock; what comes from beyond its edges is `fill`."""
    turn = math.radians(float(angle))
    height, width = img.shape[-2:]
    # From a place in the result to that in the picture, in units of half its sides; the ratio keeps pixels square.
    rows = [[math.cos(turn), -math.sin(turn) * height / width, 0.0], [math.sin(turn) * width / height, math.cos(turn), 0.0]]
    places = torch.tensor(rows, dtype=img.dtype, device=img.device).expand(len(img), 2, 3)
    grid = functional.affine_grid(places, list(img.shape), align_corners=False)
    outside = fill or 0.0
    return functional.grid_sample(img - outside, grid, mode=interpolation.value, padding_mode="zeros", align_corners=False) + outside


@contextmanager
def lent() -> Iterator[None]:
    """While inside, `torchvision.transforms.functional` can be imported: torchvision's own where it works, else the functions above."""
    try:
        __import__(_FUNCTIONS)
    except (ImportError, RuntimeError, OSError, AttributeError):  # built for another torch it fails in many ways
        pass
    else:
        yield
        return
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "torchvision"}
    for name in before:
        del sys.modules[name]
    for name in ("torchvision", "torchvision.transforms", _FUNCTIONS):
        module = sys.modules[name] = ModuleType(name)
        module.__spec__, module.__path__ = ModuleSpec(name, None, is_package=True), []
    functions = sys.modules[_FUNCTIONS]
    for lends in (InterpolationMode, normalize, rotate):
        setattr(functions, lends.__name__, lends)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.modules.update(before)
