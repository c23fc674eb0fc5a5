"""What the networks are told in each pass of a batch: its texts encoded beforehand, and the guided denoisers made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import accumulate

from torch import Tensor

from sfumato.engine.areas import Array, area_mask
from sfumato.engine.attachments import Attachment
from sfumato.engine.conditioning import Conditioner, EncodingCache, TextSettings, text_settings
from sfumato.engine.denoiser import NetworkInputs, told_of
from sfumato.engine.embeddings import KeptEmbeddings
from sfumato.engine.family import Model
from sfumato.engine.guidance import GuidedDenoiser, guidance_settings, guiding
from sfumato.engine.guidance_rules import GuidanceSettings
from sfumato.engine.inputs.resizing import Size
from sfumato.engine.networks.acting import JobNetworks
from sfumato.engine.noise import ImageSeed
from sfumato.engine.passes import Pass
from sfumato.engine.plan import Models, Plan
from sfumato.engine.refining import Relay
from sfumato.engine.samplers import PairDenoiser
from sfumato.engine.script import ImageTexts, Report, Script, count_passes, write_script
from sfumato.engine.telling import Telling
from sfumato.engine.texts import JobTexts, wording_key
from sfumato.prompts import Embedding, PassSpan
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate


@dataclass(frozen=True)
class _Part:
    """One script of a pass: who is told it, and by which texts."""

    role: str
    model: Model
    texts: tuple[ImageTexts, ...]
    span: PassSpan
    size: Size
    settings: GuidanceSettings

    @property
    def key(self) -> tuple[object, ...]:
        return id(self.model), wording_key(self.texts), self.span, self.size, self.settings.needs_empty


class Voices:
    """The texts and denoisers of a job, batch after batch.

    Args:
        areas: softened pictures of where the parts behind each AND act.
        networks: those that the texts name, opened for the models.
        files: keeper of the embeddings that the texts name.
    """

    def __init__(
        self,
        request: Generate,
        plan: Plan,
        models: Models,
        texts: JobTexts,
        cache: EncodingCache,
        areas: Sequence[Array],
        tell: Telling,
        networks: JobNetworks,
        files: KeptEmbeddings,
    ) -> None:
        self.warnings: list[JobWarning] = []
        self._request = request
        self._plan = plan
        self._models = models
        self._texts = texts
        self._cache = cache
        self._areas = areas
        self._tell = tell
        self._networks = networks
        self._files = files
        self._conditioners: dict[int, Conditioner] = {}
        self._scripts: dict[tuple[object, ...], Script] = {}
        # Of the batch at hand: (kind and loop of a pass) -> its scripts.
        self._told: dict[tuple[str, int], list[_Part]] = {}

    def texts(self, plan: Pass, seeds: Sequence[ImageSeed], index: int) -> tuple[ImageTexts, ...]:
        """What the pictures `index`, ... are told in a pass."""
        return tuple(self._texts.of(plan, seed, index + number) for number, seed in enumerate(seeds))

    def embeddings(self, plan: Pass, texts: ImageTexts) -> tuple[Embedding, ...]:
        """Those of the embeddings folders that a picture's texts name in a pass, each once."""
        conditioner = self._conditioner(self.model_of(plan))
        chunks = (chunk for prompt in texts.prompts for wording in prompt.wordings(plan.span) for chunk in conditioner.chunks_of(wording, texts.bundled))
        return tuple(dict.fromkeys(placed.embedding for chunk in chunks for placed in chunk.embeddings if placed.embedding not in texts.bundled))

    def encode(self, seeds: Sequence[ImageSeed], index: int) -> None:
        """Encode all that a batch will be told; what the last batch was told alike is kept."""
        self._told = {(plan.kind, plan.loop): self._parts(plan, seeds, index) for plan in self._plan.passes if plan.runs}
        parts = [part for told in self._told.values() for part in told]
        kept = {part.key: self._scripts[part.key] for part in parts if part.key in self._scripts}
        missing = {part.key: part for part in parts if part.key not in kept}
        self._scripts = kept
        counts = [count_passes(self._conditioner(part.model), part.texts, part.span) for part in missing.values()]
        total = sum(counts)
        with self._tell.timed("encode"):
            for part, before in zip(missing.values(), accumulate(counts, initial=0), strict=False):
                script = self._write(part, lambda done, _, before=before: self._tell.encoding(before + done, total))
                self._scripts[part.key] = script
                self.warnings += [warning for warning in script.warnings if warning not in self.warnings]
        self.warnings += [warning for warning in (*self._texts.warnings, *self._networks.warnings) if warning not in self.warnings]

    @contextmanager
    def denoiser(self, plan: Pass, extra: Tensor | None, refiner_extra: Tensor | None = None, attachments: Sequence[Attachment] = ()) -> Iterator[PairDenoiser]:
        """The guided denoiser of a pass, with the refiner behind it if it ends this pass.

        Args:
            extra: channels that the network sees beside x, (B, E, h, w).
            refiner_extra: the same for the refiner.
            attachments: what acts while the network of the pass is evaluated; not the refiner.
        """
        by_role = {part.role: part for part in self._told[plan.kind, plan.loop]}
        request = self._request
        with ExitStack() as stack:
            first = stack.enter_context(self._guiding(by_role["main"], extra, plan.planned, attachments))
            if "refiner" not in by_role:
                yield first
                return
            second = stack.enter_context(self._guiding(by_role["refiner"], refiner_extra, plan.planned))
            planned = plan.planned if request.refiner_by_steps else None
            yield Relay(first, second, by_role["main"].model.table, request.refiner_switch_at, planned)

    @contextmanager
    def inverting(self, plan: Pass, extra: Tensor | None) -> Iterator[PairDenoiser]:
        """The denoiser by which noise is sought."""
        part = next(part for part in self._told[plan.kind, plan.loop] if part.role == "inverted")
        with self._guiding(part, extra, part.span.calls) as denoise:
            yield denoise

    def model_of(self, plan: Pass) -> Model:
        return self._models.highres if plan.kind == "highres" else self._models.first

    def is_refined(self, plan: Pass) -> bool:
        """Whether the refiner ends this pass; without a highres pass it ends the only one."""
        if self._models.refiner is None:
            return False
        wanted = self._request.refiner_pass
        return wanted == "both" or self._plan.second is None or (wanted == "second") == (plan.kind == "highres")

    def _parts(self, plan: Pass, seeds: Sequence[ImageSeed], index: int) -> list[_Part]:
        request = self._request
        texts = self.texts(plan, seeds, index)
        settings = guidance_settings(request, plan.guidance)
        parts = [_Part("main", self.model_of(plan), texts, plan.span, plan.size, settings)]
        if self.is_refined(plan):
            assert self._models.refiner is not None
            parts.append(_Part("refiner", self._models.refiner, texts, plan.span, plan.size, settings))
        if plan.inverted:
            found = tuple(self._texts.inverted(seed, index + number) for number, seed in enumerate(seeds))
            plain = GuidanceSettings(guidance=request.alternative_guidance, image_guidance=request.image_guidance)
            parts.append(_Part("inverted", self.model_of(plan), found, PassSpan(len(plan.inverted) - 1), plan.size, plain))
        return parts

    def _guiding(self, part: _Part, extra: Tensor | None, planned: int, attachments: Sequence[Attachment] = ()) -> AbstractContextManager[GuidedDenoiser]:
        inputs, script = NetworkInputs(told_of(self._request, *part.size), extra), self._scripts[part.key]
        with self._tell.timed("networks"):
            networks = self._networks.of(part.model).bring(script.networks)
        request = self._request
        # What else stands in the network's layers would not be seen by what was compiled before.
        compiles = request.compile and request.tiling == "none" and request.attention in ("auto", "sdpa")
        return guiding(part.model, script, part.settings, inputs, planned, [*attachments, *networks], compiles)

    def _write(self, part: _Part, report: Report) -> Script:
        device, factor = part.model.device.torch, part.model.latent.factor
        masks = [area_mask(area, (part.size[1] // factor, part.size[0] // factor), device) for area in self._areas]
        with_empty = part.settings.needs_empty
        return write_script(self._conditioner(part.model), part.texts, part.span, areas=masks, with_empty=with_empty, report=report)

    def _conditioner(self, model: Model) -> Conditioner:
        if id(model) not in self._conditioners:
            settings: TextSettings = text_settings(self._request)
            own = {"networks": self._networks.of(model), "embeddings": self._texts.embeddings, "files": self._files}
            self._conditioners[id(model)] = Conditioner(model, settings, self._cache, **own)
        return self._conditioners[id(model)]
