"""SD2, SDXL and its refiner against diffusers' own pipelines on the same tiny random weights: what the text becomes, what else is told, one guided step."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from sfumato.engine.conditioning import Conditioner, EncodingCache, TextSettings
from sfumato.engine.denoiser import NetworkInputs, told_of
from sfumato.engine.family import Model
from sfumato.engine.guidance import guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.modules import clip_body
from sfumato.engine.script import ImageTexts, write_script
from sfumato.prompts import PassSpan, read_prompt
from sfumato.prompts import tokenizer as vocabulary
from sfumato.protocol.requests.generate import Generate
from tests.engine.conftest import TinyModel
from tests.support.tiny_models import TinyModules

PROMPT, NEGATIVE = "a red circle, blue background", "a square"
SCALE, SIDE = 5.0, 64
TRAINED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "timestep_spacing": "leading", "steps_offset": 1}


@dataclass(frozen=True)
class Told:
    """What a pipeline gives its network: contexts (negative, positive), pooled vectors and sizes alike, or None."""

    contexts: Tensor
    pooled: Tensor | None = None
    sizes: Tensor | None = None


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Any]:
    """transformers' tokenizers over the vocabulary that ships, padding as those of CLIP-L and OpenCLIP do."""
    path = Path(vocabulary.__file__).with_name("data") / "bpe_simple_vocab_16e6.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        merges = [tuple(line.split()) for line in islice(lines, 1, 48895)]
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = [chr(code) for code in letters] + [chr(256 + number) for number in range(256 - len(letters))]
    names = symbols + [symbol + "</w>" for symbol in symbols] + ["".join(pair) for pair in merges] + ["<|startoftext|>", "<|endoftext|>"]
    table = {name: number for number, name in enumerate(names)}
    return {
        part: CLIPTokenizer(vocab=table, merges=merges, model_max_length=77, pad_token=padding)
        for part, padding in {"clip_l": "<|endoftext|>", "open_clip": "!"}.items()
    }


def penultimate(modules: TinyModules) -> CLIPTextModel:
    """SD2's tower as published: without its last layer."""
    config = CLIPTextConfig(**{**modules.clip.config.to_dict(), "num_hidden_layers": 1})
    tower = CLIPTextModel(config).eval()
    tower.load_state_dict({name: tensor for name, tensor in modules.clip.state_dict().items() if ".layers.1." not in name})
    return tower


def projecting(modules: TinyModules) -> CLIPTextModelWithProjection:
    """The second tower of SDXL with its projection."""
    config = CLIPTextConfig(**{**modules.towers["clip_g"].config.to_dict(), "projection_dim": len(modules.projections["clip_g"])})
    tower = CLIPTextModelWithProjection(config).eval()
    clip_body(tower.text_model).load_state_dict(clip_body(modules.towers["clip_g"]).state_dict())
    tower.text_projection.weight.copy_(modules.projections["clip_g"])
    return tower


def sd2(modules: TinyModules, tokenizers: dict[str, Any], negative: str | None) -> Told:
    pipeline = StableDiffusionPipeline(
        vae=modules.vae,
        text_encoder=penultimate(modules),
        tokenizer=tokenizers["open_clip"],
        unet=modules.unet,
        scheduler=EulerDiscreteScheduler(**TRAINED),
        safety_checker=None,  # type: ignore[arg-type]
        feature_extractor=None,  # type: ignore[arg-type]
        requires_safety_checker=False,
    )
    positive, other = pipeline.encode_prompt(PROMPT, torch.device("cpu"), 1, True, negative)
    return Told(torch.cat([other, positive]))


def sdxl(modules: TinyModules, tokenizers: dict[str, Any], negative: str | None) -> Told:
    pipeline = StableDiffusionXLPipeline(
        vae=modules.vae,
        text_encoder=modules.towers["clip_l"],
        text_encoder_2=projecting(modules),
        tokenizer=tokenizers["clip_l"],
        tokenizer_2=tokenizers["open_clip"],
        unet=modules.unet,
        scheduler=EulerDiscreteScheduler(**TRAINED),
        add_watermarker=False,
    )
    positive, other, pooled, pooled_other = pipeline.encode_prompt(PROMPT, device=torch.device("cpu"), negative_prompt=negative)
    sizes = pipeline._get_add_time_ids((SIDE, SIDE), (8, 16), (SIDE, SIDE), torch.float32, text_encoder_projection_dim=32)
    return Told(torch.cat([other, positive]), torch.cat([pooled_other, pooled]), torch.cat([sizes, sizes]))


def refiner(modules: TinyModules, tokenizers: dict[str, Any], negative: str | None) -> Told:
    pipeline = StableDiffusionXLImg2ImgPipeline(
        vae=modules.vae,
        text_encoder=None,  # type: ignore[arg-type]
        text_encoder_2=projecting(modules),
        tokenizer=None,  # type: ignore[arg-type]
        tokenizer_2=tokenizers["open_clip"],
        unet=modules.unet,
        scheduler=EulerDiscreteScheduler(**TRAINED),
        requires_aesthetics_score=True,
        add_watermarker=False,
    )
    positive, other, pooled, pooled_other = pipeline.encode_prompt(PROMPT, device=torch.device("cpu"), negative_prompt=negative)
    size = (SIDE, SIDE)
    sizes, sizes_other = pipeline._get_add_time_ids(size, (8, 16), size, 6.0, 2.5, size, (8, 16), size, torch.float32, text_encoder_projection_dim=32)
    return Told(torch.cat([other, positive]), torch.cat([pooled_other, pooled]), torch.cat([sizes_other, sizes]))


PIPELINES = {"sd2": sd2, "sdxl": sdxl, "refiner": refiner}


@pytest.mark.rule("E26", "E27", "E29", "E15")
@pytest.mark.parametrize("kind", list(PIPELINES))
@pytest.mark.parametrize("negative", [NEGATIVE, None])
def test_texts_and_a_guided_step_equal_those_of_the_pipeline(tiny_model: TinyModel, tokenizers: dict[str, Any], kind: str, negative: str | None) -> None:
    # Given the pipeline's own encoding, and ours
    model, modules = tiny_model(kind)
    theirs = PIPELINES[kind](modules, tokenizers, negative)
    prompts = ImageTexts(read_prompt(PROMPT), read_prompt(negative or "", negative=True))
    script = write_script(Conditioner(model, TextSettings(), EncodingCache()), [prompts], PassSpan(1))
    (image,) = script.at(0).images
    ours = [image.negative[0].conditioning, image.positive[0].conditioning]
    torch.testing.assert_close(torch.cat([one.context for one in ours]), theirs.contexts, atol=1e-5, rtol=0)
    if theirs.pooled is not None:
        torch.testing.assert_close(torch.cat([one.pooled for one in ours if one.pooled is not None]), theirs.pooled, atol=1e-5, rtol=0)
    # Then one guided step of a velocity (SD2) or noise prediction agrees, too
    prediction = "v" if kind == "sd2" else "eps"
    model = model.adapted(prediction=prediction)
    x = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(2)) * 3
    expected = their_step(modules, theirs, x, model, 500, prediction)
    sigma = float(model.table.sigmas[500])
    inputs = NetworkInputs(told_of(Generate(crop_top=8, crop_left=16), SIDE, SIDE))
    with guiding(model, script, GuidanceSettings(guidance=SCALE), inputs) as denoise:
        torch.testing.assert_close(denoise(x, sigma), expected, atol=2e-4, rtol=1e-4)


def their_step(modules: TinyModules, told: Told, x: Tensor, model: Model, t: int, prediction: str) -> Tensor:
    """The denoised picture that diffusers' scheduler and UNet make of x at a training step."""
    scheduler = EulerDiscreteScheduler(**TRAINED, prediction_type={"v": "v_prediction", "eps": "epsilon"}[prediction])
    scheduler.set_timesteps(timesteps=[t])
    added = None if told.pooled is None else {"text_embeds": told.pooled, "time_ids": told.sizes}
    scaled = scheduler.scale_model_input(torch.cat([x] * 2), scheduler.timesteps[0])
    away, towards = modules.unet(scaled, scheduler.timesteps[0], encoder_hidden_states=told.contexts, added_cond_kwargs=added).sample.chunk(2)
    return scheduler.step(away + SCALE * (towards - away), scheduler.timesteps[0], x).pred_original_sample
