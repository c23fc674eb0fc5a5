"""Every architecture that spandrel knows, and those of its extra package where somebody installed it (their licences forbid commercial use).

spandrel is imported when a file needs it: it takes a second, and most files do without.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sfumato.engine.upscalers.builtin import Shapes
from sfumato.engine.upscalers.network import ImageNetwork
from sfumato.engine.upscalers.torchvision_functions import lent
from sfumato.protocol.errors import CorruptFile, MissingPackage, ModelUnsupported

PACKAGE, EXTRA_PACKAGE = "spandrel", "spandrel_extra_arches"
# Tensors that only networks of the extra package have, and what those are called.
_EXTRA = {
    "CodeFormer": ("position_emb", "idx_pred_layer.1.weight", "quantize.embedding.weight"),
    "SRFormer": ("conv_first.weight", "layers.0.residual_group.blocks.0.attn.aligned_relative_position_index"),
}
# What constructors and loaders of networks raise on weights that are not quite what their names promise.
_MISFITS = (RuntimeError, KeyError, ValueError, TypeError, IndexError, AttributeError, AssertionError, ArithmeticError)


def load(name: str, weights: Mapping[str, Tensor]) -> ImageNetwork:
    """The network of these weights, on the CPU in float32.

    Raises:
        MissingPackage: spandrel, or the package with this architecture, is not installed.
        ModelUnsupported: no architecture has these tensors, or it is none that makes pictures of pictures.
        CorruptFile: it has, but they do not fit.
    """
    spandrel, registry = _spandrel(name)
    try:
        with warnings.catch_warnings():
            # Its networks use what torch will change one day; nobody here can do anything about it.
            warnings.simplefilter("ignore")
            found = registry.load(dict(weights))
    except spandrel.UnsupportedModelError:
        shapes = {key: tuple(tensor.shape) for key, tensor in weights.items()}
        if (extra := architecture_of_extra(shapes)) is not None:
            raise MissingPackage(f"'{name}', a model of the architecture {extra},", EXTRA_PACKAGE) from None
        raise ModelUnsupported(name, "no upscaler that is known", use="enlarge pictures with it") from None
    except _MISFITS as error:
        raise CorruptFile(name, "its weights do not fit the network they are named after", detail=str(error)[:2000]) from error
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise ModelUnsupported(name, "a model that fills holes in pictures", use="enlarge pictures with it")
    found.float().eval()
    return ImageNetwork(
        name=name,
        architecture=found.architecture.name,
        module=found.model,
        scale=found.scale,
        channels=found.input_channels,
        call=found,
        device=torch.device("cpu"),
        dtype=torch.float32,
        is_tiled=found.tiling is not spandrel.ModelTiling.INTERNAL,
        is_face=found.purpose == "FaceSR",
    )


def dtype_for(call: Any, wanted: torch.dtype) -> torch.dtype:
    """The number format that a network loaded here computes in: the wanted one if its architecture stands it, else float32.

    bfloat16 in place of float16 would be possible more often, but has no more digits than a byte of the picture.
    """
    stands = {torch.float16: call.supports_half, torch.bfloat16: call.supports_bfloat16}
    return wanted if stands.get(wanted, True) else torch.float32


def architecture_of_extra(shapes: Shapes) -> str | None:
    """What an architecture of the extra package is called, None for all others."""
    return next((name for name, keys in _EXTRA.items() if all(key in shapes for key in keys)), None)


def _spandrel(name: str) -> tuple[Any, Any]:
    """The package and what it knows, the extra package's included."""
    try:
        with lent():
            import spandrel  # late: see above
    except ImportError:
        raise MissingPackage(f"The upscaler '{name}'", PACKAGE) from None
    registry = spandrel.MAIN_REGISTRY.copy()
    try:
        with lent():
            from spandrel_extra_arches import EXTRA_REGISTRY  # pyright: ignore[reportMissingImports]  # nobody needs to have it
    except ImportError:
        pass
    else:
        registry.add(*EXTRA_REGISTRY, ignore_duplicates=True)
    return spandrel, registry
