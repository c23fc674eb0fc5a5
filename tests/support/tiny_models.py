"""Tiny random models of every family with a UNet, made from a seed in a fraction of a second, in the layouts that files have."""

from __future__ import annotations

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from sfumato.engine.configuration import TIME_WIDTH, UNetConfiguration
from sfumato.engine.layouts.clip import PROJECTION
from sfumato.engine.modules import build_unet, clip_body
from sfumato.engine.writing import spelt_tensors

Kind = Literal["sd1", "sd2", "sdxl", "refiner"]

VOCABULARY = 49408
WIDTH = 32
# The pooled vector of the OpenCLIP towers.
POOLED_WIDTH = 32
BASE, INPAINTING, PIX2PIX = 4, 9, 8

_TOWERS: Mapping[Kind, tuple[str, ...]] = {"sd1": ("clip_l",), "sd2": ("clip_h",), "sdxl": ("clip_l", "clip_g"), "refiner": ("clip_g",)}
_SCALES: Mapping[Kind, float] = {"sd1": 0.18215, "sd2": 0.18215, "sdxl": 0.13025, "refiner": 0.13025}
_FOLDERS = {"clip_l": "text_encoder", "clip_h": "text_encoder"}
_GROUPS = 8


@dataclass(frozen=True)
class TinyModules:
    """The modules a file was written from. `towers`: part -> text tower; `projections`: part -> (pooled, width)."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    towers: Mapping[str, CLIPTextModel]
    projections: Mapping[str, Tensor] = field(default_factory=dict)
    kind: Kind = "sd1"

    @property
    def clip(self) -> CLIPTextModel:
        """The first text tower."""
        return next(iter(self.towers.values()))

    def parts(self) -> dict[str, dict[str, Tensor]]:
        """Part -> canonical name -> weight."""
        parts: dict[str, dict[str, Tensor]] = {"unet": self.unet.state_dict(), "vae": self.vae.state_dict()}
        for part, tower in self.towers.items():
            parts[part] = dict(clip_body(tower).state_dict())
            if part in self.projections:
                parts[part][PROJECTION] = self.projections[part]
        return parts


def tiny_modules(kind: Kind = "sd1", seed: int = 0, channels: int = BASE) -> TinyModules:
    """UNet of 32 and 64 channels; VAE of four levels, 8 to 16 channels; text towers of two layers, width 32, with CLIP's vocabulary.

    Args:
        channels: that the UNet takes: `BASE`, `INPAINTING` or `PIX2PIX`.
    """
    torch.manual_seed(seed)
    unet = _sd1_unet(channels) if kind == "sd1" else _unet(kind, channels)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=64,
        scaling_factor=_SCALES[kind],
    )
    towers = {part: _tower(part) for part in _TOWERS[kind]}
    projections = {part: torch.randn(POOLED_WIDTH, WIDTH) / WIDTH**0.5 for part in towers if part == "clip_g"}
    for module in (unet, vae, *towers.values()):
        module.requires_grad_(False).eval()
    return TinyModules(unet, vae, towers, projections, kind)


def _sd1_unet(channels: int) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=2,
        attention_head_dim=8,
        cross_attention_dim=WIDTH,
        norm_num_groups=_GROUPS,
    )


def _unet(kind: Kind, channels: int) -> UNet2DConditionModel:
    """SD2 as SD1 with matrices for projections; SDXL with attention, two blocks deep, on the lower level alone; the refiner on the upper."""
    depths = {"sd2": (1, 0), "sdxl": (0, 2), "refiner": (2, 0)}[kind]
    context = WIDTH * len(_TOWERS[kind])
    vector = {"sd2": 0, "sdxl": POOLED_WIDTH + 6 * TIME_WIDTH, "refiner": POOLED_WIDTH + 5 * TIME_WIDTH}[kind]
    unet = build_unet(UNetConfiguration.regular((32, 64), depths, context, vector_width=vector, in_channels=channels)).to_empty(device="cpu")
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, (parameter[0].numel()) ** -0.5)
            else:
                parameter.fill_(float("norm" in name and name.endswith("weight"))).add_(torch.randn_like(parameter) * 0.02)
    return unet


def _tower(part: str) -> CLIPTextModel:
    tower = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=1,
            max_position_embeddings=77,
            hidden_act="quick_gelu" if part == "clip_l" else "gelu",
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=49407,
        )
    )
    # Fresh towers have unit norms and weights so small that every prompt looks alike; larger ones make texts differ.
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return tower


def write_single_file(
    modules: TinyModules, path: Path, dtype: torch.dtype = torch.float32, metadata: dict[str, str] | None = None, markers: tuple[str, ...] = ()
) -> Path:
    """One safetensors file in the original layout, native size 64. `markers`: names of empty tensors beside the weights ("v_pred", "ztsnr")."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = spelt_tensors(modules.parts(), dtype) | {marker: torch.zeros(0) for marker in markers}
    save_file(tensors, path, metadata={"modelspec.resolution": "64x64"} if metadata is None else metadata)
    return path


def write_folder(modules: TinyModules, path: Path, variant: str = "", dtype: torch.dtype = torch.float32, scheduler: Mapping[str, Any] | None = None) -> Path:
    """A diffusers folder with the text towers' keys wrapped in `text_model.`, as published ones have them; SD2's tower without its last layer, as there."""
    suffix = f".{variant}" if variant else ""
    heads = [8, 8] if modules.kind == "sd1" else [1, 1]
    weights = f"diffusion_pytorch_model{suffix}.safetensors"
    parts: list[tuple[str, dict[str, Tensor], str, dict[str, object]]] = []
    for part, state in modules.parts().items():
        if part == "unet":
            parts.append(("unet", state, weights, {"attention_head_dim": heads, "norm_num_groups": _GROUPS, "sample_size": 8}))
        elif part == "vae":
            parts.append(("vae", state, weights, {"norm_num_groups": 2, "scaling_factor": _SCALES[modules.kind]}))
        else:
            kept = {name: tensor for name, tensor in state.items() if not (part == "clip_h" and name.startswith("encoder.layers.1."))}
            wrapped = {name if name == PROJECTION else f"text_model.{name}": tensor for name, tensor in kept.items()}
            config = {"num_attention_heads": 1, "hidden_act": "quick_gelu" if part == "clip_l" else "gelu"}
            parts.append((_FOLDERS.get(part, "text_encoder_2"), wrapped, f"model{suffix}.safetensors", config))
    for folder, state, name, config in parts:
        (path / folder).mkdir(parents=True, exist_ok=True)
        save_file({key: tensor.to(dtype).contiguous() for key, tensor in state.items()}, path / folder / name)
        (path / folder / "config.json").write_text(json.dumps(config))
    (path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    if scheduler is not None:
        (path / "scheduler").mkdir()
        (path / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    return path


def write_component(modules: TinyModules, part: str, path: Path, dtype: torch.dtype = torch.float32) -> Path:
    """One part alone ("unet", "vae", "clip_l", ...), without prefixes, as separate files have it: UNet and VAE in the original layout, towers wrapped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = modules.parts()[part]
    if part in ("unet", "vae"):
        prefix = {"unet": "model.diffusion_model.", "vae": "first_stage_model."}[part]
        tensors = {key.removeprefix(prefix): tensor for key, tensor in spelt_tensors({part: state}, dtype).items()}
    else:
        tensors = {name if name == PROJECTION else f"text_model.{name}": tensor.to(dtype).contiguous() for name, tensor in state.items()}
    save_file(tensors, path)
    return path


class TinyFiles:
    """Tiny checkpoints below `<root>/checkpoints`, each written when it is first asked for, in half precision."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[tuple[Kind, int], TinyModules] = {}

    def modules(self, kind: Kind, channels: int = BASE) -> TinyModules:
        if (kind, channels) not in self._modules:
            self._modules[kind, channels] = tiny_modules(kind, channels=channels)
        return self._modules[kind, channels]

    def single(self, kind: Kind, channels: int = BASE) -> Path:
        """`tiny-sdxl.safetensors`; with other channels `tiny-sd1-9.safetensors`."""
        name = f"tiny-{kind}" if channels == BASE else f"tiny-{kind}-{channels}"
        path = self.root / "checkpoints" / f"{name}.safetensors"
        return path if path.exists() else write_single_file(self.modules(kind, channels), path, torch.float16)

    def folder(self, kind: Kind) -> Path:
        """`tiny-sdxl-folder`."""
        path = self.root / "checkpoints" / f"tiny-{kind}-folder"
        return path if path.exists() else write_folder(self.modules(kind), path, dtype=torch.float16)


def write_headers_only(path: Path, shapes: Mapping[str, tuple[int, ...]], metadata: dict[str, str] | None = None, dtype: str = "F16") -> Path:
    """A safetensors file with the given tensors whose bytes are a hole: detection of a full-size model without its weights."""
    place = 0
    size = {"F8_E4M3": 1, "F16": 2, "BF16": 2, "F32": 4}[dtype]
    header: dict[str, object] = {"__metadata__": metadata or {}}
    for key, shape in shapes.items():
        count = size
        for side in shape:
            count *= side
        header[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [place, place + count]}
        place += count
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + place)
    return path
