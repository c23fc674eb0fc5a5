"""Text to pictures: the job from its request to its PNG files, told stage by stage.

load -> encode -> for each batch: denoise -> decode -> save. Every number that shapes a picture comes from the request or from the checkpoint; no setting
is read. Writing files is the receiver's business: a picture leaves as an artifact.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from sfumato.engine import device as devices
from sfumato.engine import record
from sfumato.engine.catalog import find_model
from sfumato.engine.conditioning import encode
from sfumato.engine.decoding import decode
from sfumato.engine.denoiser import UNetNetwork
from sfumato.engine.family import Model
from sfumato.engine.guidance import guided
from sfumato.engine.hashing import IdleHashing
from sfumato.engine.memory import Loaded
from sfumato.engine.plan import Methods, Plan, methods_of, plan_of
from sfumato.engine.preview import Previewer, linear_colours, vae_colours
from sfumato.engine.sampling import Pass, deterministic, sample
from sfumato.jobs.context import JobContext
from sfumato.library.hashes import Hashes
from sfumato.prompts import understand
from sfumato.protocol.errors import OutOfMemory
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate, GenerateResult, ImageRecord

# Reports that only say "still loading" come no more often than this.
_LOAD_REPORT_S = 0.05
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
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.images: list[ImageRecord] = []

    def what(self) -> str:
        """The job in a few words, for a sentence."""
        width, height = self.request.width, self.request.height
        size = f"pictures of {width}x{height}" if width and height else "pictures of the model's size"
        return f"{size} in batches of {self.request.batch_size}"

    def run(self) -> GenerateResult:
        methods = methods_of(self.request)
        model = self._load()
        plan = plan_of(self.request, methods, model)
        self.warnings += plan.warnings
        positive, negative = self._encode(model, plan)
        hashes = Hashes(self.context.places.data)
        pictures = record.Recorder(
            self.request, self._settled(model, plan), [record.UsedModel.of("checkpoint", model.checkpoint, model.family.name)], model.device, hashes
        )
        # Read when this job has ended: these pictures do without, later ones carry it.
        self.context.shared(IdleHashing).want(model.checkpoint.path, hashes)
        with self._previewer(model) as previewer, deterministic(model.device.torch, self.request.deterministic):
            for number, seeds in enumerate(plan.batches):
                latents = self._denoise(model, plan, number, seeds, (positive, negative), previewer)
                self._finish(model, plan, seeds, latents, pictures)
        return self._result(model, methods)

    def _settled(self, model: Model, plan: Plan) -> record.Settled:
        methods = plan.methods
        return record.Settled(
            sampler=methods.sampler.name,
            schedule="Automatic" if methods.is_automatic else methods.schedule.title,
            acting=frozenset(methods.sampler.parameters),
            width=plan.width,
            height=plan.height,
            clip_skip=plan.clip_layer if plan.clip_layer != model.text.layer else 0,
        )

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - started

    def _load(self) -> Model:
        path = find_model(self.context.places.models, self.request.model)
        device = devices.choose(self.request.dtype)
        last = float("-inf")

        def report(done: int, total: int) -> None:
            nonlocal last
            self.context.check()
            if time.monotonic() - last >= _LOAD_REPORT_S:
                last = time.monotonic()
                self.context.progress("load", done, total)

        with self._stage("load"):
            model = self.loaded.load(path, device, report)
            self.context.progress("load", 1, 1)
        return model

    def _encode(self, model: Model, plan: Plan) -> tuple[Tensor, Tensor]:
        texts = {"prompt": self.request.prompt, "negative": self.request.negative}
        plans = {field: understand(text, steps=self.request.steps, emphasis=self.request.emphasis) for field, text in texts.items()}
        total = sum(len(read.chunks) for read in plans.values())
        done = 0

        def each() -> None:
            nonlocal done
            self.context.check()
            self.context.progress("encode", done, total)
            done += 1

        contexts: list[Tensor] = []
        with self._stage("encode"), torch.inference_mode():
            for field, read in plans.items():
                made = encode(model, read.chunks, plan.clip_layer, self.request.emphasis, self.loaded.encodings, each)
                contexts.append(made.context)
                if made.is_unrestored:
                    sentence = f"The weights of the {field} cancel each other out, so their mean was not restored."
                    self.warnings.append(JobWarning(code="emphasis_mean", message=sentence, path=field))
            self.context.check()
            self.context.progress("encode", total, total)
        return contexts[0], contexts[1]

    def _previewer(self, model: Model) -> Previewer:
        match self.request.preview:
            case "linear":
                colours = linear_colours(self.loaded.preview_factors(model), model.latent.factor)
            case "full":
                colours = vae_colours(model)
            case _:
                colours = None
        # The VAE on the processor would fight the denoising loop for it.
        beside = self.request.preview != "full" or model.device.torch.type != "cpu"
        return Previewer(colours, self.request.preview_every, beside=beside)

    def _denoise(self, model: Model, plan: Plan, number: int, seeds: tuple[int, ...], contexts: tuple[Tensor, Tensor], previewer: Previewer) -> Tensor:
        steps, total = self.request.steps, self.request.steps * len(plan.batches)
        device = model.device
        before = number * steps
        factor = model.latent.factor
        shape = (model.latent.channels, plan.height // factor, plan.width // factor)

        def report(done: int, rate: float | None, previews: tuple[bytes, ...]) -> None:
            self.context.progress("denoise", before + done, total, rate, previews)

        with self._stage("denoise"):
            if number == 0:
                self.context.progress("denoise", 0, total)
            denoise = guided(UNetNetwork(model), *contexts, self.request.guidance, len(seeds), device.dtype, device.torch)
            return sample(Pass(plan.methods.sampler, plan.sigmas, plan.parameters, shape), denoise, seeds, device.torch, self.context.check, previewer, report)

    def _finish(self, model: Model, plan: Plan, seeds: tuple[int, ...], latents: Tensor, pictures: record.Recorder) -> None:
        """Decode and send the pictures of one batch."""
        for seed, latent in zip(seeds, latents.split(1), strict=True):
            index = len(self.images)
            with self._stage("decode"):
                self.context.check()
                self.context.progress("decode", index, plan.images)
                pixels = decode(model, latent)
                self.context.check()
                self.context.progress("decode", index + 1, plan.images)
            with self._stage("save"):
                made = record.Made(index, seed, prompt=self.request.prompt, negative=self.request.negative)
                encoded, infotext = pictures.record(pixels, made, self.warnings)
                name = f"image-{index}"
                self.warnings += [JobWarning(code="format", message=sentence, path="format") for sentence in encoded.warnings]
                info = {"seed": seed, "width": plan.width, "height": plan.height, "infotext": infotext, "index": index, "sidecars": dict(encoded.sidecars)}
                self.context.artifact(name, encoded.mime, encoded.data, info)
                self.images.append(ImageRecord(artifact=name, seed=seed, width=plan.width, height=plan.height, infotext=infotext))
                self.context.progress("save", index + 1, plan.images)

    def _result(self, model: Model, methods: Methods) -> GenerateResult:
        return GenerateResult(
            images=tuple(self.images),
            model=model.checkpoint.name,
            family=model.family.name,
            sampler=methods.sampler.name,
            schedule=methods.schedule.name,
            warnings=tuple(self.warnings),
            seconds={stage: round(spent, 4) for stage, spent in self.seconds.items()},
        )
