"""Keys and shapes of published checkpoints, full size, without weights: what detection reads of a real file.

UNets and VAEs come from diffusers' own modules through our key maps (whose known places are tested by themselves), OpenCLIP's towers and everything
foreign by rule, as the programs that wrote the files name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from sfumato.engine.configuration import ClipConfiguration, UNetConfiguration, VaeConfiguration
from sfumato.engine.layouts import unet as unet_names
from sfumato.engine.layouts import vae as vae_names
from sfumato.engine.modules import build_clip, build_unet, build_vae, clip_body

Shapes = Mapping[str, tuple[int, ...]]

SD15 = UNetConfiguration.regular((320, 640, 1280, 1280), (1, 1, 1, 0), 768, heads=8, linear_projection=False)
BK_BASE = UNetConfiguration.regular((320, 640, 1280, 1280), (1, 1, 1, 0), 768, heads=8, linear_projection=False, layers=1)
BK_SMALL = UNetConfiguration.regular((320, 640, 1280, 1280), (1, 1, 1, 0), 768, heads=8, linear_projection=False, layers=1, middle="none")
BK_TINY = UNetConfiguration.regular((320, 640, 1280), (1, 1, 1), 768, heads=8, linear_projection=False, layers=1, middle="none")
SD2 = UNetConfiguration.regular((320, 640, 1280, 1280), (1, 1, 1, 0), 1024)
BK_V2_SMALL = UNetConfiguration.regular((320, 640, 1280, 1280), (1, 1, 1, 0), 1024, layers=1, middle="none")
SDXL = UNetConfiguration.regular((320, 640, 1280), (0, 2, 10), 2048, vector_width=2816)
REFINER = UNetConfiguration.regular((384, 768, 1536, 1536), (0, 4, 4, 0), 1280, vector_width=2560)
_SDXL_SMALLER = {"in_channels": 4, "out_channels": 4, "widths": (320, 640, 1280), "context_width": 2048, "linear_projection": True}
_SDXL_SMALLER |= {"heads": (5, 10, 20), "groups": 32, "vector_width": 2816}
SSD_1B = UNetConfiguration(
    layers=(2, 2, 2), depths=((0, 0), (2, 2), (4, 4)), up_depths=((4, 4, 10), (2, 1, 1), (0, 0, 0)), middle="residual", middle_depth=0, **_SDXL_SMALLER
)
VEGA = UNetConfiguration(
    layers=(2, 2, 2), depths=((0, 0), (1, 1), (2, 2)), up_depths=((2, 2, 2), (1, 1, 1), (0, 0, 0)), middle="residual", middle_depth=0, **_SDXL_SMALLER
)
KOALA_700M = UNetConfiguration(layers=(1, 1, 1), depths=((0,), (2,), (5,)), up_depths=((5, 5), (2, 2), (0, 0)), middle="none", middle_depth=0, **_SDXL_SMALLER)
KOALA_1B = UNetConfiguration(
    layers=(1, 1, 1), depths=((0,), (2,), (6,)), up_depths=((6, 6), (2, 2), (0, 0)), middle="attention", middle_depth=6, **_SDXL_SMALLER
)

VAE = VaeConfiguration(4, (128, 256, 512, 512), 2, 32, 0.18215)
CLIP_L = ClipConfiguration(49408, 77, 768, 3072, 12, 12, "quick_gelu")
CLIP_H = ClipConfiguration(49408, 77, 1024, 4096, 24, 16, "gelu", 1024)
CLIP_G = ClipConfiguration(49408, 77, 1280, 5120, 32, 20, "gelu", 1280)


@cache
def _unet(shape: UNetConfiguration) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in build_unet(shape).state_dict().items()}


@cache
def _vae() -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in build_vae(VAE).state_dict().items()}


@cache
def _clip(shape: ClipConfiguration) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in clip_body(build_clip(shape)).state_dict().items()}


def unet(shape: UNetConfiguration, prefix: str = "model.diffusion_model.", channels: int = 4) -> dict[str, tuple[int, ...]]:
    """A UNet in the original layout whose first convolution takes so many channels."""
    states = _unet(shape)
    found = {prefix + key: states[name] for name, key in unet_names.to_original(states).items()}
    first = f"{prefix}input_blocks.0.0.weight"
    return {**found, first: (found[first][0], channels, 3, 3)}


def diffusers_unet(shape: UNetConfiguration, channels: int = 4) -> dict[str, tuple[int, ...]]:
    states = _unet(shape)
    return {**states, "conv_in.weight": (states["conv_in.weight"][0], channels, 3, 3)}


def vae(prefix: str = "first_stage_model.") -> dict[str, tuple[int, ...]]:
    """The VAE in the original layout, where attention is made of 1x1 convolutions."""
    states = _vae()
    keys = vae_names.to_original(states)
    return {prefix + key: (*states[name], 1, 1) if vae_names.is_attention_matrix(name) else states[name] for name, key in keys.items()}


def diffusers_vae() -> dict[str, tuple[int, ...]]:
    return dict(_vae())


def clip_l(prefix: str = "cond_stage_model.transformer.text_model.") -> dict[str, tuple[int, ...]]:
    return {prefix + name: shape for name, shape in _clip(CLIP_L).items()} | {f"{prefix}embeddings.position_ids": (1, 77)}


def transformers_clip(shape: ClipConfiguration, layers: int = 0) -> dict[str, tuple[int, ...]]:
    """A tower as transformers writes it; with `layers` fewer than it was made with."""
    states = {f"text_model.{name}": size for name, size in _clip(shape).items()}
    states = {name: size for name, size in states.items() if not layers or not (match := name.split(".layers.")[1:]) or int(match[0].split(".")[0]) < layers}
    return {**states, "text_projection.weight": (shape.projection_width, shape.width)} if shape is CLIP_G else states


def open_clip(prefix: str, width: int, layers: int) -> dict[str, tuple[int, ...]]:
    """A text tower as OpenCLIP writes it."""
    shapes: dict[str, tuple[int, ...]] = {
        "positional_embedding": (77, width),
        "text_projection": (width, width),
        "logit_scale": (),
        "token_embedding.weight": (49408, width),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
    }
    for layer in range(layers):
        block = f"transformer.resblocks.{layer}"
        shapes |= {f"{block}.{norm}.{leaf}": (width,) for norm in ("ln_1", "ln_2") for leaf in ("weight", "bias")}
        shapes |= {f"{block}.attn.in_proj_weight": (3 * width, width), f"{block}.attn.in_proj_bias": (3 * width,)}
        shapes |= {f"{block}.attn.out_proj.weight": (width, width), f"{block}.attn.out_proj.bias": (width,)}
        shapes |= {f"{block}.mlp.c_fc.weight": (4 * width, width), f"{block}.mlp.c_fc.bias": (4 * width,)}
        shapes |= {f"{block}.mlp.c_proj.weight": (width, 4 * width), f"{block}.mlp.c_proj.bias": (width,)}
    return {prefix + key: shape for key, shape in shapes.items()}


def towers_xl() -> dict[str, tuple[int, ...]]:
    return clip_l("conditioner.embedders.0.transformer.text_model.") | open_clip("conditioner.embedders.1.model.", 1280, 32)


def sd15(channels: int = 4) -> dict[str, tuple[int, ...]]:
    """The whole of Stable Diffusion 1.5: 1131 tensors."""
    return unet(SD15, channels=channels) | vae() | clip_l()


def sd2(channels: int = 4, layers: int = 24) -> dict[str, tuple[int, ...]]:
    return unet(SD2, channels=channels) | vae() | open_clip("cond_stage_model.model.", 1024, layers)


def sdxl(shape: UNetConfiguration = SDXL, channels: int = 4) -> dict[str, tuple[int, ...]]:
    """The whole of Stable Diffusion XL: 2515 tensors."""
    return unet(shape, channels=channels) | vae() | towers_xl()


def refiner() -> dict[str, tuple[int, ...]]:
    return unet(REFINER) | vae() | open_clip("conditioner.embedders.0.model.", 1280, 32)


def scaled(shapes: Shapes, suffix: str = "scale_weight") -> dict[str, tuple[int, ...]]:
    """As ComfyUI writes 8-bit weights: a number beside each matrix."""
    scales = {f"{key.removesuffix('weight')}{suffix}": () for key, shape in shapes.items() if key.endswith(".weight") and len(shape) == 2}
    return {**shapes, **scales, "model.diffusion_model.scaled_fp8": (0,)}


def training_leftovers(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """What files of 2022 carry beside the weights: averaged copies and the noise schedule."""
    averaged = {f"model_ema.{key.removeprefix('model.').replace('.', '')}": shape for key, shape in shapes.items() if key.startswith("model.diffusion_model.")}
    return {**shapes, **averaged, "model_ema.decay": (), "betas": (1000,), "alphas_cumprod": (1000,), "sqrt_alphas_cumprod": (1000,)}
