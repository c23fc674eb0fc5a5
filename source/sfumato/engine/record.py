"""What a finished picture remembers: the infotext other programs read and our own record, written into its file. Rules: M1-M5, M10, M19, M20, M23, M24.

The caller says what it settled (`Settled`), what it used (`UsedModel`, `UsedInput`) and what came out (`Made`); nothing is looked up here but checksums that
are known already, since a picture never waits for one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sfumato.engine.checkpoint import Checkpoint
from sfumato.engine.decoding import Pixels
from sfumato.engine.device import Device
from sfumato.imaging.controls import role_of
from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import Encoded, encode
from sfumato.imaging.infotext import write_infotext
from sfumato.imaging.labels import pairs_of
from sfumato.imaging.picture import from_rgb
from sfumato.imaging.saying import Facts
from sfumato.imaging.texts import read_texts
from sfumato.library.hashes import SHORT_DIGITS, Hashes, embedding_hash, network_hash
from sfumato.protocol.params.control import UNITS
from sfumato.protocol.params.text import PROMPT_LIMIT
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs

PENDING = "pending"
# Fields that name pictures, by blob or checksum.
_PICTURES = tuple(spec.name for spec in specs(Generate) if spec.widget == "image")
_LISTS_OF_PROMPTS = ("styles", "tile_captions")
_PROMPTS = tuple(spec.name for spec in specs(Generate) if spec.max_length == PROMPT_LIMIT)
# Fields that hold objects, and which of theirs name pictures.
_PICTURES_OF_OBJECTS = {spec.name: tuple(field.name for field in spec.fields if field.widget == "image") for spec in specs(Generate) if spec.fields}
# A model's field in the request; roles without one have no key in an infotext.
_FIELD_OF_ROLE = {"checkpoint": "model", "vae": "vae", "refiner": "refiner", "hr_model": "hr_model"} | {
    role_of(number): role_of(number) for number in range(UNITS)
}


@dataclass(frozen=True)
class UsedModel:
    """A file or folder that took part.

    Attributes:
        role: "checkpoint", "vae", "clip", "clip_2", "refiner", "hr_model", "control.0", "lora", "embedding" ...
        name: as a request names it.
        title: as other programs name it: the file without folder and ending.
        path: where it is; never written.
    """

    role: str
    name: str
    title: str
    path: Path
    family: str
    bytes: int

    @staticmethod
    def of(role: str, checkpoint: Checkpoint, family: str) -> UsedModel:
        """A checkpoint in a role; with parts from other files it counts by its own."""
        path = checkpoint.path
        own = [size for file, size, _ in checkpoint.identity if Path(file) == path or path in Path(file).parents]
        return UsedModel(role, checkpoint.name, path.stem if path.is_file() else checkpoint.name, path, family, sum(own))

    @staticmethod
    def part(role: str, name: str, path: Path, family: str) -> UsedModel:
        """A file or folder that a part of the checkpoint was taken from instead."""
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        return UsedModel(role, name, path.stem if path.is_file() else path.name, path, family, sum(file.stat().st_size for file in files))


@dataclass(frozen=True)
class UsedInput:
    """A picture that was given: its field, its blob's name in the request, and what is told of it instead of its content."""

    role: str
    blob: str
    sha256: str
    width: int
    height: int
    name: str = ""

    @staticmethod
    def of(role: str, blob: str, data: bytes, width: int, height: int) -> UsedInput:
        """A blob of the job, measured in pixels by whoever opened it."""
        return UsedInput(role, blob, hashlib.sha256(data).hexdigest(), width, height)


def inputs_of_controls(request: Generate, blobs: Mapping[str, bytes]) -> list[UsedInput]:
    """The pictures and masks that controls have of their own, measured by their headers; joints as JSON have no size."""
    found = []
    for number, unit in enumerate(request.control):
        for field in _PICTURES_OF_OBJECTS["control"]:
            if blob := getattr(unit, field):
                texts = read_texts(blobs[blob])
                found.append(UsedInput.of(f"{role_of(number)}.{field}", blob, blobs[blob], texts.width, texts.height))
    return found


@dataclass(frozen=True)
class Settled:
    """What a plan made definite for all pictures of a job.

    Attributes:
        sampler, schedule: titles, the schedule "Automatic" if it is the sampler's own choice.
        acting: the sampler parameters that the sampler reads.
        width, height: of the first pass, in pixels.
        clip_skip: layer counted from the end, 0 if it is the family's own.
        strength: of image to image, None without an image.
        hr_sampler, hr_schedule: titles where they differ from the first pass.
        brownian: "own" if SDE noise was drawn and it is not torchsde's.
        notes: sentences for the record about how it was computed.
    """

    sampler: str
    schedule: str
    acting: frozenset[str]
    width: int
    height: int
    clip_skip: int = 0
    strength: float | None = None
    hr_sampler: str = ""
    hr_schedule: str = ""
    brownian: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """One picture.

    Attributes:
        index: among the pictures of the job.
        seed, variation_seed: of this picture.
        prompt ... hr_negative: as they were understood: styles applied, choices made, comments removed, network tags kept.
        networks: name, kind and weights of each network that was used.
        models: their files, and those of embeddings, named as the prompt names them.
        stage: "final", or what an intermediate picture shows.
        incomplete: calls done and planned, of a picture cut short.
    """

    index: int
    seed: int
    variation_seed: int = -1
    prompt: str = ""
    negative: str = ""
    hr_prompt: str = ""
    hr_negative: str = ""
    networks: tuple[Mapping[str, Any], ...] = ()
    models: tuple[UsedModel, ...] = ()
    stage: str = "final"
    incomplete: tuple[int, int] | None = None


@dataclass(frozen=True)
class Recorder:
    """Writes the pictures of one job; `record` is the one call for each."""

    request: Generate
    settled: Settled
    models: Sequence[UsedModel]
    device: Device
    hashes: Hashes
    inputs: Sequence[UsedInput] = ()

    def record(self, pixels: Pixels, made: Made, warnings: Sequence[JobWarning] = ()) -> tuple[Encoded, str]:
        """The file of a picture (H, W, 3 bytes) and its infotext, which is empty (and nothing is in the file) if the request wants no metadata."""
        height, width, _ = pixels.shape
        image = from_rgb(width, height, np.ascontiguousarray(pixels).tobytes())
        options: dict[str, Any] = {"form": self.request.format, "quality": self.request.quality}
        if self.request.metadata == "none":
            return encode(image, **options), ""
        is_free = self.request.metadata == "prompt_free"
        infotext = self.infotext(made)
        own = own_document(
            "generate",
            self._request.model_dump(mode="json"),
            {
                "index": made.index,
                "seed": made.seed,
                "variation_seed": made.variation_seed,
                "width": width,
                "height": height,
                "stage": made.stage,
                "incomplete": list(made.incomplete) if made.incomplete else False,
            },
            datetime.now(UTC).astimezone(),
            resolved=self._resolved(made, is_free),
            models=[*self._models, *(_told(used, self.hashes.known(used.path)) for used in self._shown(made).models)],
            inputs=[{key: value for key, value in asdict(used).items() if key != "blob"} for used in self.inputs],
            engine=self._engine,
            # A sentence may quote the prompt.
            warnings=[warning.model_dump(mode="json", exclude={"message"} if is_free else None) for warning in warnings],
        )
        return encode(image, infotext, own, **options), infotext

    def infotext(self, made: Made) -> str:
        """The text other programs read."""
        made = self._shown(made)
        settled = self.settled
        facts = Facts(
            sampler=settled.sampler,
            schedule=settled.schedule,
            width=settled.width,
            height=settled.height,
            seed=made.seed,
            variation_seed=made.variation_seed,
            strength=settled.strength,
            clip_skip=settled.clip_skip,
            acting=settled.acting,
            names={_FIELD_OF_ROLE[used.role]: used.title for used in self.models if used.role in _FIELD_OF_ROLE},
            hashes={_FIELD_OF_ROLE[used.role]: digest[:SHORT_DIGITS] for used, digest in self._digests if used.role in _FIELD_OF_ROLE and digest},
            loras=_known_hashes(made.models, "lora", lambda path: network_hash(path, self.hashes)),
            embeddings=_known_hashes(made.models, "embedding", lambda path: embedding_hash(path, self.hashes)),
            prompt=made.prompt,
            negative=made.negative,
            hr_prompt=made.hr_prompt,
            hr_negative=made.hr_negative,
            hr_sampler=settled.hr_sampler,
            hr_schedule=settled.hr_schedule,
            incomplete=made.incomplete,
            brownian=settled.brownian,
        )
        return write_infotext(made.prompt, made.negative, pairs_of(self._request, facts))

    # -- what is the same for all pictures of the job ----------------------------------------------

    @cached_property
    def _request(self) -> Generate:
        """The request as it is written: pictures by their checksums, prompts by theirs if the level wants it so."""
        checksums = {used.blob: used.sha256 for used in self.inputs}
        changes: dict[str, Any] = {}
        for name in _PICTURES:
            value = getattr(self.request, name)
            changes[name] = tuple(checksums.get(item, item) for item in value) if isinstance(value, tuple) else checksums.get(value, value)
        for name, pictures in _PICTURES_OF_OBJECTS.items():
            changes[name] = tuple(
                item.model_copy(update={field: checksums.get(getattr(item, field), getattr(item, field)) for field in pictures})
                for item in getattr(self.request, name)
            )
        if self.request.metadata == "prompt_free":
            changes |= {name: hidden(getattr(self.request, name)) for name in _PROMPTS}
            changes |= {name: tuple(map(hidden, getattr(self.request, name))) for name in _LISTS_OF_PROMPTS}
        return self.request.model_copy(update=changes)

    @cached_property
    def _digests(self) -> list[tuple[UsedModel, str | None]]:
        return [(used, self.hashes.known(used.path)) for used in self.models]

    @cached_property
    def _models(self) -> list[dict[str, Any]]:
        return [_told(used, digest) for used, digest in self._digests]

    @cached_property
    def _engine(self) -> dict[str, Any]:
        return {
            "torch": torch.__version__,
            "diffusers": version("diffusers"),
            "device": self.device.name,
            "dtype": self.device.dtype_name,
            "attention": self.device.attention,
            "rng": self.request.rng,
            "deterministic": self.request.deterministic,
            "notes": list(self.settled.notes),
        }

    def _resolved(self, made: Made, is_free: bool) -> dict[str, Any]:
        shown = self._shown(made)
        return {
            "prompt": shown.prompt,
            "negative": shown.negative,
            "hr_prompt": shown.hr_prompt,
            "hr_negative": shown.hr_negative,
            # Their tags are a part of the prompt.
            "networks": [] if is_free else [dict(network) for network in made.networks],
            "sampler": self.settled.sampler,
            "schedule": self.settled.schedule,
        }

    def _shown(self, made: Made) -> Made:
        if self.request.metadata != "prompt_free":
            return made
        texts = {name: hidden(getattr(made, name)) for name in ("prompt", "negative", "hr_prompt", "hr_negative")}
        # Networks and embeddings are named in the prompt.
        return replace(made, **texts, models=())


def _told(used: UsedModel, digest: str | None) -> dict[str, Any]:
    return {"role": used.role, "name": used.name, "family": used.family, "sha256": digest or PENDING, "bytes": used.bytes}


def _known_hashes(models: Sequence[UsedModel], role: str, hash_of: Callable[[Path], str | None]) -> dict[str, str]:
    """Name -> first digits, of files whose checksum is known."""
    return {used.name: digits for used in models if used.role == role and (digits := hash_of(used.path))}


def hidden(text: str) -> str:
    """A text's SHA-256 in its place (rule M4); nothing is nothing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text else ""
