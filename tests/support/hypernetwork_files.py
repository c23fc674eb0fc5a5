"""Hypernetworks as plain torch modules, and the files that AUTOMATIC1111 writes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from sfumato.library.pickles.tensors import VALUES

# Names as files have them -> torch's modules.
MODULES: dict[str, type[nn.Module] | None] = {
    "linear": None,
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "celu": nn.CELU,
    "gelu": nn.GELU,
    "hardshrink": nn.Hardshrink,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "identity": nn.Identity,
    "logsigmoid": nn.LogSigmoid,
    "mish": nn.Mish,
    "relu6": nn.ReLU6,
    "rrelu": nn.RReLU,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "softshrink": nn.Softshrink,
    "softsign": nn.Softsign,
    "tanhshrink": nn.Tanhshrink,
}


@dataclass(frozen=True)
class Recipe:
    """How the layers of a hypernetwork are built."""

    structure: tuple[float, ...] = (1, 2, 1)
    activation: str = "relu"
    norm: bool = False
    activate_output: bool = True
    dropout: tuple[float, ...] = ()


@dataclass
class Modules:
    """Width -> the modules for keys and values."""

    recipe: Recipe
    sides: dict[int, tuple[nn.Module, nn.Module]] = field(default_factory=dict)


class _Side(nn.Module):
    """`linear` as files name it."""

    def __init__(self, width: int, recipe: Recipe) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (given, made) in enumerate(zip(recipe.structure, recipe.structure[1:], strict=False)):
            layers.append(nn.Linear(int(width * given), int(width * made)))
            kind = MODULES[recipe.activation]
            if kind is not None and (number < len(recipe.structure) - 2 or recipe.activate_output):
                layers.append(kind())
            if recipe.norm:
                layers.append(nn.LayerNorm(int(width * made)))
            if recipe.dropout and recipe.dropout[number + 1]:
                layers.append(nn.Dropout(recipe.dropout[number + 1]))
        self.linear = nn.Sequential(*layers)

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        return self.linear(context)


def hypernetwork_modules(widths: Sequence[int], recipe: Recipe | None = None, seed: int = 0) -> Modules:
    """Modules of random weights, large enough to matter."""
    recipe = recipe or Recipe()
    torch.manual_seed(seed)
    made = Modules(recipe)
    for width in widths:
        pair = _Side(width, recipe).eval(), _Side(width, recipe).eval()
        for side in pair:
            for parameter in side.parameters():
                parameter.data += torch.randn_like(parameter) * 0.1
                parameter.requires_grad_(False)
        made.sides[width] = pair
    return made


def beside(modules: Modules, name: str) -> dict[str, Any]:
    """What AUTOMATIC1111 keeps beside the weights."""
    recipe = modules.recipe
    return {
        "step": 1000,
        "name": name,
        "layer_structure": list(recipe.structure),
        "activation_func": recipe.activation,
        "is_layer_norm": recipe.norm,
        "weight_initialization": "Normal",
        "sd_checkpoint": "abcd1234",
        "sd_checkpoint_name": "some model",
        "activate_output": recipe.activate_output,
        "use_dropout": any(recipe.dropout),
        "dropout_structure": list(recipe.dropout) or None,
        "last_layer_dropout": bool(recipe.dropout and recipe.dropout[-2]),
        "optional_info": None,
    }


def write_pickled_hypernetwork(modules: Modules, path: Path) -> Path:
    """The `.pt` file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sides: dict[Any, Any] = {width: (keys.state_dict(), values.state_dict()) for width, (keys, values) in modules.sides.items()}
    torch.save({**sides, **beside(modules, path.stem)}, path)
    return path


def write_hypernetwork(modules: Modules, path: Path) -> Path:
    """The file that the converter makes of that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sides = {(width, number): side for width, pair in modules.sides.items() for number, side in enumerate(pair)}
    tensors = {f"{width}.{number}.{key}": weight for (width, number), side in sides.items() for key, weight in side.state_dict().items()}
    save_file(tensors, path, {"format": "pt", VALUES: json.dumps(beside(modules, path.stem))})
    return path
