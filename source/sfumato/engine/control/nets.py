"""Builds the diffusers modules that a control model's header describes, without memory, and fills them from its file.

A ControlNet shares the construction of the network it steers: what shapes do not tell (heads, norm groups) is taken from there. Files that hold differences
to that network's weights, or low-rank changes of them, are completed with the weights in the checkpoint's file, whatever is done to those in memory.
"""

from __future__ import annotations

import sfumato.engine.offline  # noqa: F401  first: what follows must never look things up on the network

# isort: split
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter, UNet2DConditionModel
from diffusers.models.unets.unet_2d_blocks import UNetMidBlock2DCrossAttn
from torch import Tensor, nn

from sfumato.engine.checkpoint import Stored
from sfumato.engine.configuration import TIME_WIDTH
from sfumato.engine.control.files import ControlFile
from sfumato.engine.control.names import PICTURE
from sfumato.engine.control.shapes import ADAPTER_FACTORS, DOWN, UP, AdapterShape, ControlNetShape
from sfumato.engine.modules import fill, unfilled
from sfumato.engine.reading import Reader
from sfumato.protocol.errors import CorruptFile

# diffusers builds no ControlNet without a middle block; it is taken out again.
_MIDDLES = {"none": "UNetMidBlock2D", "residual": "UNetMidBlock2D", "attention": "UNetMidBlock2DCrossAttn"}
_CONTROL = "control"
# A diffusers module needs a width where nothing reads it.
_NO_CONTEXT = 1
# Reads latents, and in inpainting and pix2pix models what lies beside them.
_FIRST_LAYER = "conv_in.weight"
# Of the transformer that weighs the maps of a union model; no shape tells.
_UNION_HEADS = 8


@dataclass(frozen=True)
class Likeness:
    """What a ControlNet has in common with the network it steers, and its shapes do not tell: attention heads of each level, and norm groups."""

    heads: tuple[int, ...]
    groups: int

    @classmethod
    def of(cls, unet: UNet2DConditionModel) -> Likeness:
        heads, levels = unet.config["attention_head_dim"], len(unet.config["block_out_channels"])
        return cls((heads,) * levels if isinstance(heads, int) else tuple(heads), unet.config["norm_num_groups"])


def build_control_net(shape: ControlNetShape, like: Likeness) -> ControlNetModel | ControlNetUnionModel:
    """An empty ControlNet (meta device)."""
    depths = tuple([max(1, depth) for depth in level] for level in shape.depths)
    vector = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": TIME_WIDTH,
        "projection_class_embeddings_input_dim": shape.vector_width,
    }
    common = {
        "in_channels": shape.in_channels,
        "conditioning_channels": shape.picture_channels,
        "conditioning_embedding_out_channels": shape.picture_widths,
        "down_block_types": tuple("CrossAttnDownBlock2D" if any(level) else "DownBlock2D" for level in shape.depths),
        "block_out_channels": shape.widths,
        "layers_per_block": shape.layers[0],
        "transformer_layers_per_block": depths,
        "norm_num_groups": like.groups,
        "cross_attention_dim": shape.context_width or _NO_CONTEXT,
        "attention_head_dim": like.heads,
        "use_linear_projection": shape.linear_projection,
        **(vector if shape.vector_width else {}),
    }
    with torch.device("meta"), unfilled():
        if shape.union is not None:
            width = shape.union.width
            net: ControlNetModel | ControlNetUnionModel = ControlNetUnionModel(
                **{"addition_time_embed_dim": TIME_WIDTH, **common},
                num_control_type=shape.union.types,
                num_trans_channel=width,
                num_trans_head=_UNION_HEADS,
                num_trans_layer=shape.union.layers,
                num_proj_channel=shape.widths[0],
            )
        else:
            net = ControlNetModel(mid_block_type=_MIDDLES[shape.middle], **common)
        if shape.middle == "attention" and shape.middle_depth != depths[-1][0]:
            net.mid_block = _middle(shape, like)
        elif shape.middle == "none":
            net.mid_block = None
    return net


def _middle(shape: ControlNetShape, like: Likeness) -> UNetMidBlock2DCrossAttn:
    """diffusers takes the middle block's depth from the last level, which may have another."""
    return UNetMidBlock2DCrossAttn(
        in_channels=shape.widths[-1],
        temb_channels=4 * shape.widths[0],
        transformer_layers_per_block=shape.middle_depth,
        resnet_eps=1e-5,
        resnet_groups=like.groups,
        num_attention_heads=like.heads[-1],
        cross_attention_dim=shape.context_width or _NO_CONTEXT,
        use_linear_projection=shape.linear_projection,
    )


def build_adapter(shape: AdapterShape) -> nn.Module:
    """An empty T2I-Adapter (meta device), without diffusers' outer shell."""
    kind = "light_adapter" if shape.is_light else "full_adapter_xl" if shape.factor == ADAPTER_FACTORS[1] else "full_adapter"
    # A light adapter's last level is as wide as the one before, and is not counted.
    widths = list(shape.widths[:-1] if shape.is_light else shape.widths)
    with torch.device("meta"), unfilled():
        adapter = T2IAdapter(shape.picture_channels, widths, shape.blocks, shape.factor, kind).adapter
        if not shape.is_light and shape.kernel != 1:
            for name, module in list(adapter.named_modules()):
                if name.endswith(".block2") and isinstance(module, nn.Conv2d):
                    wider = nn.Conv2d(module.in_channels, module.out_channels, shape.kernel, padding=shape.kernel // 2)
                    adapter.get_submodule(name.rpartition(".")[0]).block2 = wider
    return adapter


def fill_plain(module: nn.Module, file: ControlFile, reader: Reader, dtype: torch.dtype, device: torch.device) -> None:
    """Give a meta module the file's own weights. Raises `CorruptFile`."""
    _need_all(module, file.weights, file)
    fill(module, file.weights, file.name, _CONTROL, reader, dtype, device)


def fill_difference(module: nn.Module, file: ControlFile, base: Mapping[str, Stored], reader: Reader, dtype: torch.dtype, device: torch.device) -> None:
    """Give a meta module the file's weights added to the checkpoint's, where that has them."""

    def weight(name: str, read: Callable[[Stored], Tensor]) -> Tensor:
        own = read(file.weights[name])
        return own + _for_latents(read(base[name]), name, own.shape[1:]) if name in base else own

    _need_all(module, file.weights, file)
    _fill_by(module, weight, file, reader, dtype, device)


def fill_low_rank(module: nn.Module, file: ControlFile, base: Mapping[str, Stored], reader: Reader, dtype: torch.dtype, device: torch.device) -> None:
    """Give a meta module the checkpoint's weights with the file's changes: W + up . down for a pair of factors, else the file's own in place of it."""

    def weight(name: str, read: Callable[[Stored], Tensor]) -> Tensor:
        stem = name.removesuffix(".weight")
        up, down = file.weights.get(stem + UP), file.weights.get(stem + DOWN)
        if up is None or down is None or not name.endswith(".weight"):
            return read(file.weights[name] if name in file.weights else base[name])
        second = read(down)
        whole = _for_latents(read(base[name]), name, second.shape[1:])
        first, second = read(up).flatten(1), second.flatten(1)
        if first.shape[1] != second.shape[0] or first.shape[0] * second.shape[1] != whole.numel():
            raise CorruptFile(file.name, f"the factors of '{stem}' do not make a weight of its shape", path="control")
        return whole + (first @ second).reshape(whole.shape)

    _need_all(module, {**base, **file.weights}, file)
    _fill_by(module, weight, file, reader, dtype, device)


def _for_latents(whole: Tensor, name: str, reads: tuple[int, ...]) -> Tensor:
    """A checkpoint's weight for a network that reads plain latents: where a variant reads more beside them, behind them, that is left out.

    Args:
        reads: shape of the weight wanted without its first side.
    """
    return whole[:, : reads[0]] if name == _FIRST_LAYER and whole.shape[1] > reads[0] else whole


def _fill_by(
    module: nn.Module,
    weight: Callable[[str, Callable[[Stored], Tensor]], Tensor],
    file: ControlFile,
    reader: Reader,
    dtype: torch.dtype,
    device: torch.device,
) -> None:
    """Weight by weight, computed in float32, so that no second copy of a whole network is made."""

    def read(stored: Stored) -> Tensor:
        return reader.read({"": stored}, torch.float32, device)[""]

    made: dict[str, Tensor] = {}
    for name, empty in module.state_dict().items():
        full = weight(name, read)
        if full.numel() != empty.numel():
            raise CorruptFile(file.name, f"tensor '{name}' has {full.numel()} numbers, where {empty.numel()} are needed", path="control")
        made[name] = full.reshape(empty.shape).to(dtype)
    module.load_state_dict(made, assign=True)
    module.requires_grad_(False).eval()


def _need_all(module: nn.Module, table: Mapping[str, Stored], file: ControlFile) -> None:
    missing = [name for name in module.state_dict() if name not in table]
    if missing:
        raise CorruptFile(file.name, f"{len(missing)} of its weights are missing, the first is '{missing[0]}'", path="control")


def split_picture_encoder(net: ControlNetModel | ControlNetUnionModel) -> nn.Module:
    """Takes the picture's encoder out of a ControlNet, which then wants its features in the picture's place: they are the same at every call."""
    inner = getattr(net, PICTURE)
    setattr(net, PICTURE, nn.Identity())
    return inner
