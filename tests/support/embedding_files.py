"""Embeddings in every layout that files have."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file
from torch import Tensor

# role -> (k, width); the only role of SD1 and SD2 is "".
Tables = Mapping[str, Tensor]


def table(vectors: int = 2, width: int = 32, seed: int = 0, scale: float = 1.0) -> Tensor:
    """Random vectors, large enough to matter."""
    return torch.randn(vectors, width, generator=torch.Generator().manual_seed(seed)) * scale


def write_kohya(tensor: Tensor, path: Path) -> Path:
    """As kohya's and AUTOMATIC1111's safetensors."""
    return _saved({"emb_params": tensor}, path)


def write_diffusers(tensor: Tensor, path: Path) -> Path:
    """As diffusers saves a word; one vector is a single row there."""
    return _saved({f"<{path.stem}>": tensor[0] if len(tensor) == 1 else tensor}, path)


def write_two(clip_l: Tensor, clip_g: Tensor, path: Path) -> Path:
    """As SDXL's."""
    return _saved({"clip_l": clip_l, "clip_g": clip_g}, path)


def pickle_automatic(tensor: Tensor, path: Path, name: str = "") -> Path:
    """As AUTOMATIC1111's `.pt`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = {"name": name or path.stem, "step": 500, "sd_checkpoint": "0123abcd", "sd_checkpoint_name": "some model"}
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.nn.Parameter(tensor)}, **beside}, path)
    return path


def pickle_original(tensor: Tensor, path: Path) -> Path:
    """As the paper's own program, whose parameters are in a module."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": torch.nn.ParameterDict({"*": torch.nn.Parameter(tensor)})}, path)
    return path


def pickle_diffusers(tensor: Tensor, path: Path) -> Path:
    """As `learned_embeds.bin`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({f"<{path.stem}>": tensor[0] if len(tensor) == 1 else tensor}, path)
    return path


def write_picture(tensor: Tensor, path: Path, name: str = "") -> Path:
    """As AUTOMATIC1111's picture with the embedding in a text of the PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    value = {"string_to_token": {"*": 265}, "string_to_param": {"*": {"TORCHTENSOR": tensor.tolist()}}, "name": name or path.stem, "step": 500}
    texts = PngInfo()
    texts.add_text("sd-ti-embedding", base64.b64encode(json.dumps(value).encode()).decode())
    Image.new("RGB", (64, 64), "navy").save(path, pnginfo=texts)
    return path


PICKLED: dict[str, Callable[[Tensor, Path], Path]] = {"automatic1111": pickle_automatic, "original": pickle_original, "diffusers": pickle_diffusers}
SAFE: dict[str, Callable[[Tensor, Path], Path]] = {"kohya": write_kohya, "diffusers": write_diffusers}


def _saved(tensors: dict[str, Tensor], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    return path
