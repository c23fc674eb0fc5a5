"""What a request means without its models: names resolved to methods, seeds drawn, and everything found that cannot be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sfumato.engine.checks import has_highres, problems_of, unknown
from sfumato.engine.inversion import SCHEDULE as INVERSION_SCHEDULE
from sfumato.engine.noise import ImageSeed, job_seeds, resolve_seed
from sfumato.engine.passes import Methods
from sfumato.engine.samplers import SAMPLERS, find_sampler
from sfumato.engine.schedules import AUTOMATIC, SCHEDULES, find_schedule
from sfumato.engine.script import too_many_areas
from sfumato.engine.steps import joined_methods
from sfumato.engine.texts import JobTexts
from sfumato.engine.upscaling import Upscaler, named_upscaler
from sfumato.protocol.errors import Invalid, ModelNotFound, Problem
from sfumato.protocol.params.highres import SAME
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate

_INVERSION_SAMPLER = "Euler"


@dataclass(frozen=True)
class Draft:
    """What a request means without its models. `upscaler` is None without a highres pass; `seeds` are those of all pictures."""

    seeds: tuple[ImageSeed, ...]
    methods: Methods
    highres: Methods
    upscaler: Upscaler | None
    warnings: tuple[JobWarning, ...]


def draft_of(request: Generate, blobs: Mapping[str, bytes], texts: JobTexts, styles: Sequence[str] = (), folders: Sequence[Path] = ()) -> Draft:
    """Resolve the names of a request. Raises `Invalid` naming every field that cannot be done, with the closest names there are.

    Args:
        styles: names of the styles there are.
        folders: models folders, where an upscaler may lie.

    Raises `ModelNotFound` where an absent upscaler is all that is wrong.
    """
    problems = problems_of(request, blobs, styles)
    count = request.batch_size * request.batch_count
    seeds = job_seeds(resolve_seed(request.seed), count, resolve_seed(request.variation_seed), request.variation_strength)
    problems += _surplus_areas(request, seeds[0], texts)
    methods = methods_of(request.sampler, request.schedule, "", problems)
    highres, upscaler, absent = methods, None, None
    if has_highres(request):
        highres = _highres_methods(request, methods, problems)
        try:
            upscaler = named_upscaler(request.hr_upscaler, folders, "hr_upscaler")
        except ModelNotFound as error:
            absent = error
    warnings: list[JobWarning] = []
    if request.alternative and methods is not None:
        methods = _inverted(request, methods, warnings)
    if absent is not None:
        if not problems:
            raise absent
        problems.append(Problem(absent.path, absent.message))
    if problems or methods is None or highres is None:
        raise Invalid(problems)
    return Draft(tuple(seeds), methods, highres, upscaler, tuple(warnings))


def _surplus_areas(request: Generate, seed: ImageSeed, texts: JobTexts) -> list[Problem]:
    parts = len(texts.first(seed, 0).positive.parts) if request.areas else 0
    if len(request.areas) < max(parts, 1):
        return []
    return [Problem("areas", too_many_areas(len(request.areas), parts - 1))]


def methods_of(sampler_name: str, schedule_name: str, prefix: str, problems: list[Problem]) -> Methods | None:
    """Sampler and schedule of these names; old joined names ("DPM++ 2M Karras") are split. None if one is unknown, added to the problems."""
    sampler = find_sampler(sampler_name)
    joined = joined_methods(sampler_name) if sampler is None else None
    if joined is not None:
        sampler = joined[0]
        schedule_name = joined[1].name if schedule_name.strip().casefold() == AUTOMATIC else schedule_name
    is_automatic = schedule_name.strip().casefold() == AUTOMATIC
    schedule = find_schedule(sampler.schedule if is_automatic and sampler else schedule_name)
    if sampler is None:
        problems.append(unknown(f"{prefix}sampler", "sampler", sampler_name, [row.name for row in SAMPLERS]))
    if schedule is None and not is_automatic:
        problems.append(unknown(f"{prefix}schedule", "schedule", schedule_name, [AUTOMATIC, *(row.name for row in SCHEDULES)]))
    return Methods(sampler, schedule, is_automatic) if sampler and schedule else None


def _highres_methods(request: Generate, first: Methods | None, problems: list[Problem]) -> Methods | None:
    sampler, schedule = request.hr_sampler, request.hr_schedule
    if sampler.strip().casefold() == SAME:
        if schedule.strip().casefold() == SAME:
            return first
        sampler = first.sampler.name if first else SAMPLERS[0].name
    elif schedule.strip().casefold() == SAME:
        # What was automatic for one sampler is so for another.
        schedule = first.schedule.name if first and not first.is_automatic else AUTOMATIC
    return methods_of(sampler, schedule, "hr_", problems)


def _inverted(request: Generate, methods: Methods, warnings: list[JobWarning]) -> Methods:
    """Inverted noise is painted from by Euler's method over the schedule it was found by, at full strength; what else was asked for is told."""
    sampler, schedule = find_sampler(_INVERSION_SAMPLER), find_schedule(INVERSION_SCHEDULE)
    assert sampler is not None
    assert schedule is not None
    given = request.model_fields_set
    told = {
        "sampler": "sampler" in given and methods.sampler.name != sampler.name,
        "schedule": "schedule" in given and methods.schedule.name != schedule.name,
        "strength": request.strength not in (None, 1.0),
    }
    used = {"sampler": f"the sampler {sampler.name}", "schedule": f"the schedule {schedule.title}", "strength": "strength 1"}
    for path, is_other in told.items():
        if is_other:
            sentence = f"Inverted noise is painted from with {used[path]}; the {path} that was asked for was not used."
            warnings.append(JobWarning(code="inverted", message=sentence, path=path))
    return Methods(sampler, schedule, False)
