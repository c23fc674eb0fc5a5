"""A request made definite: names resolved to methods, open values filled by the checkpoint, seeds drawn, passes laid out; nothing is computed here.

`draft` needs no model and finds what cannot be done; `plan_of` completes the draft with the models.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from sfumato.engine.checks import has_highres
from sfumato.engine.draft import Draft
from sfumato.engine.family import Model
from sfumato.engine.inputs.resizing import Size
from sfumato.engine.loopback import strengths
from sfumato.engine.noise import ImageSeed, NoiseSettings
from sfumato.engine.originals import Originals, sides_of
from sfumato.engine.passes import Methods, NoiseScale, Pass
from sfumato.engine.samplers import SamplerParameters
from sfumato.engine.schedules import ScheduleSettings, levels
from sfumato.engine.steps import Steps, StepSettings, steps_of
from sfumato.engine.tiled.grid import grid_of
from sfumato.engine.upscaling import Enlargement, Upscaler, enlargement
from sfumato.prompts import PassSpan
from sfumato.protocol.errors import Invalid, ModelIncompatible, Problem
from sfumato.protocol.params import SIZE_STEP_PX
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate

STRENGTH = 0.5
OUTPAINT_STRENGTH = 0.8

D = TypeVar("D")


@dataclass(frozen=True)
class Models:
    """The checkpoints of a job; often all are the same one."""

    first: Model
    highres: Model
    refiner: Model | None = None

    @property
    def all(self) -> tuple[Model, ...]:
        """Each once."""
        return tuple({id(model): model for model in (self.first, self.highres, self.refiner) if model is not None}.values())


@dataclass(frozen=True)
class Highres:
    """The highres pass: `steps` as asked for."""

    methods: Methods
    upscaler: Upscaler
    enlargement: Enlargement
    steps: int
    strength: float
    guidance: float


@dataclass(frozen=True)
class Plan:
    """A job, definite.

    Attributes:
        methods: of the first pass.
        parameters: of its sampler.
        width, height: of the first pass in pixels.
        batches: the seeds of the pictures made together.
        noise: how their noise is drawn.
        clip_layer: counted from the end, 1 is the last.
        strength: of the first pass; None where it begins from noise.
        first: the first pass and its loops.
        highres: None if there is no such pass.
        second: that pass.
        warnings: for the result.
        is_latent_resize: the picture is resized as a latent.
    """

    methods: Methods
    parameters: SamplerParameters
    width: int
    height: int
    batches: tuple[tuple[ImageSeed, ...], ...]
    noise: NoiseSettings
    clip_layer: int
    strength: float | None
    first: tuple[Pass, ...]
    highres: Highres | None
    second: Pass | None
    warnings: tuple[JobWarning, ...]
    is_latent_resize: bool = False

    @property
    def images(self) -> int:
        return sum(len(batch) for batch in self.batches)

    @property
    def passes(self) -> tuple[Pass, ...]:
        """All passes of a batch, in order."""
        return (*self.first, self.second) if self.second else self.first

    @property
    def calls(self) -> int:
        """Evaluations of the denoiser in the whole job."""
        return len(self.batches) * sum(each.calls for each in self.passes)

    @property
    def decodes(self) -> int:
        """Latents that become pictures in the whole job: what was painted, before each further loop, before pixels are enlarged, and at the end."""
        painted = [each.runs or (self.is_latent_resize and each.loop == 0) for each in self.first]
        count = sum(painted[:-1])
        if self.highres is None or self.second is None:
            return self.images * (count + painted[-1])
        if self.highres.upscaler.latent:
            return self.images * (count + 1)
        return self.images * (count + painted[-1] + self.second.runs)


def plan_of(request: Generate, draft: Draft, models: Models, originals: Originals | None) -> Plan:
    """What exactly will be made with these models; raises `Invalid` or `ModelIncompatible` for what they cannot do."""
    warnings = list(draft.warnings)
    model = models.first
    layers = model.clip_layers
    if request.clip_skip > layers:
        raise Invalid([Problem("clip_skip", f"CLIP skip must be between 0 and {layers}: the text encoder of '{model.checkpoint.name}' has no more layers.")])
    size = _first_size(request, model, originals, warnings)
    highres = _highres(request, draft, models, size, warnings)
    strength = _strength(request)
    spans = _spans(request, draft, highres)
    settings = _step_settings(request, model)
    first = tuple(_tiled(request, each, model, warnings) for each in _first_passes(request, draft, model, settings, size, strength, spans))
    second = _tiled(request, _second_pass(request, highres, models.highres, spans), models.highres, warnings) if highres else None
    _check_latents(request, models, draft)
    seeds = draft.seeds
    # A sampler that chooses its own steps would choose them for a whole batch.
    is_alone = request.deterministic or first[0].methods.sampler.varies or (second is not None and second.methods.sampler.varies)
    together = 1 if is_alone else request.batch_size
    return Plan(
        methods=draft.methods,
        parameters=settings.parameters,
        width=size[0],
        height=size[1],
        batches=tuple(seeds[start : start + together] for start in range(0, len(seeds), together)),
        noise=_noise_settings(request, model),
        clip_layer=request.clip_skip or model.text.layer,
        strength=strength,
        first=first,
        highres=highres,
        second=second,
        warnings=tuple(warnings),
        is_latent_resize=originals is not None and originals.is_latent_resize and originals.size != size,
    )


def _strength(request: Generate) -> float | None:
    if not request.image:
        return None
    if request.hr_only:
        return 0.0
    if request.alternative:
        return 1.0
    if request.strength is not None:
        return request.strength
    return STRENGTH if sides_of(request) == type(sides_of(request))() else OUTPAINT_STRENGTH


def _first_size(request: Generate, model: Model, originals: Originals | None, warnings: list[JobWarning]) -> Size:
    own = originals.own_size if originals else None
    if own:
        return own
    width, height = (request.width, request.height)
    if originals and (request.hr_only or request.tiled != "off"):
        width, height = width or originals.size[0], height or originals.size[1]
    return _side("width", width, model, warnings), _side("height", height, model, warnings)


def _side(name: str, wanted: int | None, model: Model, warnings: list[JobWarning]) -> int:
    if wanted is None:
        return model.native_px
    used = max(wanted - wanted % _multiple(model), _multiple(model))
    if used != wanted:
        warnings.append(_rounded(name, f"{name.capitalize()} {wanted}", used, model))
    return used


def _rounded(path: str, what: str, used: int, model: Model) -> JobWarning:
    return JobWarning(code="size_rounded", message=f"{what} is no multiple of {_multiple(model)}; {used} was used.", path=path)


def _multiple(model: Model) -> int:
    return max(SIZE_STEP_PX, model.latent.factor)


def _highres(request: Generate, draft: Draft, models: Models, size: Size, warnings: list[JobWarning]) -> Highres | None:
    if draft.upscaler is None:
        return None
    multiple = max(_multiple(models.first), _multiple(models.highres))
    enlarged = enlargement(size, request.hr_scale, request.hr_width, request.hr_height, multiple)
    if enlarged is None:
        return None
    asked = (request.hr_width or enlarged.size[0], request.hr_height or enlarged.size[1])
    if not (request.hr_width or request.hr_height):
        asked = (int(size[0] * request.hr_scale), int(size[1] * request.hr_scale))
    for path, name, wanted, used in zip(("hr_width", "hr_height"), ("Highres width", "Highres height"), asked, enlarged.size, strict=True):
        if wanted != used:
            warnings.append(_rounded(path, f"{name} {wanted}", used, models.highres))
    return Highres(
        methods=draft.highres,
        upscaler=draft.upscaler,
        enlargement=enlarged,
        steps=request.hr_steps or request.steps,
        strength=request.hr_strength,
        guidance=request.guidance if request.hr_guidance is None else request.hr_guidance,
    )


def _spans(request: Generate, draft: Draft, highres: Highres | None) -> tuple[PassSpan, PassSpan]:
    """How the prompt counts the calls of the first and of the highres pass."""
    first = request.steps * draft.methods.sampler.call_factor
    second = highres.steps * highres.methods.sampler.call_factor if highres else 0
    return PassSpan(first, second), PassSpan(first, second, True)


def _first_passes(
    request: Generate, draft: Draft, model: Model, settings: StepSettings, size: Size, strength: float | None, spans: tuple[PassSpan, PassSpan]
) -> tuple[Pass, ...]:
    methods = draft.methods

    def passing(loop: int, strength: float | None, steps: Steps) -> Pass:
        return Pass(
            kind="first",
            size=size,
            methods=methods,
            parameters=settings.parameters,
            steps=steps,
            guidance=request.guidance * methods.sampler.guidance_factor,
            span=spans[0],
            strength=strength,
            scale=NoiseScale(request.noise_multiplier, request.extra_noise),
            loop=loop,
        )

    row, schedule, n = methods.sampler, methods.schedule, request.steps
    if request.alternative:
        steps = steps_of(row, schedule, settings, n, model.table)
        steps = replace(steps, noise_sigma=steps.sigmas[0])
        upwards = levels(schedule, request.alternative_steps, model.table, settings.levels)
        return (replace(passing(0, strength, steps), inverted=upwards, scale=NoiseScale()),)
    if strength is None:
        return (passing(0, None, steps_of(row, schedule, settings, n, model.table)),)
    each = strengths(strength, request.loop_strength, request.loops, request.loop_curve)
    return tuple(passing(loop, share, steps_of(row, schedule, settings, n, model.table, share, request.exact_steps)) for loop, share in enumerate(each))


def _second_pass(request: Generate, highres: Highres, model: Model, spans: tuple[PassSpan, PassSpan]) -> Pass:
    settings = _step_settings(request, model)
    row = highres.methods.sampler
    return Pass(
        kind="highres",
        size=highres.enlargement.size,
        methods=highres.methods,
        parameters=settings.parameters,
        steps=steps_of(row, highres.methods.schedule, settings, highres.steps, model.table, highres.strength, exact=True),
        guidance=highres.guidance * row.guidance_factor,
        span=spans[1],
        strength=highres.strength,
        scale=NoiseScale(extra=request.extra_noise),
    )


def _tiled(request: Generate, plan: Pass, model: Model, warnings: list[JobWarning]) -> Pass:
    """The pass in tiles, if the request wants that, it paints over a picture, and that is larger than a tile."""
    if request.tiled == "off" or plan.strength is None or not plan.runs:
        return plan
    side = request.tile_size - request.tile_size % _multiple(model)
    if request.tile_size != side and all(warning.path != "tile_size" for warning in warnings):
        warnings.append(_rounded("tile_size", f"Tile size {request.tile_size}", side, model))
    grid = grid_of(request.tiled, plan.size, side or model.native_px, request.tile_overlap, model.latent.factor)
    if grid is None:
        return plan
    if (most := len(request.tile_captions)) > len(grid.tiles):
        sentence = f"There are {most} tile captions, but only {len(grid.tiles)} tiles; leave some out, or make tiles smaller."
        raise Invalid([Problem("tile_captions", sentence)])
    return replace(plan, grid=grid)


def _step_settings(request: Generate, model: Model) -> StepSettings:
    return StepSettings(
        levels=_taken(ScheduleSettings, request),
        parameters=_taken(SamplerParameters, request, table=model.table),
        discard_penultimate=request.discard_penultimate,
        sgm_noise_multiplier=request.sgm_noise_multiplier,
    )


def _taken(settings: type[D], request: Generate, **others: Any) -> D:
    """Settings whose fields have the names of the request's."""
    names = [field.name for field in fields(settings) if field.name in type(request).model_fields]  # type: ignore[arg-type]  a dataclass
    return settings(**{name: getattr(request, name) for name in names}, **others)


def _noise_settings(request: Generate, model: Model) -> NoiseSettings:
    factor = model.latent.factor
    width, height = request.seed_resize_width, request.seed_resize_height
    return NoiseSettings(request.rng, request.ensd, (height // factor, width // factor) if width and height else None)


def _check_latents(request: Generate, models: Models, draft: Draft) -> None:
    """One pass's latents must mean the same to all networks they reach."""
    if models.refiner is not None:
        refined = models.highres if has_highres(request) and request.refiner_pass == "second" else models.first
        for model in {id(each): each for each in (refined, models.highres if request.refiner_pass == "both" else refined)}.values():
            _same_latents(models.refiner, model, "refiner")
    if draft.upscaler is not None and draft.upscaler.latent:
        _same_latents(models.highres, models.first, "hr_model")


def _same_latents(other: Model, model: Model, path: str) -> None:
    if other.latent != model.latent:
        raise ModelIncompatible(other.checkpoint.name, f"latents as those of {other.family.title}", model.family.title, path=path)
