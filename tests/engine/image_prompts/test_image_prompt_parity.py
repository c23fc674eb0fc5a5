"""Image prompts against diffusers' own: its loader of adapters, its projections and its attention, on the same files."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image
from torch import Tensor
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from sfumato.engine.attachments import Attachment
from sfumato.engine.control.kept import ControlModels
from sfumato.engine.control.loading import Task
from sfumato.engine.control.steering import Steering
from sfumato.engine.denoiser import NetworkInputs
from sfumato.engine.family import Model
from sfumato.engine.guidance import guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.image_prompts import vision
from sfumato.engine.image_prompts.kinds import open_encoder
from sfumato.engine.image_prompts.loading import LoadedImagePrompt
from sfumato.engine.workplace import PLAIN
from sfumato.protocol.requests.control import ControlUnit
from tests.engine.conftest import TinyModel
from tests.engine.control.passing import GUIDANCE, TOLD, seeded, sides
from tests.engine.guided_sides import script
from tests.support.image_prompt_files import SIDE, adapter, encoder, open_clip_names, save
from tests.support.studio import gradient
from tests.support.tiny_models import TinyModules

TRAINED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "timestep_spacing": "leading", "steps_offset": 1}
STEPS, WEIGHT, PX = 2, 0.8, 64
PICTURE = gradient(40, 56, 130)


def pipeline(modules: TinyModules, seer: CLIPVisionModelWithProjection) -> Any:
    """Of copies: diffusers leaves its own attention in the network."""
    processor = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    plain: dict[str, Any] = {"vae": modules.vae, "unet": deepcopy(modules.unet), "scheduler": EulerDiscreteScheduler(**TRAINED)}
    plain |= {"text_encoder": None, "tokenizer": None, "image_encoder": seer, "feature_extractor": processor}
    if modules.kind == "sdxl":
        return StableDiffusionXLPipeline(**plain, text_encoder_2=None, tokenizer_2=None)
    return StableDiffusionPipeline(**plain, safety_checker=None, requires_safety_checker=False)


def scaled(pipe: Any, scales: list[float]) -> None:
    """As `set_ip_adapter_scale`, which knows nothing of networks with depths of their own for each level."""
    for name, processor in pipe.unet.attn_processors.items():
        if ".attn2." in name:
            processor.scale = scales


def theirs(pipe: Any, model: Model, pictures: Any, masks: Any = None) -> Tensor:
    (state,) = sides(model)
    positive, negative = state.positive[0].conditioning, state.negative[0].conditioning
    told: dict[str, Any] = {"prompt_embeds": positive.context, "negative_prompt_embeds": negative.context}
    if model.vector:
        told |= {"pooled_prompt_embeds": positive.pooled, "negative_pooled_prompt_embeds": negative.pooled}
    if masks is not None:
        told["cross_attention_kwargs"] = {"ip_adapter_masks": masks}
    pipe.set_progress_bar_config(disable=True)
    sizes = {"height": PX, "width": PX, "num_inference_steps": STEPS, "guidance_scale": GUIDANCE, "output_type": "latent"}
    return pipe(ip_adapter_image=pictures, latents=seeded(1, 4, 8, 8, seed=3), **sizes, **told).images


def ours(model: Model, attachments: list[Attachment]) -> Tensor:
    scheduler = EulerDiscreteScheduler(**TRAINED)
    scheduler.set_timesteps(STEPS)
    levels = [float(sigma) for sigma in scheduler.sigmas]
    x = seeded(1, 4, 8, 8, seed=3) * float(scheduler.init_noise_sigma)
    settings = GuidanceSettings(guidance=GUIDANCE)
    with torch.inference_mode(), guiding(model, script(*sides(model), calls=STEPS), settings, NetworkInputs(TOLD), None, attachments) as denoise:
        for sigma, following in pairwise(levels):
            x = x + (x - denoise(x, sigma)) / sigma * (following - sigma)
    return x


def loaded(file: Path, seer: Path, model: Model) -> LoadedImagePrompt:
    models = ControlModels()
    made = models.load(models.file(file), model, lambda: None, open_encoder(seer))
    assert isinstance(made, LoadedImagePrompt)
    return made


def prompted(prompt: LoadedImagePrompt, *pictures: Image.Image, how: str = "add", mask: Tensor | None = None, **fields: Any) -> Attachment:
    unit = ControlUnit(**{"weight": WEIGHT, **fields})
    with torch.inference_mode():
        read = [prompt.features(vision.pixels(vision.squared(each, SIDE, "crop"))) for each in pictures]
    features = read[0] if len(read) == 1 else prompt.combined(read, how)
    return prompt.steering(features, Steering.of(unit, mask), Task(unit, "control.0", PLAIN))


def same(found: Tensor, expected: Tensor) -> None:
    assert float((found - expected).abs().max()) <= 1e-4 * float(expected.abs().max())


def differs(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() > 0.01)


def written(folder: Path, modules: TinyModules, kind: str, seed: int = 0) -> tuple[Path, Path, CLIPVisionModelWithProjection]:
    seer = encoder()
    return save(adapter(modules.unet, kind, seed), folder / f"{kind}-{seed}.safetensors"), save(seer.state_dict(), folder / "seer.safetensors"), seer


@pytest.mark.rule("E83")
@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
@pytest.mark.parametrize("projection", ["plain", "plus", "full"])
def test_a_picture_prompts_as_in_the_pipeline(tiny_model: TinyModel, tmp_path: Path, kind: str, projection: str) -> None:
    model, modules = tiny_model(kind)
    file, seen, seer = written(tmp_path, modules, projection)
    pipe = pipeline(modules, seer)
    pipe.load_ip_adapter(str(tmp_path), subfolder="", weight_name=file.name, image_encoder_folder=None)
    scaled(pipe, [WEIGHT])
    expected = theirs(pipe, model, PICTURE)
    found = ours(model, [prompted(loaded(file, seen, model), PICTURE)])
    same(found, expected)
    assert differs(found, ours(model, []))


@pytest.mark.rule("E83")
def test_several_adapters_and_joined_pictures_add_up_as_in_the_pipeline(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    plain, seen, seer = written(tmp_path, modules, "plain")
    plus, _, _ = written(tmp_path, modules, "plus", 1)
    pipe = pipeline(modules, seer)
    pipe.load_ip_adapter(str(tmp_path), subfolder=["", ""], weight_name=[plain.name, plus.name], image_encoder_folder=None)
    scaled(pipe, [0.7, 0.4])
    pictures = [PICTURE, gradient(64, 32, 10), gradient(48, 48, 220)]
    expected = theirs(pipe, model, [pictures[:2], pictures[2]])
    attached = [
        prompted(loaded(plain, seen, model), *pictures[:2], how="join", weight=0.7),
        prompted(loaded(plus, seen, model), pictures[2], weight=0.4),
    ]
    same(ours(model, attached), expected)


@pytest.mark.rule("E83")
def test_a_mask_limits_where_a_picture_prompts_as_in_the_pipeline(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    file, seen, seer = written(tmp_path, modules, "plain")
    pipe = pipeline(modules, seer)
    pipe.load_ip_adapter(str(tmp_path), subfolder="", weight_name=file.name, image_encoder_folder=None)
    scaled(pipe, [WEIGHT])
    mask = torch.full((1, 1, 8, 8), 0.4)  # even: diffusers makes masks smaller in another way
    expected = theirs(pipe, model, PICTURE, [mask])
    prompt = loaded(file, seen, model)
    found = ours(model, [prompted(prompt, PICTURE, mask=mask)])
    same(found, expected)
    assert differs(found, ours(model, [prompted(prompt, PICTURE)]))


@pytest.mark.rule("E83")
def test_an_encoder_in_the_layout_of_open_clip_is_the_same(tiny_model: TinyModel, tmp_path: Path) -> None:
    model, modules = tiny_model("sd1")
    file, seen, seer = written(tmp_path, modules, "plus")
    opened = save(open_clip_names(seer.state_dict()) | {"transformer.resblocks.0.ln_1.weight": torch.zeros(1)}, tmp_path / "open.safetensors")
    shown = vision.pixels(vision.squared(PICTURE, SIDE, "crop"))
    with torch.inference_mode():
        one, other = (loaded(file, each, model).features(shown) for each in (seen, opened))
    assert all(torch.equal(mine, same) for mine, same in zip(one, other, strict=True))


@pytest.mark.rule("E83")
@pytest.mark.parametrize("size", [(40, 56), (56, 40), (28, 28), (300, 61)])
def test_a_picture_is_cut_and_normalised_as_clip_was_trained(size: tuple[int, int]) -> None:
    processor = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    picture = gradient(*size, 90)
    expected = processor(picture, return_tensors="pt").pixel_values
    found = vision.normalised(vision.pixels(vision.squared(picture, SIDE, "crop")))
    assert float((found - expected).abs().max()) <= 0.03  # two of 255 steps: libraries round bicubic weights in two ways
