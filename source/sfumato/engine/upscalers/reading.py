"""An upscaler's file, or a face restorer's, as a network that is ready to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from sfumato.engine.device import Device
from sfumato.engine.upscalers import builtin, spandrel_models
from sfumato.engine.upscalers.builtin import Recognised, Shapes
from sfumato.engine.upscalers.network import ImageNetwork
from sfumato.library.safetensors_header import read_header
from sfumato.protocol.errors import CorruptFile

# What trainers put weights into, as prefixes of names once everything is one list; the averaged ones are the better ones.
_WRAPPERS = ("params_ema.", "params-ema.", "params.", "state_dict.", "model_state_dict.")
_PREFIXES = ("module.", "netG.", "generator.")


def read_shapes(path: Path) -> tuple[Shapes, Mapping[str, str]]:
    """Name -> shape of the weights of a file, and name -> name in the file. Reads the header alone; raises its errors."""
    header = read_header(path)
    keys = _names(list(header.tensors))
    return {name: header.tensors[key].shape for name, key in keys.items()}, keys


def open_network(path: Path, device: Device, check: Callable[[], None] = lambda: None) -> ImageNetwork:
    """The network in a file, on the device, in the job's number format if it can compute in it.

    Args:
        check: called before each tensor; may raise to stop.

    Raises:
        CorruptFile, PickleRefused: it is damaged, or no safetensors file.
        MissingPackage, ModelUnsupported: see `spandrel_models.load`.
    """
    shapes, keys = read_shapes(path)
    found = builtin.recognise(shapes)
    weights = read_weights(path, keys, check)
    network = _own(path.name, found, weights) if found is not None else spandrel_models.load(path.name, weights)
    dtype = device.dtype if found is not None else spandrel_models.dtype_for(network.call, device.dtype)
    network.module.requires_grad_(False).to(device.torch, dtype)
    return replace(network, device=device.torch, dtype=dtype)


def read_weights(path: Path, keys: Mapping[str, str], check: Callable[[], None]) -> dict[str, Tensor]:
    """The weights as float32 (whole numbers as they are), in memory of their own: the file may change once it was read."""
    weights = {}
    with safe_open(path, framework="pt") as file:
        for name, key in keys.items():
            check()
            tensor = file.get_tensor(key)
            weights[name] = tensor.float().clone() if tensor.is_floating_point() else tensor.clone()
    return weights


def _own(name: str, found: Recognised, weights: Mapping[str, Tensor]) -> ImageNetwork:
    module = found.build().eval()
    try:
        found.fill(module, weights)
    except RuntimeError as error:
        raise CorruptFile(name, "its weights do not fit the network they are named after", detail=str(error)[:2000]) from error
    return ImageNetwork(name, found.architecture, module, found.scale, found.channels, module, torch.device("cpu"), torch.float32)


def _names(keys: list[str]) -> dict[str, str]:
    """Name of a weight -> name in the file: without what it was wrapped in."""
    for wrapper in _WRAPPERS:
        if inside := [key for key in keys if key.startswith(wrapper)]:
            return {name: f"{wrapper}{key}" for name, key in _names([key.removeprefix(wrapper) for key in inside]).items()}
    for prefix in _PREFIXES:
        if keys and all(key.startswith(prefix) for key in keys):
            return {name: f"{prefix}{key}" for name, key in _names([key.removeprefix(prefix) for key in keys]).items()}
    return {key: key for key in keys}
