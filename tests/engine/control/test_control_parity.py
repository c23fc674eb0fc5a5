"""Steered passes against diffusers' own pipelines: the same weights, texts, pictures, noise and levels."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    StableDiffusionAdapterPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLAdapterPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLControlNetUnionPipeline,
)
from torch import Tensor

from sfumato.engine.attachments import Attachment
from sfumato.engine.denoiser import NetworkInputs
from sfumato.engine.family import Model
from sfumato.engine.guidance import guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.protocol.requests.control import ControlUnit
from tests.engine.conftest import TinyModel
from tests.engine.control.passing import GUIDANCE, TOLD, loaded, picture, seeded, sides, steering
from tests.engine.guided_sides import script
from tests.support.control_files import adapter, control_net, save, union_net
from tests.support.tiny_models import TinyModules

TRAINED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "timestep_spacing": "leading", "steps_offset": 1}
STEPS, WEIGHT, SIDE = 2, 0.8, 64


def parts(modules: TinyModules, **more: Any) -> dict[str, Any]:
    """What a pipeline is made of, but for texts, which it is given encoded."""
    plain: dict[str, Any] = {"vae": modules.vae, "unet": modules.unet, "scheduler": EulerDiscreteScheduler(**TRAINED), "text_encoder": None, "tokenizer": None}
    if modules.kind == "sdxl":
        return {**plain, "text_encoder_2": None, "tokenizer_2": None, **more}
    return {**plain, "safety_checker": None, "feature_extractor": None, "requires_safety_checker": False, **more}


def theirs(pipeline: Any, model: Model, image: Any, **more: Any) -> Tensor:
    """The latents that a pipeline ends with."""
    (state,) = sides(model)
    positive, negative = state.positive[0].conditioning, state.negative[0].conditioning
    told: dict[str, Any] = {"prompt_embeds": positive.context, "negative_prompt_embeds": negative.context}
    if model.vector:
        told |= {"pooled_prompt_embeds": positive.pooled, "negative_pooled_prompt_embeds": negative.pooled}
    pipeline.set_progress_bar_config(disable=True)
    sizes = {"height": SIDE, "width": SIDE, "num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "output_type": "latent"}
    return pipeline(image=image, latents=seeded(1, 4, 8, 8, seed=3), **sizes, **told, **more).images


def ours(model: Model, attachments: list[Attachment]) -> Tensor:
    """The same steps by this engine's denoiser."""
    scheduler = EulerDiscreteScheduler(**TRAINED)
    scheduler.set_timesteps(STEPS)
    levels = [float(sigma) for sigma in scheduler.sigmas]
    x = seeded(1, 4, 8, 8, seed=3) * float(scheduler.init_noise_sigma)
    settings = GuidanceSettings(guidance=GUIDANCE)
    with torch.inference_mode(), guiding(model, script(*sides(model), calls=STEPS), settings, NetworkInputs(TOLD), None, attachments) as denoise:
        for sigma, following in pairwise(levels):
            x = x + (x - denoise(x, sigma)) / sigma * (following - sigma)
    return x


def same(found: Tensor, expected: Tensor) -> None:
    """To 1e-4 of the largest number: without control, too, the tiny networks amplify the rounding of levels to so much."""
    assert float((found - expected).abs().max()) <= 1e-4 * float(expected.abs().max())


def differs(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() > 0.01)


@pytest.mark.rule("E81", "E82")
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_control_net_steers_as_in_the_pipeline(tiny_model: TinyModel, tmp_path: Path, kind: str) -> None:
    model, modules = tiny_model(kind)
    net = control_net(modules.unet)
    seen = picture()
    pipe = {"sd1": StableDiffusionControlNetPipeline, "sdxl": StableDiffusionXLControlNetPipeline}[kind](**parts(modules, controlnet=net))
    expected = theirs(pipe, model, seen, controlnet_conditioning_scale=WEIGHT)
    control = loaded(save(net.state_dict(), tmp_path / "net.safetensors"), model)
    found = ours(model, [steering(control, seen, ControlUnit(weight=WEIGHT))])
    same(found, expected)
    assert differs(found, ours(model, []))


@pytest.mark.rule("E81", "E82")
def test_several_control_nets_add_up_as_in_the_pipeline(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    nets, seen, weights = [control_net(modules.unet, seed) for seed in (1, 2)], [picture(seed=8), picture(seed=9)], [0.7, 1.2]
    pipe = StableDiffusionControlNetPipeline(**parts(modules, controlnet=nets))
    expected = theirs(pipe, model, seen, controlnet_conditioning_scale=weights)
    files = [save(net.state_dict(), tmp_path / f"{number}.safetensors") for number, net in enumerate(nets)]
    attached = [steering(loaded(file, model), shown, ControlUnit(weight=weight)) for file, shown, weight in zip(files, seen, weights, strict=True)]
    same(ours(model, attached), expected)


@pytest.mark.rule("E82")
@pytest.mark.parametrize(("name", "number"), [("pose", 0), ("canny", 3), ("inpaint", 7)])
def test_a_union_model_is_told_the_kind_of_map(tiny_model: TinyModel, tmp_path: Path, name: str, number: int) -> None:
    model, modules = tiny_model("sdxl")
    net = union_net(modules.unet)
    pipe = StableDiffusionXLControlNetUnionPipeline(**parts(modules, controlnet=net))
    seen = picture()
    expected = theirs_union(pipe, model, seen, number)
    control = loaded(save(net.state_dict(), tmp_path / "union.safetensors"), model)
    found = ours(model, [steering(control, seen, ControlUnit(union_type=name))])
    same(found, expected)
    assert differs(found, ours(model, [steering(control, seen, ControlUnit(union_type="depth"))]))


def theirs_union(pipeline: Any, model: Model, seen: Tensor, number: int) -> Tensor:
    (state,) = sides(model)
    positive, negative = state.positive[0].conditioning, state.negative[0].conditioning
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        control_image=[seen],
        control_mode=[number],
        latents=seeded(1, 4, 8, 8, seed=3),
        height=SIDE,
        width=SIDE,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        output_type="latent",
        prompt_embeds=positive.context,
        negative_prompt_embeds=negative.context,
        pooled_prompt_embeds=positive.pooled,
        negative_pooled_prompt_embeds=negative.pooled,
    ).images


@pytest.mark.rule("E83")
@pytest.mark.parametrize("shape", ["full_adapter", "light_adapter"])
def test_an_adapter_steers_as_in_the_pipeline(tiny_model: TinyModel, tmp_path: Path, shape: str) -> None:
    model, modules = tiny_model("sd1")
    made = adapter((32, 64), shape)
    pipe = StableDiffusionAdapterPipeline(**parts(modules, adapter=made))
    seen = picture()
    expected = theirs(pipe, model, seen, adapter_conditioning_scale=WEIGHT)
    control = loaded(save(made.state_dict(), tmp_path / "adapter.safetensors"), model)
    found = ours(model, [steering(control, seen, ControlUnit(weight=WEIGHT))])
    same(found, expected)
    assert differs(found, ours(model, []))


@pytest.mark.rule("E83")
def test_an_adapter_for_sdxl_steers_as_in_the_pipeline(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sdxl")
    made = adapter((32, 64), "full_adapter_xl")
    pipe = StableDiffusionXLAdapterPipeline(**parts(modules, adapter=made))
    seen = picture()
    expected = theirs(pipe, model, seen, adapter_conditioning_scale=WEIGHT)
    control = loaded(save(made.state_dict(), tmp_path / "adapter.safetensors"), model)
    found = ours(model, [steering(control, seen, ControlUnit(weight=WEIGHT))])
    same(found, expected)
    assert differs(found, ours(model, []))
