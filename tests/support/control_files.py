"""Tiny random control models for the tiny checkpoints, written in the layouts that files have."""

from __future__ import annotations

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import inspect
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn

from sfumato.engine.configuration import TIME_WIDTH
from sfumato.engine.layouts import unet as unet_names

N = TypeVar("N", bound=nn.Module)

PICTURE_WIDTHS = (8, 8, 12, 16)
UNION_TYPES = 8


def control_net(unet: UNet2DConditionModel, seed: int = 0, picture_channels: int = 3) -> ControlNetModel:
    """A ControlNet for a UNet, near to it, and with outputs strong enough to be seen."""
    torch.manual_seed(seed)
    config: dict[str, Any] = {**_config(unet, ControlNetModel), "conditioning_channels": picture_channels}
    return _trained(ControlNetModel(**config, conditioning_embedding_out_channels=PICTURE_WIDTHS), unet)


def union_net(unet: UNet2DConditionModel, seed: int = 0, types: int = UNION_TYPES) -> ControlNetUnionModel:
    """A ControlNet for several kinds of maps."""
    torch.manual_seed(seed)
    config = _config(unet, ControlNetUnionModel)
    width = config["block_out_channels"][0]
    transformer = {"num_trans_channel": width, "num_trans_head": 8, "num_trans_layer": 1, "num_proj_channel": width}
    made = ControlNetUnionModel(
        **{"addition_time_embed_dim": TIME_WIDTH, **config}, **transformer, conditioning_embedding_out_channels=PICTURE_WIDTHS, num_control_type=types
    )
    return _trained(made, unet)


def control_lora(unet: UNet2DConditionModel, rank: int = 4, seed: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What a Control LoRA's file holds (original layout), and the dense ControlNet (diffusers' names) that it means."""
    dense = control_net(unet, seed).state_dict()
    base = {name: tensor.float() for name, tensor in unet.state_dict().items()}
    places, stored = names_in_original(dense.keys()), {"lora_controlnet": torch.zeros(0)}
    for name, tensor in dense.items():
        key = places[name]
        if name in base and tensor.dim() > 1 and min(tensor.flatten(1).shape) > rank:
            up, down = torch.randn(tensor.shape[0], rank) * 0.1, torch.randn(rank, *tensor.shape[1:]) * 0.1
            stem = key.removesuffix(".weight")
            stored[f"{stem}.up"] = up if tensor.dim() == 2 else up[:, :, None, None]
            stored[f"{stem}.down"] = down
            dense[name] = base[name] + (up @ down.flatten(1)).reshape(tensor.shape)
        elif name in base and "norm" in name:
            dense[name] = base[name]  # left out of the file: the checkpoint's own
        else:
            stored[key] = tensor
    return stored, dense


def adapter(widths: tuple[int, ...] = (32, 64, 64), kind: str = "full_adapter", channels: int = 3, seed: int = 0) -> T2IAdapter:
    """A T2I-Adapter: "full_adapter", "full_adapter_xl" or "light_adapter"; a light one's last level is not counted in `widths`."""
    torch.manual_seed(seed)
    made = T2IAdapter(channels, list(widths), 2, 16 if kind.endswith("xl") else 8, kind)
    return made.requires_grad_(False).eval()


def _config(unet: UNet2DConditionModel, kind: type[nn.Module]) -> dict[str, Any]:
    """What a ControlNet has in common with its UNet; it always reads plain latents."""
    names = set(inspect.signature(kind.__init__).parameters) - {"self"}
    shared = {name: value for name, value in unet.config.items() if name in names and value is not None}
    layers = unet.config["layers_per_block"]
    return {**shared, "layers_per_block": layers if isinstance(layers, int) else layers[0], "in_channels": unet.config["out_channels"]}


def _trained(net: N, unet: UNet2DConditionModel) -> N:
    """Weights near to the UNet's where it has them; what training begins with as zeros is made to act."""
    base = unet.state_dict()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name in base and base[name].shape == parameter.shape:
                parameter.copy_(base[name].float() + torch.randn_like(parameter) * 0.02)
            elif name.startswith("controlnet_cond_embedding") and parameter.dim() > 1:
                parameter.normal_(0, 3 * parameter[0].numel() ** -0.5)
            elif name.startswith(("controlnet_down_blocks", "controlnet_mid_block", "spatial_ch_projs")):
                parameter.normal_(0, 0.2)
    return net.requires_grad_(False).eval()


def save(tensors: Mapping[str, Tensor], path: Path, dtype: torch.dtype = torch.float32, config: Mapping[str, object] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.to(dtype).contiguous() for name, tensor in tensors.items()}, path)
    if config is not None:
        (path.parent / "config.json").write_text(json.dumps(config))
    return path


def original_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A ControlNet's weights under the names of the original layout, without prefix."""
    names = names_in_original(state)
    return {names[name]: tensor for name, tensor in state.items()}


def names_in_original(state: Collection[str]) -> dict[str, str]:
    """diffusers name -> name in the original layout, without prefix."""
    hints = sorted(
        {name.rpartition(".")[0] for name in state if name.startswith("controlnet_cond_embedding.blocks.")}, key=lambda name: int(name.split(".")[2])
    )
    places = {"controlnet_cond_embedding.conv_in": 0, "controlnet_cond_embedding.conv_out": 2 * (len(hints) + 1)}
    places |= {name: 2 * (number + 1) for number, name in enumerate(hints)}
    encoder = unet_names.to_original([name for name in state if not name.startswith("controlnet_")])
    renamed: dict[str, str] = {}
    for name in state:
        stem, _, leaf = name.rpartition(".")
        if stem in places:
            renamed[name] = f"input_hint_block.{places[stem]}.{leaf}"
        elif stem.startswith("controlnet_down_blocks."):
            renamed[name] = f"zero_convs.{stem.rpartition('.')[2]}.0.{leaf}"
        elif stem == "controlnet_mid_block":
            renamed[name] = f"middle_block_out.0.{leaf}"
        else:
            renamed[name] = encoder[name]
    return renamed


def original_adapter_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A T2I-Adapter's weights under the names of the original layout."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        parts = name.removeprefix("adapter.").split(".")
        is_light = "adapter.conv_in.weight" not in state
        if parts[0] == "body" and parts[2] == "resnets":
            level, block = int(parts[1]), int(parts[3])
            parts = ["body", parts[1], "body", parts[3], *parts[4:]] if is_light else ["body", str(2 * level + block), *parts[4:]]
        elif parts[0] == "body" and not is_light:
            parts = ["body", str(2 * int(parts[1])), *parts[2:]]
        renamed[".".join(parts)] = tensor
    return renamed
