"""Which parameters act for a loaded model: those that only some models read are refused for the others, instead of doing nothing. Rule: E16."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sfumato.engine.family import Family, Model, Variant
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests import Request

TEXT_ROLES = ("clip", "clip_2")


@dataclass(frozen=True)
class Traits:
    """What decides which parameters act: known of a loaded model, and of a file by its header.

    Attributes:
        roles: the request fields of its parts.
        told: the numbers its network takes beside the text.
        variant: what its network is for.
        encoders: how many text encoders it has.
        zeroes_empty: whether it can be told nothing instead of an empty negative prompt.
    """

    roles: frozenset[str]
    told: frozenset[str]
    variant: Variant | None
    encoders: int
    zeroes_empty: bool

    @staticmethod
    def of_model(model: Model) -> Traits:
        """Of a loaded model."""
        told = frozenset(model.vector.names) if model.vector is not None else frozenset[str]()
        return Traits(frozenset(model.family.roles), told, model.variant, len(model.encoders), model.text.zero_empty_negative)

    @staticmethod
    def of_file(family: Family, variant: Variant | None) -> Traits:
        """Of a file that is of this family; `variant`: by its first convolution."""
        told = frozenset(family.vector.names) if family.vector is not None else frozenset[str]()
        encoders = sum(role in TEXT_ROLES for role in family.roles)
        return Traits(frozenset(family.roles), told, variant, encoders, family.text.zero_empty_negative)


def _is_told(*names: str) -> Callable[[Traits], bool]:
    """Whether the network takes one of these numbers beside the text."""
    return lambda traits: not traits.told.isdisjoint(names)


def _has_role(field: str) -> Callable[[Traits], bool]:
    return lambda traits: field in traits.roles


def _is_variant(variant: str) -> Callable[[Traits], bool]:
    return lambda traits: traits.variant == variant


def _has_two_encoders(traits: Traits) -> bool:
    return traits.encoders > 1


# Parameter -> whether it acts for a model; what is not here acts for every one.
ACTING: Mapping[str, Callable[[Traits], bool]] = {
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
    "zero_empty_negative": lambda traits: traits.zeroes_empty,
    "image_guidance": _is_variant("pix2pix"),
    "mask_weight": _is_variant("inpainting"),
}


def acts(parameter: str, model: Model) -> bool:
    """Whether a parameter of a request changes anything with this model."""
    return parameter not in ACTING or ACTING[parameter](Traits.of_model(model))


def idle(traits: Traits) -> list[str]:
    """The parameters that change nothing with such a model."""
    return [name for name, matters in ACTING.items() if not matters(traits)]


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
