"""What our denoising loop costs: against a bare loop of the same UNet calls, and against diffusers' pipeline on the same weights and noise levels.

Weights lie in memory as each side's own loader leaves them: ours puts the channels of a convolution last.

Random weights of the starter's and of Stable Diffusion 1.5's size; guidance on, linear previews on, text and VAE left out on every side.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

from measuring import Row, compare, measure, print_table, timed

import sfumato.engine.offline  # noqa: F401  before diffusers

# isort: split
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.conditioning import Conditioning
from sfumato.engine.configuration import UNetConfiguration
from sfumato.engine.device import choose
from sfumato.engine.families import FAMILIES
from sfumato.engine.family import Model
from sfumato.engine.guidance import GuidedDenoiser, guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.modules import build_unet
from sfumato.engine.noise import ImageSeed, NoiseSource
from sfumato.engine.noise_table import NoiseTable
from sfumato.engine.passes import Methods, Pass
from sfumato.engine.preview import Previewer
from sfumato.engine.preview.linear import linear_colours
from sfumato.engine.samplers import SamplerParameters, find_sampler
from sfumato.engine.sampling import begin, sample
from sfumato.engine.schedules import find_schedule
from sfumato.engine.script import constant_script
from sfumato.engine.steps import StepSettings, steps_of
from sfumato.engine.telling import Telling, Totals
from sfumato.jobs.context import JobContext, Kept
from sfumato.jobs.places import Places
from sfumato.prompts import PassSpan

STARTER = UNetConfiguration.regular((32, 64, 64, 64), (1, 1, 1, 0), 64, heads=8, linear_projection=False)
SD15 = UNetConfiguration.regular((320, 640, 1280, 1280), (1, 1, 1, 0), 768, heads=8, linear_projection=False)
GUIDANCE = 7.0
PIPELINE_GOAL = 1.0


def random_unet(configuration: UNetConfiguration) -> UNet2DConditionModel:
    """A UNet of this construction on the chosen device, its weights small random numbers."""
    device = choose()
    unet = build_unet(configuration).to_empty(device=device.torch).to(dtype=device.dtype)
    generator = torch.Generator("cpu").manual_seed(0)
    numbers = (torch.randn(1 << 20, generator=generator) * 0.02).to(device.torch, device.dtype)
    with torch.no_grad():
        for parameter in unet.parameters():
            whole = numbers.repeat(-(-parameter.numel() // len(numbers)))
            parameter.copy_(whole[: parameter.numel()].view_as(parameter))
    return unet.requires_grad_(False).eval()


class _Silence:
    """A reporter that forgets everything."""

    def progress(self, **said: object) -> None: ...

    def artifact(self, **made: object) -> None: ...


class Subject:
    """The same work done three ways: `ours`, `bare` (nothing but the UNet calls) and `pipeline` (diffusers')."""

    def __init__(self, configuration: UNetConfiguration, steps: int, latent_px: int) -> None:
        self.steps = steps
        self._theirs = random_unet(configuration)
        self._unet = copy.deepcopy(self._theirs).to(memory_format=torch.channels_last)
        self._device = choose()
        self._shape = (configuration.in_channels, latent_px, latent_px)
        generator = torch.Generator("cpu").manual_seed(1)
        self._positive, self._negative = (torch.randn((1, 77, configuration.context_width), generator=generator) for _ in range(2))
        family = FAMILIES[0]
        table = NoiseTable()
        self._model = Model(
            family=family,
            checkpoint=Checkpoint(Path("random"), "random", {}),
            device=self._device,
            unet=self._unet,
            vae=None,  # type: ignore[arg-type]  not used by the loop
            encoders=(),
            text=family.text,
            vector=family.vector,
            prediction="eps",
            table=table,
            latent=family.latent,
            native_px=latent_px * family.latent.factor,
        )
        schedule, sampler = find_schedule("uniform"), find_sampler("Euler")
        assert schedule is not None
        assert sampler is not None
        size = latent_px * family.latent.factor
        levels = steps_of(sampler, schedule, StepSettings(), steps, table)
        self._pass = Pass("first", (size, size), Methods(sampler, schedule, False), SamplerParameters(), levels, GUIDANCE, PassSpan(steps))
        self._context = JobContext("benchmark", Places(Path(), Path(), ()), _Silence(), Kept(), {})
        self._pipeline = self._make_pipeline()

    def ours(self) -> None:
        """As a job does it, previews and reports included."""
        model = self._model
        script = constant_script(Conditioning(self._positive), Conditioning(self._negative), calls=self.steps)
        with Previewer(linear_colours(model.family.preview, model.latent.factor)) as previewer, torch.inference_mode():
            tell = Telling(self._context, lambda model: previewer)
            tell.expect(Totals(self.steps, 0, 0, 1))
            noise = NoiseSource([ImageSeed(1)], self._shape, self._device.torch)
            with tell.denoising(model, self.steps) as watched, guiding(model, script, GuidanceSettings(guidance=GUIDANCE)) as denoise:
                sample(self._pass, watched(denoise), begin(self._pass, noise(), None), noise)

    def bare(self) -> None:
        device = self._device
        context = torch.cat([self._negative, self._positive]).to(device.torch, device.dtype)
        with torch.inference_mode():
            x = torch.randn((2, *self._shape)).to(device.torch, device.dtype)
            times = torch.linspace(999, 0, self.steps, device=device.torch)
            for t in times:
                self._unet(x, t, encoder_hidden_states=context, return_dict=False)
            if device.torch.type == "cuda":
                torch.cuda.synchronize()

    def pipeline(self) -> None:
        device = self._device
        latents = torch.randn((1, *self._shape)).to(device.torch, device.dtype)
        made = self._pipeline(
            prompt_embeds=self._positive.to(device.torch, device.dtype),
            negative_prompt_embeds=self._negative.to(device.torch, device.dtype),
            latents=latents,
            num_inference_steps=self.steps,
            guidance_scale=GUIDANCE,
            height=self._shape[1] * 8,
            width=self._shape[2] * 8,
            output_type="latent",
        )
        assert bool(made.images.isfinite().all())

    def _make_pipeline(self) -> StableDiffusionPipeline:
        # A VAE of no weight: only its number of levels is looked at.
        vae = AutoencoderKL(
            block_out_channels=(4, 4, 4, 4), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, norm_num_groups=2
        )
        pipeline = StableDiffusionPipeline(
            vae=vae,
            text_encoder=None,  # type: ignore[arg-type]  prompts come as embeddings
            tokenizer=None,  # type: ignore[arg-type]
            unet=self._theirs,
            scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1),
            safety_checker=None,  # type: ignore[arg-type]
            feature_extractor=None,  # type: ignore[arg-type]
            requires_safety_checker=False,
        ).to(self._device.torch)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


def compared(name: str, subject: Subject, goal: float, rounds: int) -> list[Row]:
    """Our loop against the bare calls and against the pipeline, measured in turn."""
    candidates: Mapping[str, object] = {"ours": subject.ours, "bare": subject.bare, "pipeline": subject.pipeline}
    found = measure({key: timed(work) for key, work in candidates.items()}, rounds)  # type: ignore[arg-type]  # callables
    against = {"bare": ("the bare UNet calls", goal), "pipeline": ("diffusers' pipeline", PIPELINE_GOAL)}
    return [compare(f"{name}: our loop / {title}", found["ours"], found[key], limit) for key, (title, limit) in against.items()]


class _Nothing:
    """A network that does no work."""

    def __init__(self, x: torch.Tensor) -> None:
        self._ready = torch.cat([x, x])

    def prepare(self, rows: object, batch: int) -> None: ...

    def __call__(self, x: torch.Tensor, sigma: float, evaluation: object, moment: object = None) -> torch.Tensor:
        return self._ready


def overhead(calls: int = 200, rounds: int = 5) -> Row:
    """What a call costs beside the network: watching, reporting and guidance, against a millisecond."""
    x = torch.zeros((1, 4, 64, 64), device=choose().torch)
    said = Conditioning(torch.zeros((1, 77, 1)))
    tell = Telling(JobContext("benchmark", Places(Path(), Path(), ()), _Silence(), Kept(), {}), lambda model: Previewer(None))
    tell.expect(Totals(calls * (rounds + 1), 0, 0, 1))

    def work() -> None:
        denoise = GuidedDenoiser(_Nothing(x), constant_script(said, said, calls=calls), GuidanceSettings())
        with torch.inference_mode(), tell.denoising(None, calls) as watched:  # type: ignore[arg-type]  # no model
            run = watched(denoise)
            for _ in range(calls):
                run(x, 1.0)

    found = [seconds / calls for seconds in measure({"null": timed(work)}, rounds)["null"]]
    return compare("a call on a null network / 1 ms", found, [1e-3] * len(found), 1.0)


def rows() -> list[Row]:
    """All of them: half a minute for the starter's size, five minutes or more for the size of SD 1.5 on two idle cores."""
    starter = compared("starter, 64 steps", Subject(STARTER, steps=64, latent_px=8), goal=1.05, rounds=7)
    small = compared("SD 1.5 size, 3 steps of 64 px", Subject(SD15, steps=3, latent_px=8), goal=1.02, rounds=7)
    # Where pixels outweigh weights, as in every picture that people paint.
    large = compared("SD 1.5 size, 1 step of 256 px", Subject(SD15, steps=1, latent_px=32), goal=1.02, rounds=3)
    return [overhead(), *starter, *small, *large]


if __name__ == "__main__":
    print_table(rows())
