"""Builds the diffusers and transformers modules a configuration describes, without memory (meta device), and fills them from a checkpoint."""

from __future__ import annotations

import sfumato.engine.offline  # noqa: F401  first: what follows must never look things up on the network

# isort: split
from collections.abc import Mapping

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from sfumato.engine.checkpoint import Checkpoint, Reader, Stored
from sfumato.engine.configuration import TITLES, ClipConfiguration, UNetConfiguration, VaeConfiguration
from sfumato.engine.layouts.clip import WRAPPER
from sfumato.protocol.errors import CorruptFile, ModelIncomplete


def build_unet(shape: UNetConfiguration) -> UNet2DConditionModel:
    """An empty UNet (meta device)."""
    down = tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in shape.depths)
    up = tuple("CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(shape.depths))
    # diffusers takes the middle block's depth from the last level.
    depths = (*(max(1, depth) for depth in shape.depths[:-1]), shape.depths[-1] or shape.middle_depth)
    with torch.device("meta"):
        return UNet2DConditionModel(
            in_channels=shape.in_channels,
            out_channels=shape.out_channels,
            block_out_channels=shape.widths,
            layers_per_block=shape.layers,
            down_block_types=down,
            up_block_types=up,
            transformer_layers_per_block=depths,
            cross_attention_dim=shape.context_width,
            use_linear_projection=shape.linear_projection,
            attention_head_dim=shape.heads,
            norm_num_groups=shape.groups,
        )


def build_vae(shape: VaeConfiguration) -> AutoencoderKL:
    """An empty KL autoencoder (meta device)."""
    levels = len(shape.widths)
    with torch.device("meta"):
        return AutoencoderKL(
            latent_channels=shape.latent_channels,
            block_out_channels=shape.widths,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            layers_per_block=shape.layers,
            norm_num_groups=shape.groups,
            scaling_factor=shape.scale,
        )


def build_clip(shape: ClipConfiguration) -> CLIPTextModel:
    """An empty CLIP text tower (meta device)."""
    config = CLIPTextConfig(
        vocab_size=shape.vocabulary,
        max_position_embeddings=shape.positions,
        hidden_size=shape.width,
        intermediate_size=shape.inner_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        hidden_act=shape.activation,
        attn_implementation="sdpa",
    )
    with torch.device("meta"):
        return CLIPTextModel(config)


def clip_body(tower: CLIPTextModel) -> nn.Module:
    """The module that holds `embeddings`, `encoder` and `final_layer_norm`: wrapped in older versions of transformers."""
    return getattr(tower, WRAPPER.removesuffix("."), tower)


def fill(module: nn.Module, table: Mapping[str, Stored], checkpoint: Checkpoint, part: str, reader: Reader, dtype: torch.dtype, device: torch.device) -> None:
    """Give a meta module the weights of `table` (canonical names), cast one by one to `dtype` on `device`; ends in evaluation mode, without gradients.

    Raises `ModelIncomplete` naming what is missing, `CorruptFile` for a tensor of another shape.
    """
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in table]
    if missing:
        raise ModelIncomplete(checkpoint.name, TITLES.get(part, part), missing)
    loaded: dict[str, Tensor] = {}
    for name, empty in wanted.items():
        tensor = reader.read(table[name], dtype, device)
        if tensor.shape != empty.shape:
            # 1x1 convolutions and linear layers are one matrix, spelt differently in the layouts.
            if tensor.numel() != empty.numel() or tensor.squeeze().shape != empty.squeeze().shape:
                stored = "x".join(map(str, tensor.shape))
                raise CorruptFile(checkpoint.name, f"tensor '{table[name].key}' has the shape {stored}, where {'x'.join(map(str, empty.shape))} is needed")
            tensor = tensor.reshape(empty.shape)
        loaded[name] = tensor
    module.load_state_dict(loaded, assign=True)
    module.requires_grad_(False).eval()


def load_unet(shape: UNetConfiguration, checkpoint: Checkpoint, reader: Reader, dtype: torch.dtype, device: torch.device) -> UNet2DConditionModel:
    unet = build_unet(shape)
    fill(unet, checkpoint.parts["unet"], checkpoint, "unet", reader, dtype, device)
    return unet


def load_vae(shape: VaeConfiguration, checkpoint: Checkpoint, reader: Reader, dtype: torch.dtype, device: torch.device) -> AutoencoderKL:
    vae = build_vae(shape)
    fill(vae, checkpoint.parts["vae"], checkpoint, "vae", reader, dtype, device)
    return vae


def load_clip(shape: ClipConfiguration, checkpoint: Checkpoint, part: str, reader: Reader, dtype: torch.dtype, device: torch.device) -> CLIPTextModel:
    tower = build_clip(shape)
    body = clip_body(tower)
    fill(body, checkpoint.parts[part], checkpoint, part, reader, dtype, device)
    # A counter, not a weight: no file needs to hold it, and it was made without memory above.
    body.embeddings.position_ids = torch.arange(shape.positions, device=device).unsqueeze(0)
    return tower.requires_grad_(False).eval()
