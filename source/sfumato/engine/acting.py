"""Which parameters act for a loaded model: those that only some models read are refused for the others, instead of doing nothing. Rule: E16."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sfumato.engine.family import Model
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests import Request


def _is_told(*names: str) -> Callable[[Model], bool]:
    """Whether the network takes one of these numbers beside the text."""
    return lambda model: model.vector is not None and any(name in model.vector.names for name in names)


def _has_role(field: str) -> Callable[[Model], bool]:
    return lambda model: field in model.family.roles


def _is_variant(variant: str) -> Callable[[Model], bool]:
    return lambda model: model.variant == variant


def _has_two_encoders(model: Model) -> bool:
    return len(model.encoders) > 1


# Parameter -> whether it acts for a model; what is not here acts for every one.
ACTING: Mapping[str, Callable[[Model], bool]] = {
    "vae": _has_role("vae"),
    "clip": _has_role("clip"),
    "clip_2": _has_role("clip_2"),
    "prompt_2": _has_two_encoders,
    "negative_2": _has_two_encoders,
    "original_width": _is_told("original_width"),
    "original_height": _is_told("original_height"),
    "crop_left": _is_told("crop_left"),
    "crop_top": _is_told("crop_top"),
    "target_width": _is_told("target_width"),
    "target_height": _is_told("target_height"),
    "aesthetic": _is_told("aesthetic"),
    "negative_aesthetic": _is_told("aesthetic"),
    "zero_empty_negative": lambda model: model.text.zero_empty_negative,
    "image_guidance": _is_variant("pix2pix"),
    "mask_weight": _is_variant("inpainting"),
}


def acts(parameter: str, model: Model) -> bool:
    """Whether a parameter of a request changes anything with this model."""
    return parameter not in ACTING or ACTING[parameter](model)


def check_acting(request: Request, model: Model, others: tuple[Model, ...] = ()) -> None:
    """Refuse parameters that were set and act for none of the job's models.

    Args:
        others: models of later passes (refiner, highres), for which a parameter may be meant.

    Raises:
        Invalid: naming every such field.
    """
    fields = type(request).model_fields
    idle = [
        name
        for name in ACTING
        if name in fields
        and getattr(request, name) != fields[name].get_default(call_default_factory=True)
        and not any(acts(name, used) for used in (model, *others))
    ]
    if idle:
        raise Invalid([Problem(name, f"{model.family.title} does not use '{name}'.") for name in idle])
