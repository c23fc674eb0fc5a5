"""Seamless pictures: convolutions that see the opposite edge beyond an edge (E73 and E105 of engine).

A picture made this way continues from its right column in its left one, from its bottom row in its top one. Nothing else in the models knows where a
place lies: attention and normalisation treat a rolled latent like the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

import torch
from diffusers.models.downsampling import Downsample2D
from torch import Tensor, nn
from torch.nn import functional

Tiling = Literal["none", "x", "y", "both"]
PreHook = Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]


@contextmanager
def tiled(models: Iterable[nn.Module], tiling: Tiling) -> Iterator[None]:
    """Within the block every convolution of `models` (UNet, VAE, tiny VAE, control network) pads circularly along x, y or both.

    Weights and forwards are not touched: a hook widens what goes in, and the convolution's own padding along that axis is 0 meanwhile. Equal modules
    may come several times.
    """
    x, y = tiling in ("x", "both"), tiling in ("y", "both")
    modules = {id(module): module for model in models for module in model.modules()} if x or y else {}
    with ExitStack() as undo:
        for module in modules.values():
            if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
                _wrap_around(module, x, y, undo)
            elif isinstance(module, Downsample2D) and module.use_conv and module.padding == 0:
                undo.callback(module.conv.register_forward_pre_hook(_replacing_last(x, y)).remove)
        yield


def _wrap_around(conv: nn.Conv2d, x: bool, y: bool, undo: ExitStack) -> None:
    """Give one convolution its circular padding; `undo` takes it back."""
    before = conv.padding
    vertical, horizontal = _amounts(conv)
    wide, high = horizontal * x, vertical * y
    if not wide and not high:
        return
    undo.callback(setattr, conv, "padding", before)
    conv.padding = (vertical - high, horizontal - wide)
    undo.callback(conv.register_forward_pre_hook(_widening((wide, wide, high, high))).remove)


def _amounts(conv: nn.Conv2d) -> tuple[int, int]:
    """Rows and columns that the convolution adds on each side."""
    if isinstance(conv.padding, str):
        full = [dilation * (size - 1) // 2 for dilation, size in zip(conv.dilation, conv.kernel_size)]
        return (full[0], full[1]) if conv.padding == "same" else (0, 0)
    return conv.padding[0], conv.padding[1]


def _widening(amounts: tuple[int, int, int, int]) -> PreHook:
    def widen(module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (functional.pad(arguments[0], amounts, mode="circular"), *arguments[1:])

    return widen


def _replacing_last(x: bool, y: bool) -> PreHook:
    """For the VAE's halving convolutions, which are handed a picture with one more column and row of zeros at its right and lower end."""

    def replace(module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values = arguments[0]
        for acts, axis in ((x, -1), (y, -2)):
            if acts:
                values = torch.cat([values.narrow(axis, 0, values.shape[axis] - 1), values.narrow(axis, 0, 1)], dim=axis)
        return (values, *arguments[1:])

    return replace
