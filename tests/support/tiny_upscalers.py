"""Tiny upscalers, as files in every spelling; random weights small enough that the picture is still seen in the result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sfumato.engine.upscalers.compact import Compact
from sfumato.engine.upscalers.rrdb import Rrdb


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module with weights of its own from a seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            # A matrix keeps the size of what goes through it, so that errors do not die out.
            scale = weight[0].numel() ** -0.5 if weight.dim() > 1 else 0.05
            weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
    return module.eval()


def rrdb(scale: int = 4, seed: int = 0, growth: int = 4, features: int = 8) -> Rrdb:
    """An ESRGAN of one block; at scale 2 and 1 with unshuffled pixels, as Real-ESRGAN has it."""
    network = Rrdb(3, 3, features, growth, 1, 2, 4 // scale)
    seeded(network, seed)
    return network


def compact(scale: int = 2, seed: int = 0) -> Compact:
    network = Compact(3, 3, 8, 1, scale)
    seeded(network, seed)
    return network


def first_release(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an ESRGAN under the names of its first release."""
    ups = len({name for name in weights if name.startswith("conv_up")}) // 2
    blocks = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("body."))
    layers = {"conv_first": 0, "conv_hr": 3 * ups + 2, "conv_last": 3 * ups + 4} | {f"conv_up{number + 1}": 3 * (number + 1) for number in range(ups)}
    named = {}
    for name, tensor in weights.items():
        layer, kind = name.rsplit(".", 1)
        if layer == "conv_body":
            named[f"model.1.sub.{blocks}.{kind}"] = tensor
        elif layer in layers:
            named[f"model.{layers[layer]}.{kind}"] = tensor
        else:
            named[re.sub(r"body\.(\d+)\.rdb(\d)\.conv(\d)", r"model.1.sub.\1.RDB\2.conv\3.0", layer) + f".{kind}"] = tensor
    return named


def bsrgan(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an ESRGAN under the names of BSRGAN."""
    named = {}
    for name, tensor in weights.items():
        name = re.sub(r"^body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2", name)
        for ours, theirs in (("conv_body.", "trunk_conv."), ("conv_up", "upconv"), ("conv_hr.", "HRconv.")):
            name = name.replace(ours, theirs)
        named[name] = tensor
    return named


def write(weights: Mapping[str, Tensor], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in weights.items()}, path)
    return path
