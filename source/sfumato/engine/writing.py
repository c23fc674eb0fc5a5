"""Modules to checkpoint files of the original layout; the way back of `checkpoint.py`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sfumato.engine.layouts import original, vae
from sfumato.engine.modules import clip_body


def original_tensors(unet: nn.Module, autoencoder: nn.Module, clip_l: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """All weights of a Stable Diffusion 1 under their original keys, cast to `dtype`, on the CPU, each with memory of its own."""
    return spelt_tensors({"unet": unet.state_dict(), "vae": autoencoder.state_dict(), "clip_l": clip_body(clip_l).state_dict()}, dtype)


def spelt_tensors(parts: Mapping[str, Mapping[str, Tensor]], dtype: torch.dtype) -> dict[str, Tensor]:
    """Part -> canonical name -> weight, as the tensors of a file of the original layout, cast to `dtype`, on the CPU, each with memory of its own.

    The towers there are ("clip_l"; "clip_h"; both "clip_l" and "clip_g"; "clip_g") decide where they are written.
    """
    tensors: dict[str, Tensor] = {}
    stacked: dict[str, dict[int, Tensor]] = {}
    for part, places in original.spell(parts).items():
        for name, place in places.items():
            tensor = parts[part][name].detach().to("cpu", dtype)
            if part == original.VAE and vae.is_attention_matrix(name):
                tensor = tensor[:, :, None, None]  # a 1x1 convolution there
            if place.is_transposed:
                tensor = tensor.T
            if place.third is not None:
                stacked.setdefault(place.key, {})[place.third] = tensor
            else:
                tensors[place.key] = tensor.clone(memory_format=torch.contiguous_format)
    for key, thirds in stacked.items():
        tensors[key] = torch.cat([thirds[index] for index in range(3)])
    return tensors
