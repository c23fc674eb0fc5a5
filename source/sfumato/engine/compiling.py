"""Compiled networks: the blocks that a UNet repeats, translated by `torch.compile` for the shapes of a job (E113).

Translating takes minutes the first time a size is painted and seconds afterwards, because what came out is kept on disk. Weights are read at each call, so
merged networks need no new translation. Whatever cannot be translated runs as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from sfumato.protocol.errors import Invalid, Problem

_REPEATED = (BasicTransformerBlock, ResnetBlock2D)
# Each width and size of a UNet is a translation of its own; torch gives up after eight.
_TRANSLATIONS = 256
_FOLDER = "compiled"
_FOLDER_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


def check_compiler(device: torch.device) -> None:
    """Raises `Invalid` where nothing can be translated on this machine."""
    if device.type == "cuda" and find_spec("triton") is None:
        raise Invalid([Problem("compile", "Compiling for this card needs the Python package 'triton', which is not installed; turn compiling off.")])
    if device.type != "cuda" and not _has_compiler():
        raise Invalid([Problem("compile", "Compiling needs a C++ compiler (g++, clang or cl), and none was found; install one or turn compiling off.")])


def _has_compiler() -> bool:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, OSError, RuntimeError):
        return False
    return True


def keep_in(data: Path) -> None:
    """Keep translations below the data folder, unless the environment names another place."""
    os.environ.setdefault(_FOLDER_VARIABLE, str(data / "cache" / _FOLDER))


@contextmanager
def compiled(unet: nn.Module) -> Iterator[None]:
    """While inside, the UNet's repeated blocks run translated; afterwards they are called as before.

    Nothing may be hooked into the blocks meanwhile: a translation does not see hooks that come after it.
    """
    blocks = [module for module in unet.modules() if isinstance(module, _REPEATED)]
    settings = {"suppress_errors": True, "recompile_limit": _TRANSLATIONS, "accumulated_recompile_limit": 8 * _TRANSLATIONS}
    try:
        for block in blocks:
            block.compile(dynamic=False)
        with torch._dynamo.config.patch(settings):
            yield
    finally:
        for block in blocks:
            block._compiled_call_impl = None
