"""A request made definite: names resolved to methods, open values filled by the checkpoint, seeds drawn; nothing is computed here."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields

from sfumato.engine.family import Model
from sfumato.engine.noise import image_seeds, resolve_seed
from sfumato.engine.samplers import SAMPLERS, SamplerParameters, SamplerRow, find_sampler
from sfumato.engine.schedules import AUTOMATIC, SCHEDULES, Schedule, find_schedule, levels
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.params import SIZE_STEP_PX
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate


@dataclass(frozen=True)
class Methods:
    """`is_automatic`: the schedule is the sampler's own choice."""

    sampler: SamplerRow
    schedule: Schedule
    is_automatic: bool


@dataclass(frozen=True)
class Plan:
    """`batches` are the seeds of the pictures made together; `clip_layer` counts from the end, 1 is the last."""

    methods: Methods
    sigmas: tuple[float, ...]
    parameters: SamplerParameters
    width: int
    height: int
    batches: tuple[tuple[int, ...], ...]
    clip_layer: int
    warnings: tuple[JobWarning, ...]

    @property
    def images(self) -> int:
        return sum(len(batch) for batch in self.batches)


def methods_of(request: Generate) -> Methods:
    """The sampler and schedule of a request; old joined names ("DPM++ 2M Karras") are split. Raises `Invalid` naming the closest known names."""
    sampler, schedule_name = find_sampler(request.sampler), request.schedule
    if sampler is None:
        head, _, tail = request.sampler.strip().rpartition(" ")
        if find_schedule(tail) is not None and find_sampler(head) is not None:
            sampler = find_sampler(head)
            schedule_name = tail if schedule_name == AUTOMATIC else schedule_name
    is_automatic = schedule_name.strip().casefold() == AUTOMATIC
    schedule = find_schedule(sampler.schedule if is_automatic and sampler else schedule_name)
    problems: list[Problem] = []
    if sampler is None:
        problems.append(_unknown("sampler", request.sampler, [row.name for row in SAMPLERS]))
    if schedule is None and not is_automatic:
        problems.append(_unknown("schedule", schedule_name, [AUTOMATIC, *(row.name for row in SCHEDULES)]))
    if sampler is None or schedule is None:
        raise Invalid(problems)
    return Methods(sampler, schedule, is_automatic)


def _unknown(path: str, name: str, known: list[str]) -> Problem:
    close = difflib.get_close_matches(name, known, 1, cutoff=0.4)
    hint = f" Closest: '{close[0]}'." if close else ""
    return Problem(path, f"There is no {path} '{name}'; known are {', '.join(known)}.{hint}")


def plan_of(request: Generate, methods: Methods, model: Model) -> Plan:
    """What exactly will be made with this model; raises `Invalid` for what it cannot do."""
    warnings: list[JobWarning] = []
    width = _side("width", request.width, model, warnings)
    height = _side("height", request.height, model, warnings)
    layers = model.clip_layers
    if request.clip_skip > layers:
        raise Invalid([Problem("clip_skip", f"CLIP skip must be between 0 and {layers}: the text encoder of '{model.checkpoint.name}' has no more layers.")])
    seeds = image_seeds(resolve_seed(request.seed), request.batch_size * request.batch_count)
    size = 1 if request.deterministic else request.batch_size
    acting = {field.name: getattr(request, field.name) for field in fields(SamplerParameters) if field.name in type(request).model_fields}
    return Plan(
        methods=methods,
        sigmas=levels(methods.schedule, request.steps, model.table),
        parameters=SamplerParameters(**acting, table=model.table),
        width=width,
        height=height,
        batches=tuple(tuple(seeds[start : start + size]) for start in range(0, len(seeds), size)),
        clip_layer=request.clip_skip or model.text.layer,
        warnings=tuple(warnings),
    )


def _side(name: str, wanted: int | None, model: Model, warnings: list[JobWarning]) -> int:
    if wanted is None:
        return model.native_px
    multiple = max(SIZE_STEP_PX, model.latent.factor)
    used = wanted - wanted % multiple
    if used != wanted:
        sentence = f"{name.capitalize()} {wanted} is no multiple of {multiple}; {used} was used."
        warnings.append(JobWarning(code="size_rounded", message=sentence, path=name))
    return used
