"""Text and pictures to pictures: the job from its request to its files, told stage by stage.

check -> load -> for each batch: encode -> passes (first, loops, highres) -> decode -> save. Every number that shapes a picture comes from the request or
from the checkpoint; no setting is read. Writing files is the receiver's business: a picture leaves as an artifact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image

from sfumato.engine import device as devices
from sfumato.engine.acting import check_acting
from sfumato.engine.annotators import Workshop
from sfumato.engine.areas import softened
from sfumato.engine.attention import KERNELS, attending, kernel_for
from sfumato.engine.batch import Batch, QuickDecode, Scene
from sfumato.engine.beside import check_variant
from sfumato.engine.catalog import CATEGORIES, find_components, find_model
from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.compiling import check_compiler, keep_in
from sfumato.engine.control.files import Base
from sfumato.engine.control.kept import ControlModels
from sfumato.engine.control.units import JobControl
from sfumato.engine.draft import draft_of
from sfumato.engine.embeddings import KeptEmbeddings
from sfumato.engine.family import Model
from sfumato.engine.findings import Findings
from sfumato.engine.hashing import IdleHashing
from sfumato.engine.inputs.opening import open_mask
from sfumato.engine.job_memory import JobMemory, Wishes, largest_seen, largest_size
from sfumato.engine.ladder import is_out_of_memory
from sfumato.engine.memory import NO_COMPONENTS, Loaded
from sfumato.engine.networks.acting import JobNetworks
from sfumato.engine.networks.hypernetworks import KeptHypernetworks
from sfumato.engine.networks.kept_networks import KeptNetworks
from sfumato.engine.networks.named import LORA_ROLE, check_named, open_named, told_of
from sfumato.engine.networks.weights import NetworkWeights
from sfumato.engine.noise import ImageSeed
from sfumato.engine.originals import Originals
from sfumato.engine.passes import Methods
from sfumato.engine.patches.tiling import tiled
from sfumato.engine.plan import Models, Plan, plan_of
from sfumato.engine.preview import Previewer, PreviewMemory, Previews, previewer_of
from sfumato.engine.preview.tiny import find_tiny, tiny_decode
from sfumato.engine.record import Made, Recorder, Settled, UsedInput, UsedModel, inputs_of_controls
from sfumato.engine.sampling import DENOISING, deterministic
from sfumato.engine.script import ImageTexts
from sfumato.engine.telling import Telling, Totals
from sfumato.engine.texts import JobTexts
from sfumato.engine.upscalers.kept import KeptImageNetworks
from sfumato.engine.upscalers.ways import Way, way_of
from sfumato.engine.upscaling import Upscaler
from sfumato.engine.voices import Voices
from sfumato.jobs.context import JobContext
from sfumato.library.embedding_files import place_of
from sfumato.library.hashes import Hashes
from sfumato.library.models import locate
from sfumato.library.styles import read_styles
from sfumato.library.words import WordFiles, style_files
from sfumato.protocol.errors import DeviceLost, FileTrouble, ImageUnreadable, NumbersInvalid, OutOfMemory, SfumatoError
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate, GenerateResult, ImageRecord

T = TypeVar("T")


def run(request: Generate, context: JobContext) -> GenerateResult:
    """Make the pictures of a request. Raises the errors of `protocol.errors`; `Stopped` on cancel, which leaves nothing behind."""
    job = _Job(request, context)
    try:
        with context.shared(IdleHashing).paused():
            return job.run()
    except OutOfMemory:
        job.loaded.clear()
        raise
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            if isinstance(error, torch.AcceleratorError):
                # What is on the device can no longer be reached, nor given back.
                raise DeviceLost(detail=str(error)) from error
            raise
        # Where nothing could be tried again: before the first picture, or while one was put together.
        job.loaded.clear()
        raise job.memory.exhausted(str(error)) from error
    finally:
        job.memory.close()


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
        self._read_models: list[Model] = []
        self._upcast = False
        wishes = Wishes(request.offload, request.vae_tiling, request.memory_limit, request.deterministic)
        device = devices.choose(request.dtype, vae_precision=request.vae_dtype)
        self.memory = JobMemory(device, wishes, self.loaded.learned, self.loaded.inputs, self.tell.note, context.check, self._let_others_go)
        if device.kind.is_host and wishes.offload not in ("auto", "none"):
            message = f"Offloading was left out: on this device ({device.name}) networks are in the machine's own memory already."
            self.unrecorded.append(JobWarning(code="offload", message=message, path="offload"))

    def run(self) -> GenerateResult:
        request, tell = self.request, self.tell
        places = self.context.places
        kernel = kernel_for(request.attention, torch.device(devices.kind()))
        if request.compile:
            check_compiler(torch.device(devices.kind()))
            keep_in(places.data)
        library = self.context.shared(WordFiles).library(places.data, places.models)
        texts = JobTexts(request, library)
        styles = [style.name for style in read_styles(style_files(places.data))] if request.styles else []
        draft = draft_of(request, self.context.blobs, texts, styles, places.models)
        originals = Originals(request, self.context.blobs) if request.image else None
        if originals is not None and originals.has_empty_mask:
            self.warnings.append(JobWarning(code="empty_mask", message="The mask is empty, so the whole picture was repainted.", path="mask"))
        areas = [self._area(number, blob) for number, blob in enumerate(request.areas)]
        control = JobControl(request, self.context.blobs, Workshop.of(self.context), self.context.shared(ControlModels))
        check_named(request, draft.seeds, texts, library, places.models, tell.check)
        models = self._load(control)
        plan = plan_of(request, draft, models, originals)
        self.warnings += plan.warnings
        self.memory.expect(models.all, largest_size(plan), 2 * request.batch_size, largest_seen(plan))
        soft = [softened(picture, request.area_feather, plan.width) for picture in areas]
        networks = self._networks(models, plan, JobTexts(request, library))
        voices = Voices(request, plan, models, JobTexts(request, library), self.loaded.encodings, soft, tell, networks, self.context.shared(KeptEmbeddings))
        recorder = self._recorder(models, plan, self._inputs(originals, areas), control)
        enlarge = self._enlarger(draft.upscaler)
        quick = self._quick_decode(models.highres if plan.second else models.first)
        tell.expect(Totals(plan.calls, plan.decodes, _upscales(plan, enlarge), plan.images))
        modules = [module for model in models.all for module in (model.unet, model.vae)] + control.networks
        alike = deterministic(models.first.device.torch, request.deterministic)
        self._stack.callback(self.context.shared(NetworkWeights).rest)
        with self._stack, alike, attending(modules, kernel), tiled(modules, request.tiling):
            for seeds in plan.batches:
                self._paint(Scene(request, plan, models, originals, voices, tell, control, enlarge, quick), seeds, recorder)
        return self._result(models.first, plan)

    # -- load --------------------------------------------------------------------------------------

    def _area(self, number: int, blob: str) -> Image.Image:
        try:
            return open_mask(self.context.blobs[blob], "areas")
        except ImageUnreadable as error:
            raise ImageUnreadable(f"Area {number + 1}", path="areas") from error

    def _load(self, control: JobControl) -> Models:
        request, folders = self.request, self.context.places.models
        components = self.components = find_components(folders, {field: getattr(request, field) for field in CATEGORIES})
        # All are found before the first is read.
        paths = {"model": find_model(folders, request.model)}
        paths |= {field: locate(folders, name, field=field) for field in ("hr_model", "refiner") if (name := getattr(request, field))}
        control.find(folders)
        if control.files:
            highres = paths.get("hr_model")
            control.check(self._header(paths["model"], components), self._header(highres, NO_COMPONENTS) if highres else None)
        with self.tell.timed("load"):
            first = self._read("model", paths["model"], components, ())
            highres = refiner = None
            # The same checkpoint once more has the parts that were chosen for it.
            if "hr_model" in paths and paths["hr_model"] != paths["model"]:
                highres = self._read("hr_model", paths["hr_model"], NO_COMPONENTS, (first,))
            if "refiner" in paths:
                refiner = self._read("refiner", paths["refiner"], NO_COMPONENTS, (first, highres or first))
        models = Models(first, highres or first, refiner)
        check_acting(request, first, models.all[1:])
        for model in models.all:
            check_variant(model, request)
        with self.tell.timed("load"):
            control.load(models, self.tell.loading)
            self.tell.loaded()
        return models

    def _enlarger(self, upscaler: Upscaler | None) -> Way | None:
        """What enlarges pictures before the highres pass; None where there is none, or a latent is enlarged."""
        if upscaler is None or upscaler.latent:
            return None
        with self.tell.timed("load"):
            kept = self.context.shared(KeptImageNetworks)
            return way_of(upscaler, "hr_upscaler", kept, devices.choose(self.request.dtype), self.tell.check, say=self.tell.note)

    def _header(self, path: Path, components: Mapping[str, Path]) -> Base | None:
        """What a checkpoint is, before it is loaded; None for one that loading will refuse."""
        held = self.loaded.held(path, self._device(path), components)
        try:
            return Base.of(held.checkpoint if held else open_checkpoint(path))
        except SfumatoError:
            return None

    def _device(self, path: Path) -> devices.Device:
        files = path.rglob("*.safetensors") if path.is_dir() else [path]
        return devices.choose(self.request.dtype, vae_precision=self.request.vae_dtype, size_bytes=sum(file.stat().st_size for file in files))

    def _let_others_go(self) -> None:
        """What only saves time, and the models that are not this job's."""
        # What is merged into this job's weights is part of its pictures.
        own = (self.loaded, self.context.shared(NetworkWeights))
        for holder in self.context.holders():
            if all(holder is not each for each in own):
                holder.clear()
        self.loaded.let_go(self._read_models)

    def _read(self, field: str, path: Path, components: Mapping[str, Path], beside: Sequence[Model]) -> Model:
        request = self.request
        try:
            model = self.memory.attempt("load", lambda: self._loaded(path, components, beside))
        except FileTrouble as error:
            error.path = field if error.path == "model" else error.path
            raise
        # What the first model predicts says nothing of the others, unless they are the same.
        is_first = not beside or beside[0].checkpoint.path == path
        own = {"prediction": request.prediction, "zero_terminal": request.zero_terminal_snr} if is_first else {}
        self._read_models.append(model)
        adapted = model.adapted(**own, downcast_alphas=request.downcast_alphas, quantize_t=request.quantize_t)
        return replace(adapted, workplace=self.memory)

    def _loaded(self, path: Path, components: Mapping[str, Path], beside: Sequence[Model]) -> Model:
        findings, to_host = Findings(self.context.places.data), self.memory.loads_to_host
        return self.loaded.load(path, self._device(path), self.tell.loading, components, beside, findings, to_host)

    def _networks(self, models: Models, plan: Plan, texts: JobTexts) -> JobNetworks:
        """The networks that are named anywhere, opened."""
        files, hypernetworks = self.context.shared(KeptNetworks), self.context.shared(KeptHypernetworks)
        networks = JobNetworks(files, hypernetworks, self.context.shared(NetworkWeights), self.tell.check)
        with self.tell.timed("load"):
            open_named(networks, self.request, plan, models, texts)
        return networks

    def _quick_decode(self, model: Model) -> QuickDecode | None:
        """What decodes finished pictures of this model, unless its VAE does."""
        if self.request.decoder != "tiny":
            return None
        path = find_tiny(self.context.places.models, model.family.tiny, "decoder")
        return tiny_decode(self.context.shared(PreviewMemory).decoders.get(path, model.device), model, path.name, "decoder")

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
        index, done = len(self.images), self.tell.mark()

        def paint() -> Iterator[Image.Image]:
            self.tell.rewind(done)
            scene.voices.encode(seeds, index)
            return Batch(scene, seeds, index).run()

        pictures = self.memory.attempt("other", lambda: self._in_range(scene, paint))
        self.warnings += [warning for warning in scene.voices.warnings if warning not in self.warnings]
        texts = [scene.voices.texts(each, seeds, index) for each in scene.plan.passes]
        for number, picture in enumerate(pictures):
            told = [each[number] for each in texts]
            self._send(picture, self._made(scene, index + number, seeds[number], told, recorder), recorder)

    def _in_range(self, scene: Scene, paint: Callable[[], T]) -> T:
        """What `paint` makes; where the network's numbers leave their range, once more with attention in float32, as all later batches (E108)."""
        networks = [model.unet for model in scene.models.all]
        if not self._upcast:
            try:
                return paint()
            except NumbersInvalid as error:
                if error.stage != DENOISING or all(model.device.dtype == torch.float32 for model in scene.models.all):
                    raise
            self._upcast = True
            self.tell.note("The numbers left their range: computing attention in float32")
        with attending(networks, KERNELS["upcast"]):
            return paint()

    def _made(self, scene: Scene, index: int, seed: ImageSeed, told: Sequence[ImageTexts], recorder: Recorder) -> Made:
        request, plan = self.request, scene.plan
        first, last = told[0], told[-1]
        every = [(each, texts) for each, main in zip(plan.passes, told, strict=True) for texts in (main, *scene.voices.tile_texts(each, seed, index))]
        networks = told_of([(prompt, each.span) for each, texts in every for prompt in texts.prompts])
        family = scene.models.first.family.name
        words = dict.fromkeys(word for each, texts in every for word in scene.voices.embeddings(each, texts))
        models = (*(network.model(family) for network in networks), *(UsedModel.part("embedding", word.name, place_of(word.key)[0], family) for word in words))
        for used in models:
            # LoRAs are known to other programs by what is behind their headers.
            for is_behind_header in {False, used.role == LORA_ROLE}:
                self.context.shared(IdleHashing).want(used.path, recorder.hashes, behind_header=is_behind_header)
        return Made(
            index,
            seed.seed,
            seed.variation_seed if seed.variation_strength else -1,
            first.positive.text,
            first.negative.text,
            last.positive.text if plan.second and request.hr_prompt else "",
            last.negative.text if plan.second and request.hr_negative else "",
            tuple(network.weights for network in networks),
            models,
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

    def _recorder(self, models: Models, plan: Plan, inputs: Sequence[UsedInput], control: JobControl) -> Recorder:
        request, hashes = self.request, Hashes(self.context.places.data)
        roles = {"checkpoint": models.first}
        roles |= {"hr_model": models.highres} if request.hr_model else {}
        roles |= {"refiner": models.refiner} if models.refiner else {}
        used = [UsedModel.of(role, model.checkpoint, model.family.name) for role, model in roles.items()]
        used += [UsedModel.part(field, getattr(request, field), path, models.first.family.name) for field, path in self.components.items()]
        used += [replace(UsedModel.part(role, file.title, file.path, models.first.family.name), title=file.title) for role, file in control.files.items()]
        if plan.highres and (file := plan.highres.upscaler.model):
            used.append(UsedModel.part("upscaler", request.hr_upscaler, file, ""))
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
        given = [UsedInput.of(role, blob, self.context.blobs[blob], *size) for (role, blob), size in sizes.items()]
        return given + inputs_of_controls(request, self.context.blobs)

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


def _upscales(plan: Plan, enlarge: Way | None) -> int:
    """Units of the stage in the whole job."""
    if plan.highres is None:
        return 0
    return plan.images * (enlarge.count((plan.width, plan.height), plan.highres.enlargement.cover) if enlarge else 1)


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
