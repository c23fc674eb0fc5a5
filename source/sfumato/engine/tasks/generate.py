"""Text and pictures to pictures: the job from its request to its files, told stage by stage.

check -> load -> for each batch: encode -> passes (first, loops, highres) -> decode -> save. Every number that shapes a picture comes from the request or
from the checkpoint; no setting is read. Writing files is the receiver's business: a picture leaves as an artifact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sfumato.engine import device as devices
from sfumato.engine.acting import check_acting
from sfumato.engine.areas import softened
from sfumato.engine.attention import attending, kernel_for
from sfumato.engine.batch import Batch, Scene
from sfumato.engine.beside import check_variant
from sfumato.engine.catalog import CATEGORIES, find_components, find_model
from sfumato.engine.draft import draft_of
from sfumato.engine.family import Model
from sfumato.engine.findings import Findings
from sfumato.engine.hashing import IdleHashing
from sfumato.engine.inputs.opening import open_mask
from sfumato.engine.memory import NO_COMPONENTS, Loaded
from sfumato.engine.noise import ImageSeed
from sfumato.engine.originals import Originals
from sfumato.engine.passes import Methods
from sfumato.engine.patches.tiling import tiled
from sfumato.engine.plan import Models, Plan, plan_of
from sfumato.engine.preview import Previewer, PreviewMemory, Previews, previewer_of
from sfumato.engine.record import Made, Recorder, Settled, UsedInput, UsedModel
from sfumato.engine.sampling import deterministic
from sfumato.engine.script import ImageTexts
from sfumato.engine.telling import Telling, Totals
from sfumato.engine.texts import JobTexts
from sfumato.engine.voices import Voices
from sfumato.jobs.context import JobContext
from sfumato.library.hashes import Hashes
from sfumato.library.models import locate
from sfumato.library.styles import read_styles
from sfumato.library.words import WordFiles, style_files
from sfumato.protocol.errors import DeviceLost, FileTrouble, ImageUnreadable, OutOfMemory
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate, GenerateResult, ImageRecord

# What torch's CPU allocator says, on Linux and on Windows.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory")


def run(request: Generate, context: JobContext) -> GenerateResult:
    """Make the pictures of a request. Raises the errors of `protocol.errors`; `Stopped` on cancel, which leaves nothing behind."""
    job = _Job(request, context)
    try:
        with context.shared(IdleHashing).paused():
            return job.run()
    except (torch.OutOfMemoryError, MemoryError) as error:
        job.loaded.clear()
        raise OutOfMemory(job.what(), detail=str(error)) from error
    except torch.AcceleratorError as error:
        # What is on the device can no longer be reached, nor given back.
        raise DeviceLost(detail=str(error)) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        job.loaded.clear()
        raise OutOfMemory(job.what(), detail=str(error)) from error


class _Job:
    """One run: what its stages share."""

    def __init__(self, request: Generate, context: JobContext) -> None:
        self.request = request
        self.context = context
        self.loaded = context.shared(Loaded)
        self.warnings: list[JobWarning] = []
        # Of how the job went, not of what its pictures show.
        self.unrecorded: list[JobWarning] = []
        self.images: list[ImageRecord] = []
        self.components: dict[str, Path] = {}
        self.tell = Telling(context, self._previewer)
        self._previewers: dict[int, Previewer] = {}
        self._stack = ExitStack()

    def what(self) -> str:
        """The job in a few words, for a sentence."""
        width, height = self.request.width, self.request.height
        size = f"pictures of {width}x{height}" if width and height else "pictures of the model's size"
        return f"{size} in batches of {self.request.batch_size}"

    def run(self) -> GenerateResult:
        request, tell = self.request, self.tell
        places = self.context.places
        kernel = kernel_for(request.attention, torch.device(devices.kind()))
        texts = JobTexts(request, self.context.shared(WordFiles).library(places.data, places.models))
        styles = [style.name for style in read_styles(style_files(places.data))] if request.styles else []
        draft = draft_of(request, self.context.blobs, texts, styles)
        originals = Originals(request, self.context.blobs) if request.image else None
        if originals is not None and originals.has_empty_mask:
            self.warnings.append(JobWarning(code="empty_mask", message="The mask is empty, so the whole picture was repainted.", path="mask"))
        areas = [self._area(number, blob) for number, blob in enumerate(request.areas)]
        models = self._load()
        plan = plan_of(request, draft, models, originals)
        self.warnings += plan.warnings
        soft = [softened(picture, request.area_feather, plan.width) for picture in areas]
        voices = Voices(request, plan, models, texts, self.loaded.encodings, soft, tell)
        recorder = self._recorder(models, plan, self._inputs(originals, areas))
        tell.expect(Totals(plan.calls, plan.decodes, plan.images if plan.highres else 0, plan.images))
        networks = [module for model in models.all for module in (model.unet, model.vae)]
        alike = deterministic(models.first.device.torch, request.deterministic)
        with self._stack, alike, attending(networks, kernel), tiled(networks, request.tiling):
            for seeds in plan.batches:
                self._paint(Scene(request, plan, models, originals, voices, tell), seeds, recorder)
        return self._result(models.first, plan)

    # -- load --------------------------------------------------------------------------------------

    def _area(self, number: int, blob: str) -> Image.Image:
        try:
            return open_mask(self.context.blobs[blob], "areas")
        except ImageUnreadable as error:
            raise ImageUnreadable(f"Area {number + 1}", path="areas") from error

    def _load(self) -> Models:
        request, folders = self.request, self.context.places.models
        components = self.components = find_components(folders, {field: getattr(request, field) for field in CATEGORIES})
        # All are found before the first is read.
        paths = {"model": find_model(folders, request.model)}
        paths |= {field: locate(folders, name, field=field) for field in ("hr_model", "refiner") if (name := getattr(request, field))}
        with self.tell.timed("load"):
            first = self._read("model", paths["model"], components, ())
            highres = refiner = None
            # The same checkpoint once more has the parts that were chosen for it.
            if "hr_model" in paths and paths["hr_model"] != paths["model"]:
                highres = self._read("hr_model", paths["hr_model"], NO_COMPONENTS, (first,))
            if "refiner" in paths:
                refiner = self._read("refiner", paths["refiner"], NO_COMPONENTS, (first, highres or first))
            self.tell.loaded()
        models = Models(first, highres or first, refiner)
        check_acting(request, first, models.all[1:])
        for model in models.all:
            check_variant(model, request)
        return models

    def _read(self, field: str, path: Path, components: Mapping[str, Path], beside: Sequence[Model]) -> Model:
        request = self.request
        device = devices.choose(request.dtype, vae_precision=request.vae_dtype)
        try:
            model = self.loaded.load(path, device, self.tell.loading, components, beside, Findings(self.context.places.data))
        except FileTrouble as error:
            error.path = field if error.path == "model" else error.path
            raise
        # What the first model predicts says nothing of the others, unless they are the same.
        is_first = not beside or beside[0].checkpoint.path == path
        own = {"prediction": request.prediction, "zero_terminal": request.zero_terminal_snr} if is_first else {}
        return model.adapted(**own, downcast_alphas=request.downcast_alphas, quantize_t=request.quantize_t)

    def _previewer(self, model: Model) -> Previewer:
        """One for each VAE of the job, closed with it."""
        key = id(model.vae)
        if key not in self._previewers:
            previews = Previews(model, self.loaded, self.context.shared(PreviewMemory), self.context.places.models)
            previewer, warnings = previewer_of(self.request.preview, self.request.preview_every, previews)
            self.unrecorded += [warning for warning in warnings if warning not in self.unrecorded]
            self._previewers[key] = self._stack.enter_context(previewer)
        return self._previewers[key]

    # -- one batch ---------------------------------------------------------------------------------

    def _paint(self, scene: Scene, seeds: Sequence[ImageSeed], recorder: Recorder) -> None:
        index = len(self.images)
        scene.voices.encode(seeds, index)
        self.warnings += [warning for warning in scene.voices.warnings if warning not in self.warnings]
        batch = Batch(scene, seeds, index)
        texts = [scene.voices.texts(each, seeds, index) for each in scene.plan.passes]
        for number, picture in enumerate(batch.run()):
            told = [each[number] for each in texts]
            self._send(picture, self._made(scene.plan, index + number, seeds[number], told), recorder)

    def _made(self, plan: Plan, index: int, seed: ImageSeed, told: Sequence[ImageTexts]) -> Made:
        request = self.request
        first, last = told[0], told[-1]
        return Made(
            index,
            seed.seed,
            seed.variation_seed if seed.variation_strength else -1,
            first.positive.text,
            first.negative.text,
            last.positive.text if plan.second and request.hr_prompt else "",
            last.negative.text if plan.second and request.hr_negative else "",
        )

    def _send(self, picture: Image.Image, made: Made, recorder: Recorder) -> None:
        with self.tell.one("save"):
            encoded, infotext = recorder.record(np.asarray(picture), made, self.warnings)
            self.warnings += [JobWarning(code="format", message=sentence, path="format") for sentence in encoded.warnings]
            name = f"image-{made.index}"
            shown = {"seed": made.seed, "width": picture.width, "height": picture.height, "infotext": infotext}
            self.context.artifact(name, encoded.mime, encoded.data, {**shown, "index": made.index, "sidecars": dict(encoded.sidecars)})
            self.images.append(ImageRecord(artifact=name, **shown))

    # -- what is told of it ------------------------------------------------------------------------

    def _recorder(self, models: Models, plan: Plan, inputs: Sequence[UsedInput]) -> Recorder:
        request, hashes = self.request, Hashes(self.context.places.data)
        roles = {"checkpoint": models.first}
        roles |= {"hr_model": models.highres} if request.hr_model else {}
        roles |= {"refiner": models.refiner} if models.refiner else {}
        used = [UsedModel.of(role, model.checkpoint, model.family.name) for role, model in roles.items()]
        used += [UsedModel.part(field, getattr(request, field), path, models.first.family.name) for field, path in self.components.items()]
        for each in used:
            # Read when this job has ended: these pictures do without, later ones carry it.
            self.context.shared(IdleHashing).want(each.path, hashes)
        return Recorder(request, _settled(request, models.first, plan), used, models.first.device, hashes, inputs)

    def _inputs(self, originals: Originals | None, areas: Sequence[Image.Image]) -> list[UsedInput]:
        request = self.request
        sizes = {("areas", blob): area.size for blob, area in zip(request.areas, areas, strict=True)}
        if originals is not None:
            sizes["image", request.image] = originals.size
            if request.mask:
                sizes["mask", request.mask] = originals.mask_size
        return [UsedInput.of(role, blob, self.context.blobs[blob], *size) for (role, blob), size in sizes.items()]

    def _result(self, model: Model, plan: Plan) -> GenerateResult:
        return GenerateResult(
            images=tuple(self.images),
            model=model.checkpoint.name,
            family=model.family.name,
            sampler=plan.methods.sampler.name,
            schedule=plan.methods.schedule.name,
            warnings=(*self.warnings, *self.unrecorded),
            seconds={stage: round(spent, 4) for stage, spent in self.tell.seconds.items()},
        )


def _settled(request: Generate, model: Model, plan: Plan) -> Settled:
    methods, second = plan.methods, plan.highres.methods if plan.highres else plan.methods
    return Settled(
        sampler=methods.sampler.name,
        schedule=_title(methods),
        acting=frozenset(methods.sampler.parameters),
        width=plan.width,
        height=plan.height,
        clip_skip=plan.clip_layer if plan.clip_layer != model.text.layer else 0,
        strength=None if request.hr_only else plan.strength,
        hr_sampler=second.sampler.name if second.sampler is not methods.sampler else "",
        hr_schedule=_title(second) if _title(second) != _title(methods) else "",
    )


def _title(methods: Methods) -> str:
    """The schedule's title in an infotext."""
    return "Automatic" if methods.is_automatic else methods.schedule.title
