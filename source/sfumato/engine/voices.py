"""What the networks are told in each pass of a batch: its texts encoded beforehand, and the guided denoisers made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from sfumato.engine.guidance import GuidedDenoiser, Part, guidance_settings, guiding
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
    # The number of the tile with a caption that it is for; None for all others.
    tile: int | None = None

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

    def tile_texts(self, plan: Pass, seed: ImageSeed, index: int) -> tuple[ImageTexts, ...]:
        """What one picture's tiles with captions are told in a pass."""
        return self._texts.of_tiles(plan, seed, index)

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
        with self._guiding_pass(plan, extra, refiner_extra, attachments) as (first, second):
            yield first if second is None else self._relay(plan, first, second)

    @contextmanager
    def tiles(
        self, plan: Pass, extra: Tensor | None, refiner_extra: Tensor | None = None, attachments: Sequence[Attachment] = ()
    ) -> Iterator[Callable[[int, Sequence[Attachment]], PairDenoiser]]:
        """What makes the denoiser of a tile, by its number in the pass's grid and what was attached for it alone; arguments as `denoiser`, of the whole."""
        with self._guiding_pass(plan, extra, refiner_extra, attachments) as (first, second):

            def of_tile(number: int, own: Sequence[Attachment]) -> PairDenoiser:
                one = first.of(self._part_of(plan, "main", number, extra, own))
                return one if second is None else self._relay(plan, one, second.of(self._part_of(plan, "refiner", number, refiner_extra)))

            yield of_tile

    @contextmanager
    def inverting(self, plan: Pass, extra: Tensor | None) -> Iterator[PairDenoiser]:
        """The denoiser by which noise is sought."""
        with self._guiding_inverted(plan, extra) as denoise:
            yield denoise

    @contextmanager
    def inverting_tiles(self, plan: Pass, extra: Tensor | None) -> Iterator[Callable[[int], PairDenoiser]]:
        """What makes the denoiser of a tile by which noise is sought."""
        with self._guiding_inverted(plan, extra) as denoise:
            yield lambda number: denoise.of(self._part_of(plan, "inverted", number, extra))

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
        roles = {"main": self.model_of(plan)}
        if self.is_refined(plan):
            assert self._models.refiner is not None
            roles["refiner"] = self._models.refiner
        captioned: Iterable[tuple[ImageTexts, ...]] = zip(*(self._texts.of_tiles(plan, seed, index + number) for number, seed in enumerate(seeds)), strict=True)
        told: dict[int | None, tuple[ImageTexts, ...]] = {None: texts, **dict(enumerate(captioned))}
        parts = [_Part(role, model, each, plan.span, plan.size, settings, tile) for tile, each in told.items() for role, model in roles.items()]
        if plan.inverted:
            found = tuple(self._texts.inverted(seed, index + number) for number, seed in enumerate(seeds))
            plain = GuidanceSettings(guidance=request.alternative_guidance, image_guidance=request.image_guidance)
            parts.append(_Part("inverted", self.model_of(plan), found, PassSpan(len(plan.inverted) - 1), plan.size, plain))
        return parts

    @contextmanager
    def _guiding_pass(
        self, plan: Pass, extra: Tensor | None, refiner_extra: Tensor | None, attachments: Sequence[Attachment]
    ) -> Iterator[tuple[GuidedDenoiser, GuidedDenoiser | None]]:
        """The denoisers of the pass's model and of its refiner."""
        with ExitStack() as stack:
            first = stack.enter_context(self._guiding(self._of_role(plan, "main"), extra, plan.planned, attachments))
            refining = self._of_role(plan, "refiner")
            yield first, stack.enter_context(self._guiding(refining, refiner_extra, plan.planned)) if refining else None

    def _guiding_inverted(self, plan: Pass, extra: Tensor | None) -> AbstractContextManager[GuidedDenoiser]:
        parts = self._of_role(plan, "inverted")
        return self._guiding(parts, extra, parts[None].span.calls)

    def _relay(self, plan: Pass, first: GuidedDenoiser, second: GuidedDenoiser) -> Relay:
        request = self._request
        planned = plan.planned if request.refiner_by_steps else None
        return Relay(first, second, self.model_of(plan).table, request.refiner_switch_at, planned)

    def _of_role(self, plan: Pass, role: str) -> dict[int | None, _Part]:
        """By tile."""
        return {part.tile: part for part in self._told[plan.kind, plan.loop] if part.role == role}

    def _part_of(self, plan: Pass, role: str, number: int, extra: Tensor | None, attachments: Sequence[Attachment] = ()) -> Part:
        """What is told of a tile."""
        assert plan.grid is not None
        tile, parts = plan.grid.tiles[number], self._of_role(plan, role)
        part = parts.get(number, parts[None])
        told = told_of(self._request, *plan.size, part=tile.box(part.model.latent.factor))
        return Part(tile, NetworkInputs(told, None if extra is None else tile.of(extra)), attachments, self._scripts[part.key])

    def _guiding(
        self, parts: Mapping[int | None, _Part], extra: Tensor | None, planned: int, attachments: Sequence[Attachment] = ()
    ) -> AbstractContextManager[GuidedDenoiser]:
        part, scripts = parts[None], [self._scripts[part.key] for part in parts.values()]
        inputs = NetworkInputs(told_of(self._request, *part.size), extra)
        with self._tell.timed("networks"):
            networks = self._networks.of(part.model).bring(tuple(dict.fromkeys(acting for script in scripts for acting in script.networks)))
        request = self._request
        # What else stands in the network's layers would not be seen by what was compiled before.
        compiles = request.compile and request.tiling == "none" and request.attention in ("auto", "sdpa") and not (request.control and request.tiled != "off")
        return guiding(part.model, scripts[0], part.settings, inputs, planned, [*attachments, *networks], compiles, scripts[1:])

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
