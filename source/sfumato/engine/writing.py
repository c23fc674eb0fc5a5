"""Modules to checkpoint files of the original layout; the way back of `checkpoint.py`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sfumato.engine.layouts import original, vae
from sfumato.engine.modules import clip_body


def original_tensors(unet: nn.Module, autoencoder: nn.Module, clip_l: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """All weights of a Stable Diffusion 1 under their original keys, cast to `dtype`, on the CPU, each with memory of its own."""
    parts: Mapping[str, Mapping[str, Tensor]] = {"unet": unet.state_dict(), "vae": autoencoder.state_dict(), "clip_l": clip_body(clip_l).state_dict()}
    tensors: dict[str, Tensor] = {}
    for part, keys in original.spell(parts).items():
        for name, key in keys.items():
            tensor = parts[part][name].detach().to("cpu", dtype)
            if part == "vae" and vae.is_attention_matrix(name):
                tensor = tensor[:, :, None, None]  # a 1x1 convolution there
            tensors[key] = tensor.clone(memory_format=torch.contiguous_format)
    return tensors
