"""The networks that the texts of a job name: missed before its models are loaded, opened before anything is computed. Rules: P38, P42, E120, M23."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato.engine.checks import has_highres
from sfumato.engine.record import UsedModel
from sfumato.library.models import HYPERNETWORK, LORA, locate
from sfumato.prompts import NetworkTag, PassSpan, Prompt
from sfumato.prompts.names import Library, NetworkKind
from sfumato.protocol.errors import ModelNotFound
from sfumato.protocol.requests.generate import Generate

if TYPE_CHECKING:
    from sfumato.engine.networks.acting import JobNetworks
    from sfumato.engine.noise import ImageSeed
    from sfumato.engine.plan import Models, Plan
    from sfumato.engine.script import ImageTexts
    from sfumato.engine.texts import JobTexts

CATEGORIES: Mapping[NetworkKind, str] = {"lora": LORA, "hypernet": HYPERNETWORK}
# Kind -> what its file is called in a picture's record.
ROLES: Mapping[NetworkKind, str] = {"lora": "lora", "hypernet": "hypernetwork"}
LORA_ROLE = ROLES["lora"]
_CLOSEST = 3


def check_named(request: Generate, seeds: Sequence[ImageSeed], texts: JobTexts, library: Library, folders: Sequence[Path], check: Callable[[], None]) -> None:
    """Where the request is strict about networks: raises `ModelNotFound` for one that is missing in the text of any picture, or why its file is not opened.

    Args:
        seeds: of all pictures.
        check: called for each picture; may raise to stop.
    """
    if not request.strict_networks:
        return
    for index, seed in enumerate(seeds):
        check()
        told = [(texts.first(seed, index, loop), False) for loop in range(request.loops)]
        told += [(texts.highres(seed, index), True)] if has_highres(request) else []
        for caption in request.tile_captions if request.tiled != "off" else ():
            told += [(texts.captioned(caption, False).first(seed, index), False)] if request.image else []
            told += [(texts.captioned(caption, True).highres(seed, index), True)] if has_highres(request) else []
        told += [(texts.inverted(seed, index), False)] if request.alternative else []
        for each, is_highres in told:
            for field, prompt in fields_of(request, each, is_highres):
                for tag in prompt.missing:
                    raise _missing(tag, field, library, folders)


def _missing(tag: NetworkTag, field: str, library: Library, folders: Sequence[Path]) -> Exception:
    index, category = library.networks(tag.kind), CATEGORIES[tag.kind]
    found = index.find(tag.name)
    if found is not None:
        locate(folders, found.record.path, category, field)  # tells why the file cannot be opened
    return ModelNotFound(category, tag.name, difflib.get_close_matches(tag.name, index.names(), _CLOSEST, 0.4), path=field)


def fields_of(request: Generate, texts: ImageTexts, is_highres: bool = False) -> Iterator[tuple[str, Prompt]]:
    """The prompts of one picture and pass, with the request fields that they stand in."""
    positive = "hr_prompt" if is_highres and request.hr_prompt else "prompt"
    negative = "hr_negative" if is_highres and request.hr_negative else "negative"
    prompts = {positive: texts.positive, negative: texts.negative, "prompt_2": texts.positive_2, "negative_2": texts.negative_2}
    yield from ((field, prompt) for field, prompt in prompts.items() if prompt is not None)


def open_named(networks: JobNetworks, request: Generate, plan: Plan, models: Models, texts: JobTexts) -> None:
    """Open every network for the models that will be evaluated with it; raises the errors of `JobNetworks.read`.

    Args:
        texts: read here for all pictures; warnings about them are those of the whole job.
    """
    for index, seed in enumerate(seed for batch in plan.batches for seed in batch):
        networks.check()
        for each in plan.passes:
            is_highres = each.kind == "highres"
            model = models.highres if is_highres else models.first
            for field, prompt in (pair for told in texts.all_of(each, seed, index) for pair in fields_of(request, told, is_highres)):
                if prompt.tags:
                    networks.of(model).open(prompt.tags, field, is_own=not is_highres or field == "hr_prompt" or model is models.first)
                    if models.refiner is not None:
                        networks.of(models.refiner).open(prompt.tags, field, is_own=False)
            if each.inverted:
                found = texts.inverted(seed, index)
                networks.of(model).open([*found.positive.tags, *found.negative.tags], "alternative_prompt", is_own=True)


@dataclass(frozen=True)
class NamedNetwork:
    """A network that a picture's texts name, for its record: the tag, and its name, kind and first weights."""

    tag: NetworkTag
    weights: Mapping[str, Any]

    def model(self, family: str) -> UsedModel:
        """Its file, by the name in the tag, which tells files of one name in two folders apart."""
        assert self.tag.record is not None
        return UsedModel.part(ROLES[self.tag.kind], self.tag.name, Path(self.tag.record.key), family)


def told_of(prompts: Sequence[tuple[Prompt, PassSpan]]) -> tuple[NamedNetwork, ...]:
    """The networks of one picture, each once, in the order in which they act first."""
    found: dict[tuple[str, str], NamedNetwork] = {}
    for prompt, span in prompts:
        tags = {(tag.kind, tag.record.key): tag for tag in prompt.tags if tag.record is not None}
        for phase in prompt.phases(span) if tags else ():
            for network in (*phase.networks, *(network for wording in phase.wordings for network in wording.networks)):
                key = network.kind, network.key
                if key not in found and key in tags:
                    found[key] = NamedNetwork(tags[key], {"kind": network.kind, "name": network.name, "te": network.te, "unet": network.unet})
    return tuple(found.values())
