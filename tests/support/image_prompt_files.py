"""Tiny random image prompt adapters and image encoders, written in the layouts that files have."""

from __future__ import annotations

import sfumato.engine.offline  # noqa: F401  before transformers

# isort: split
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

HIDDEN, EMBEDDING, SIDE, PATCH = 128, 48, 28, 14
TOKENS = 4
QUERIES, RESAMPLED, HEADS = 6, 64, 2


def encoder(seed: int = 0, width: int = HIDDEN, projection: int = EMBEDDING) -> CLIPVisionModelWithProjection:
    """Two layers; pictures of 28 pixels, four patches."""
    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=width // 64,
        projection_dim=projection,
        image_size=SIDE,
        patch_size=PATCH,
        hidden_act="gelu",
    )
    made = CLIPVisionModelWithProjection(config)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
            else:
                parameter.fill_(float("norm" in name and name.endswith("weight"))).add_(torch.randn_like(parameter) * 0.1)
    return made.requires_grad_(False).eval()


def open_clip_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An encoder's weights as OpenCLIP writes them."""
    single = {
        "vision_model.embeddings.class_embedding": "class_embedding",
        "vision_model.embeddings.position_embedding.weight": "positional_embedding",
        "vision_model.embeddings.patch_embedding.weight": "conv1.weight",
    }
    parts = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "self_attn.out_proj": "attn.out_proj"}
    made: dict[str, Tensor] = {}
    for name, tensor in state.items():
        bare = name.removeprefix("vision_model.")
        if name in single:
            made[f"visual.{single[name]}"] = tensor
        elif name == "visual_projection.weight":
            made["visual.proj"] = tensor.T
        elif bare.startswith(("pre_layrnorm", "post_layernorm")):
            made[f"visual.{'ln_pre' if bare.startswith('pre') else 'ln_post'}.{bare.rpartition('.')[2]}"] = tensor
        elif "_proj." in bare and ".out_proj." not in bare:
            layer, leaf = bare.split(".")[2], bare.rpartition(".")[2]
            if ".q_proj." in bare:
                thirds = [state[name.replace("q_proj", f"{third}_proj")] for third in "qkv"]
                made[f"visual.transformer.resblocks.{layer}.attn.in_proj_{leaf}"] = torch.cat(thirds)
        else:
            _, _, layer, *rest = bare.split(".")
            made[f"visual.transformer.resblocks.{layer}.{parts['.'.join(rest[:-1])]}.{rest[-1]}"] = tensor
    return made


def adapter(unet: UNet2DConditionModel, kind: str = "plain", seed: int = 0, width: int | None = None) -> dict[str, Tensor]:
    """A file's tensors for a UNet: "plain", "plus" or "full". `width`: of what it reads."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * (shape[-1] ** -0.5 if len(shape) > 1 else 0.1)

    def norm(name: str, size: int) -> dict[str, Tensor]:
        return {f"{name}.weight": 1 + random(size), f"{name}.bias": random(size)}

    def linear(name: str, out: int, given: int) -> dict[str, Tensor]:
        return {f"{name}.weight": random(out, given), f"{name}.bias": random(out)}

    context = unet.config["cross_attention_dim"]
    reads = width or (EMBEDDING if kind == "plain" else HIDDEN)
    made: dict[str, Tensor] = {}
    if kind == "plain":
        made |= linear("image_proj.proj", TOKENS * context, reads) | norm("image_proj.norm", context)
    elif kind == "full":
        made |= linear("image_proj.proj.0", reads, reads) | linear("image_proj.proj.2", context, reads) | norm("image_proj.proj.3", context)
    else:
        made["image_proj.latents"] = random(1, QUERIES, RESAMPLED)
        made |= linear("image_proj.proj_in", RESAMPLED, reads) | linear("image_proj.proj_out", context, RESAMPLED) | norm("image_proj.norm_out", context)
        for layer in range(4):
            stem = f"image_proj.layers.{layer}"
            made |= norm(f"{stem}.0.norm1", RESAMPLED) | norm(f"{stem}.0.norm2", RESAMPLED) | norm(f"{stem}.1.0", RESAMPLED)
            inner = 64 * HEADS
            made |= {f"{stem}.0.to_q.weight": random(inner, RESAMPLED), f"{stem}.0.to_kv.weight": random(2 * inner, RESAMPLED)}
            made |= {f"{stem}.0.to_out.weight": random(RESAMPLED, inner)}
            made |= {f"{stem}.1.1.weight": random(4 * RESAMPLED, RESAMPLED), f"{stem}.1.3.weight": random(RESAMPLED, 4 * RESAMPLED)}
    for place, name in enumerate(name for name in unet.attn_processors if ".attn2." in name):
        attention = unet.get_submodule(name.removesuffix(".processor"))
        out = attention.to_q.out_features
        made |= {f"ip_adapter.{2 * place + 1}.to_{each}_ip.weight": random(out, context) * 2 for each in "kv"}
    return made


def save(tensors: Mapping[str, Tensor], path: Path, config: Mapping[str, object] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    if config is not None:
        (path.parent / "config.json").write_text(json.dumps(config))
    return path
