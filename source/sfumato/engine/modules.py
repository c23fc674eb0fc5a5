"""Builds the diffusers and transformers modules a configuration describes, without memory (meta device), and fills them from a checkpoint."""

from __future__ import annotations

import sfumato.engine.offline  # noqa: F401  first: what follows must never look things up on the network

# isort: split
import gc
from collections.abc import Mapping

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.unets.unet_2d_blocks import UNetMidBlock2DCrossAttn
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from sfumato.engine.checkpoint import Checkpoint, Stored
from sfumato.engine.configuration import TIME_WIDTH, TITLES, ClipConfiguration, UNetConfiguration, VaeConfiguration
from sfumato.engine.kept_parts import LoadedPart
from sfumato.engine.layouts.clip import PROJECTION, WRAPPER
from sfumato.engine.reading import Reader
from sfumato.protocol.errors import CorruptFile, ModelIncomplete

# The libraries' half a million objects live as long as the process: without this every full collection of garbage walks them, a quarter of a second each.
gc.freeze()

_MIDDLES = {"none": None, "residual": "UNetMidBlock2D", "attention": "UNetMidBlock2DCrossAttn"}


def build_unet(shape: UNetConfiguration) -> UNet2DConditionModel:
    """An empty UNet (meta device)."""
    down = tuple("CrossAttnDownBlock2D" if any(depths) else "DownBlock2D" for depths in shape.depths)
    up = tuple("CrossAttnUpBlock2D" if any(depths) else "UpBlock2D" for depths in shape.up_depths)
    # diffusers builds a list of depths for levels without attention, too, where they mean nothing.
    depths = tuple([max(1, depth) for depth in level] for level in shape.depths)
    up_depths = tuple([max(1, depth) for depth in level] for level in shape.up_depths)
    vector = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": TIME_WIDTH,
        "projection_class_embeddings_input_dim": shape.vector_width,
    }
    with torch.device("meta"), unfilled():
        unet = UNet2DConditionModel(
            in_channels=shape.in_channels,
            out_channels=shape.out_channels,
            block_out_channels=shape.widths,
            layers_per_block=shape.layers,
            down_block_types=down,
            mid_block_type=_MIDDLES[shape.middle],
            up_block_types=up,
            transformer_layers_per_block=depths,
            reverse_transformer_layers_per_block=up_depths,
            cross_attention_dim=shape.context_width,
            use_linear_projection=shape.linear_projection,
            attention_head_dim=shape.heads,
            norm_num_groups=shape.groups,
            **(vector if shape.vector_width else {}),
        )
        if shape.middle == "attention" and shape.middle_depth != depths[-1][0]:
            # diffusers takes the middle block's depth from the last level.
            unet.mid_block = UNetMidBlock2DCrossAttn(
                in_channels=shape.widths[-1],
                temb_channels=4 * shape.widths[0],
                transformer_layers_per_block=shape.middle_depth,
                resnet_eps=unet.config["norm_eps"],
                resnet_groups=shape.groups,
                num_attention_heads=shape.heads[-1],
                cross_attention_dim=shape.context_width,
                use_linear_projection=shape.linear_projection,
            )
    return unet


def build_vae(shape: VaeConfiguration) -> AutoencoderKL:
    """An empty KL autoencoder (meta device)."""
    levels = len(shape.widths)
    with torch.device("meta"), unfilled():
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
    with torch.device("meta"), unfilled():
        return CLIPTextModel(config)


class unfilled(torch.overrides.TorchFunctionMode):  # noqa: N801  reads as a phrase where it is used
    """Leaves the initial values of modules out: they are replaced at once, and inventing them for memory that is not there still takes time."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        return func(*args, **(kwargs or {}))


def clip_body(tower: CLIPTextModel) -> nn.Module:
    """The module that holds `embeddings`, `encoder` and `final_layer_norm`: wrapped in older versions of transformers."""
    return getattr(tower, WRAPPER.removesuffix("."), tower)


def fill(module: nn.Module, table: Mapping[str, Stored], file: str, part: str, reader: Reader, dtype: torch.dtype, device: torch.device) -> int:
    """Give a meta module the weights of `table` (canonical names) in `dtype` on `device`; ends in evaluation mode, without gradients.

    Returns how many weights of the table the module has no place for. Raises `ModelIncomplete` naming what is missing, `CorruptFile` for a tensor of another
    shape.
    """
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in table]
    if missing:
        raise ModelIncomplete(file, TITLES.get(part, part), missing)
    for name, empty in wanted.items():
        _check_shape(table[name], tuple(empty.shape), file)
    loaded = reader.read({name: _as_needed(table[name], tuple(empty.shape)) for name, empty in wanted.items()}, dtype, device)
    module.load_state_dict(loaded, assign=True)
    module.requires_grad_(False).eval()
    return len(table) - len(wanted)


def _check_shape(stored: Stored, needed: tuple[int, ...], file: str) -> None:
    # 1x1 convolutions and linear layers are one matrix, spelt differently in the layouts.
    if [side for side in stored.shape if side != 1] != [side for side in needed if side != 1]:
        told = "x".join(map(str, stored.shape))
        raise CorruptFile(file, f"tensor '{stored.key}' has the shape {told}, where {'x'.join(map(str, needed))} is needed")


def _as_needed(stored: Stored, needed: tuple[int, ...]) -> Stored:
    return stored if stored.shape == needed else stored._replace(shape=needed)


def load_unet(shape: UNetConfiguration, checkpoint: Checkpoint, reader: Reader, dtype: torch.dtype, device: torch.device) -> LoadedPart:
    """The UNet."""
    unet = build_unet(shape)
    return LoadedPart(unet, unused=fill(unet, checkpoint.parts["unet"], checkpoint.named("unet"), "unet", reader, dtype, device))


def load_vae(shape: VaeConfiguration, checkpoint: Checkpoint, reader: Reader, dtype: torch.dtype, device: torch.device) -> LoadedPart:
    """The VAE."""
    vae = build_vae(shape)
    return LoadedPart(vae, unused=fill(vae, checkpoint.parts["vae"], checkpoint.named("vae"), "vae", reader, dtype, device))


def load_clip(shape: ClipConfiguration, checkpoint: Checkpoint, part: str, reader: Reader, dtype: torch.dtype, device: torch.device) -> LoadedPart:
    """The text tower, with its projection (P, width) if it has one."""
    tower = build_clip(shape)
    body = clip_body(tower)
    table = checkpoint.parts[part]
    unused = fill(body, table, checkpoint.named(part), part, reader, dtype, device)
    # A counter, not a weight: no file needs to hold it, and it was made without memory above.
    body.embeddings.position_ids = torch.arange(shape.positions, device=device).unsqueeze(0)
    projection = None
    if shape.projection_width:
        projection = reader.read({PROJECTION: table[PROJECTION]}, dtype, device)[PROJECTION]
        unused -= 1
    return LoadedPart(tower.requires_grad_(False).eval(), projection, unused)
