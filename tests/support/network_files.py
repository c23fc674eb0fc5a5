"""Small files of LoRA and its relatives for any tiny model: every kind, in every spelling of the layers' names, with numbers from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sfumato.engine.layouts import clip, unet
from sfumato.engine.modules import clip_body
from tests.support.tiny_models import TinyModules

NetworkKind = Literal[
    "lora", "locon", "loha", "loha_tucker", "lokr", "lokr_full", "lokr_both", "lokr_tucker", "oft", "boft", "peft_oft", "ia3", "glora", "full"
]
Layout = Literal["kohya", "kohya_original", "peft", "diffusers", "diffusers_old", "comfy"]

KINDS: tuple[NetworkKind, ...] = (
    "lora",
    "locon",
    "loha",
    "loha_tucker",
    "lokr",
    "lokr_full",
    "lokr_both",
    "lokr_tucker",
    "oft",
    "boft",
    "peft_oft",
    "ia3",
    "glora",
    "full",
)
LAYOUTS: tuple[Layout, ...] = ("kohya", "kohya_original", "peft", "diffusers", "diffusers_old", "comfy")
# A layer of every sort that the tiny models have; ends of names.
UNET_LAYERS = ("attn1.to_q", "attn1.to_out.0", "attn2.to_k", "proj_in", "ff.net.2", "conv1", "time_emb_proj", "conv_shortcut", "downsamplers.0.conv", "conv_in")
TOWER_LAYERS = ("self_attn.q_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2")


class Layer(NamedTuple):
    """A layer of a model: part, and its name in diffusers' or transformers' spelling without `text_model.`."""

    part: str
    name: str


@dataclass(frozen=True)
class Written:
    """A file that was written: layer -> leaf ("lora_up.weight", "alpha", "hada_w1_a", ...: kohya's and LyCORIS's spelling) -> tensor, exactly as stored."""

    path: Path
    tensors: Mapping[Layer, Mapping[str, Tensor]]


def layers_of(modules: TinyModules, parts: Iterable[str] | None = None, ends: Iterable[str] | None = None) -> dict[Layer, Tensor]:
    """Layers with matrices or convolutions and their weights.

    Args:
        parts: "unet", "clip_l", ...; default all but the VAE.
        ends: of names; default `UNET_LAYERS` and `TOWER_LAYERS`.
    """
    found: dict[Layer, Tensor] = {}
    roots: dict[str, nn.Module] = {"unet": modules.unet, **{part: clip_body(tower) for part, tower in modules.towers.items()}}
    endings = tuple(ends) if ends is not None else UNET_LAYERS + TOWER_LAYERS
    for part in parts if parts is not None else roots:
        for name, module in roots[part].named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d) and name.endswith(endings):
                found[Layer(part, name)] = module.weight.detach()
    return found


def write_network(
    modules: TinyModules,
    path: Path,
    kind: NetworkKind = "lora",
    layout: Layout = "kohya",
    *,
    parts: Iterable[str] | None = None,
    ends: Iterable[str] | None = None,
    rank: int = 2,
    alpha: float | None = 1.0,
    strength: float = 0.1,
    dora: Literal["", "rows", "columns"] = "",
    dtype: torch.dtype = torch.float32,
    metadata: dict[str, str] | None = None,
    seed: int = 1,
) -> Written:
    """One network file for a tiny model.

    Args:
        parts, ends: which layers, as `layers_of`.
        alpha: stored beside each layer; None: not stored. For OFT the limit, where 1 limits nothing.
        strength: how large the numbers are.
        dora: magnitudes beside, by rows or columns of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    layers = layers_of(modules, parts, ends)
    written: dict[Layer, dict[str, Tensor]] = {}
    stored: dict[str, Tensor] = {}
    for layer, weight in layers.items():
        tensors = factors(kind, tuple(weight.shape), rank, generator, strength)
        if alpha is not None and kind not in ("full", "ia3", "peft_oft"):
            tensors["alpha"] = torch.tensor(alpha)
        if dora:
            others = [axis for axis in range(weight.dim()) if axis != (0 if dora == "rows" else 1)]
            norms = weight.float().square().sum(others, keepdim=True).sqrt()
            tensors["dora_scale"] = norms * (1 + strength * torch.randn(norms.shape, generator=generator))
        written[layer] = {leaf: tensor.to(dtype) if tensor.is_floating_point() else tensor for leaf, tensor in tensors.items()}
    names = spelt_layers(modules, layers, layout)
    for layer, tensors in written.items():
        stored |= {names[layer] + spelt_leaf(leaf, layout, names[layer]): tensor.contiguous() for leaf, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, path, metadata=metadata)
    return Written(path, written)


def factors(kind: NetworkKind, shape: tuple[int, ...], rank: int, generator: torch.Generator, strength: float = 0.1) -> dict[str, Tensor]:
    """Random tensors of one layer for a weight of `shape`: leaf in kohya's and LyCORIS's spelling -> tensor."""
    out, inner, *kernel = shape
    window = math.prod(kernel)

    def draw(*sides: int) -> Tensor:
        return torch.randn(*sides, generator=generator) * strength**0.5

    def split(count: int) -> int:
        return next(side for side in (4, 2, 1) if count % side == 0)

    makers: dict[str, Callable[[], dict[str, Tensor]]] = {
        "lora": lambda: {"lora_up.weight": draw(out, rank, *(1 for _ in kernel)), "lora_down.weight": draw(rank, inner, *kernel)},
        "loha": lambda: {
            **{f"hada_w{half}_a": draw(out, rank) for half in "12"},
            **{f"hada_w{half}_b": draw(rank, inner * window) for half in "12"},
        },
        "lokr": lambda: {
            "lokr_w1": draw(split(out), split(inner)),
            "lokr_w2_a": draw(out // split(out), rank),
            "lokr_w2_b": draw(rank, inner // split(inner) * window),
        },
        "lokr_full": lambda: {"lokr_w1": draw(split(out), split(inner)), "lokr_w2": draw(out // split(out), inner // split(inner), *kernel)},
        "lokr_both": lambda: {
            "lokr_w1_a": draw(split(out), rank),
            "lokr_w1_b": draw(rank, split(inner)),
            "lokr_w2_a": draw(out // split(out), rank),
            "lokr_w2_b": draw(rank, inner // split(inner) * window),
        },
        "oft": lambda: {"oft_blocks": draw(out // 4, 4, 4)},
        "boft": lambda: {"oft_blocks": draw(2, out // 4, 4, 4)},
        "peft_oft": lambda: {"oft_R.weight": draw(inner * window // 4, 6)},
        "ia3": lambda: {"weight": draw(out), "on_input": torch.tensor(0)},
        "glora": lambda: {
            "a1.weight": draw(inner, rank, *(1 for _ in kernel)),
            "a2.weight": draw(rank, inner, *(1 for _ in kernel)),
            "b1.weight": draw(out, rank, *(1 for _ in kernel)),
            "b2.weight": draw(rank, inner, *kernel),
        },
        "full": lambda: {"diff": draw(*shape)},
        # With cores, which only wide kernels have.
        "locon": lambda: {
            "lora_up.weight": draw(out, rank, 1, 1),
            "lora_down.weight": draw(rank, inner, 1, 1),
            "lora_mid.weight": draw(rank, rank, *kernel),
        },
        "loha_tucker": lambda: {
            **{f"hada_w{half}_a": draw(rank, out) for half in "12"},
            **{f"hada_w{half}_b": draw(rank, inner) for half in "12"},
            **{f"hada_t{half}": draw(rank, rank, *kernel) for half in "12"},
        },
        "lokr_tucker": lambda: {
            "lokr_w1": draw(split(out), split(inner)),
            "lokr_w2_a": draw(rank, out // split(out)),
            "lokr_w2_b": draw(rank, inner // split(inner)),
            "lokr_t2": draw(rank, rank, *kernel),
        },
    }
    without_core = {"locon": "lora", "loha_tucker": "loha", "lokr_tucker": "lokr"}
    return makers[kind if window > 1 else without_core.get(kind, kind)]()


def spelt_layers(modules: TinyModules, layers: Iterable[Layer], layout: Layout) -> dict[Layer, str]:
    """The layers' names in a layout, without the end that says what a tensor is."""
    originals = {name.removesuffix(".weight"): key.removesuffix(".weight") for name, key in unet.to_original(modules.unet.state_dict()).items()}
    return {layer: _spelt(layer, layout, originals, tuple(modules.towers)) for layer in layers}


def spelt_leaf(leaf: str, layout: Layout, layer: str = "") -> str:
    """The end of a key in a layout, with the point before it."""
    peft = {"lora_up.weight": "lora_B.weight", "lora_down.weight": "lora_A.weight", "dora_scale": "lora_magnitude_vector"}
    diffusers = {"lora_up.weight": "lora.up.weight", "lora_down.weight": "lora.down.weight"}
    if layout == "peft":
        return "." + peft.get(leaf, leaf)
    if layout == "diffusers":
        return "." + diffusers.get(leaf, leaf)
    if layout == "diffusers_old" and leaf in diffusers:
        linear = {"lora_up.weight": ".lora_linear_layer.up.weight", "lora_down.weight": ".lora_linear_layer.down.weight"}
        return "_" + diffusers[leaf] if ".processor." in layer else linear[leaf]
    return "." + leaf


def _spelt(layer: Layer, layout: Layout, originals: Mapping[str, str], towers: tuple[str, ...]) -> str:
    part, name = layer
    if part == "unet":
        match layout:
            case "kohya":
                return "lora_unet_" + name.replace(".", "_")
            case "kohya_original":
                return "lora_unet_" + originals[name].replace(".", "_")
            case "comfy":
                return "diffusion_model." + originals[name]
            case "diffusers_old" if ".attn" in name:
                before, _, projection = name.rpartition(".to_")
                return f"unet.{before}.processor.to_{projection.removesuffix('.0')}"
        return "unet." + name
    number = "" if len(towers) == 1 and part != "clip_g" else str(1 + (part == "clip_g"))
    match layout:
        case "kohya":
            return f"lora_te{number}_text_model_" + name.replace(".", "_")
        case "kohya_original" if part != "clip_l" and not name.endswith(("q_proj", "k_proj", "v_proj")):
            return f"lora_te{number}_" + clip.to_open_clip([f"{name}.weight"])[f"{name}.weight"].key.removesuffix(".weight").replace(".", "_")
        case "kohya_original":
            return f"lora_te{number}_text_model_" + name.replace(".", "_")
        case "comfy":
            return f"text_encoders.{part}.transformer.text_model.{name}"
    return ("text_encoder_2" if part == "clip_g" else "text_encoder") + f".text_model.{name}"
