"""Our loop on a loaded file against diffusers' own modules, schedulers and pipeline, on the same weights, latents and noise levels."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler, StableDiffusionPipeline
from torch import Tensor

from sfumato.engine.conditioning import Conditioner, EncodingCache, TextSettings
from sfumato.engine.family import Model
from sfumato.engine.guidance import guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.noise import ImageSeed, NoiseSource
from sfumato.engine.samplers import SamplerParameters, find_sampler
from sfumato.engine.schedules import find_schedule, levels
from sfumato.engine.script import ImageTexts, write_script
from sfumato.prompts import PassSpan, framed, read_prompt, understand
from tests.support.tiny_models import TinyModules

STEPS, GUIDANCE, SEED = 20, 5.0, 11
TRAINED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PROMPT, NEGATIVE = "a red circle, blue background", "a square"
CPU = torch.device("cpu")


def ours(model: Model, sampler: str, schedule: str) -> tuple[tuple[float, ...], list[Tensor]]:
    """The levels, and x at the start of each step and at the end, through the engine's own path."""
    row, spacing = find_sampler(sampler), find_schedule(schedule)
    assert row is not None
    assert spacing is not None
    sigmas = levels(spacing, STEPS, model.table)
    texts = ImageTexts(read_prompt(PROMPT), read_prompt(NEGATIVE, negative=True))
    noise = NoiseSource([ImageSeed(SEED)], (4, 8, 8), CPU)
    states: list[Tensor] = []
    with torch.inference_mode():
        script = write_script(Conditioner(model, TextSettings(), EncodingCache()), [texts], PassSpan(STEPS))
        with guiding(model, script, GuidanceSettings(guidance=GUIDANCE)) as denoise:

            def recorded(x: Tensor, sigma: float) -> Tensor:
                states.append(x)
                return denoise(x, sigma)

            final = row.function(recorded, noise() * sigmas[0], sigmas, noise, SamplerParameters(), lambda *said: None)
    return sigmas, [*states, final]


def their_noise(modules: TinyModules, model_input: Tensor, t: Tensor, contexts: Tensor) -> Tensor:
    """The guided noise prediction of diffusers' modules, as its pipeline computes it."""
    away, towards = modules.unet(torch.cat([model_input] * 2), t, encoder_hidden_states=contexts).sample.chunk(2)
    return away + GUIDANCE * (towards - away)


def their_contexts(modules: TinyModules) -> Tensor:
    rows = [framed(understand(text).chunks[0])[0] for text in (NEGATIVE, PROMPT)]
    return torch.cat([modules.clip(torch.tensor([row])).last_hidden_state for row in rows])


def start(sigmas: tuple[float, ...]) -> Tensor:
    return torch.randn((1, 4, 8, 8), generator=torch.Generator("cpu").manual_seed(SEED)) * sigmas[0]


@pytest.mark.slow
@pytest.mark.rule("E5", "E15", "E47")
@pytest.mark.parametrize("schedule", ["uniform", "karras"])
@pytest.mark.parametrize("sampler", ["Euler", "DPM++ 2M"])
def test_every_step_agrees_with_diffusers(model: Model, modules: TinyModules, sampler: str, schedule: str) -> None:
    # Given our states, at every step
    sigmas, states = ours(model, sampler, schedule)
    # When diffusers' UNet and scheduler start from the same noise on the same levels
    run: Callable[..., list[Tensor]] = _euler_states if sampler == "Euler" else _multistep_states
    with torch.inference_mode():
        theirs = run(modules, sigmas, [model.table.t(sigma) for sigma in sigmas[:-1]])
    # Then
    assert len(theirs) == len(states) == STEPS + 1
    for index, (mine, other) in enumerate(zip(states, theirs, strict=True)):
        difference = float((mine - other).abs().max()) / math.sqrt(1 + sigmas[index] ** 2)
        assert difference < 1e-4, f"step {index}: {difference}"


def _euler_states(modules: TinyModules, sigmas: tuple[float, ...], times: list[float]) -> list[Tensor]:
    scheduler = EulerDiscreteScheduler(**TRAINED)
    scheduler.set_timesteps(STEPS)
    scheduler.sigmas, scheduler.timesteps = torch.tensor(sigmas), torch.tensor(times, dtype=torch.float32)
    contexts = their_contexts(modules)
    states = [start(sigmas)]
    for t in scheduler.timesteps:
        noise = their_noise(modules, scheduler.scale_model_input(states[-1], t), t, contexts)
        states.append(scheduler.step(noise, t, states[-1]).prev_sample)
    return states


def _multistep_states(modules: TinyModules, sigmas: tuple[float, ...], times: list[float]) -> list[Tensor]:
    """In its variance-preserving coordinates, brought back to ours."""
    scheduler = DPMSolverMultistepScheduler(**TRAINED, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", final_sigmas_type="zero")
    scheduler.set_timesteps(STEPS)
    scheduler.sigmas, scheduler.timesteps = torch.tensor(sigmas), torch.tensor(times, dtype=torch.float32)
    contexts = their_contexts(modules)
    latents = start(sigmas) / math.sqrt(1 + sigmas[0] ** 2)
    states = [start(sigmas)]
    for index, t in enumerate(scheduler.timesteps):
        latents = scheduler.step(their_noise(modules, latents, t, contexts), t, latents).prev_sample
        states.append(latents * math.sqrt(1 + sigmas[index + 1] ** 2))
    return states


@pytest.mark.slow
@pytest.mark.rule("E15", "E26")
def test_the_whole_pipeline_of_diffusers_ends_in_the_same_latent(model: Model, modules: TinyModules) -> None:
    # Given diffusers' pipeline made of the modules the file was written from
    sigmas, states = ours(model, "Euler", "uniform")
    scheduler = EulerDiscreteScheduler(**TRAINED)
    pipeline = StableDiffusionPipeline(
        vae=modules.vae,
        text_encoder=modules.clip,
        tokenizer=None,  # type: ignore[arg-type]  prompts come as embeddings
        unet=modules.unet,
        scheduler=scheduler,
        safety_checker=None,  # type: ignore[arg-type]
        feature_extractor=None,  # type: ignore[arg-type]
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    scheduler.set_timesteps(sigmas=list(sigmas))
    with torch.inference_mode():
        negative, positive = their_contexts(modules).split(1)
        # The pipeline scales unit noise by init_noise_sigma = sqrt(sigma^2 + 1); ours starts at sigma.
        latent = start(sigmas) / float(scheduler.init_noise_sigma)
        made = pipeline(
            prompt_embeds=positive,
            negative_prompt_embeds=negative,
            latents=latent,
            sigmas=list(sigmas),
            guidance_scale=GUIDANCE,
            height=64,
            width=64,
            output_type="latent",
        ).images
    # Then
    torch.testing.assert_close(states[-1], made, atol=1e-3, rtol=0)
