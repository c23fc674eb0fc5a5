"""Pictures to larger pictures with mended faces: the job from its request to its files, told stage by stage.

open -> find -> load -> for each picture: enlarge -> lay the second upscaler's over it -> mend faces -> save (E79). Nothing is painted here: no checkpoint is
needed, and what one has loaded stays.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from sfumato.engine import device as devices
from sfumato.engine.faces import FaceMender, find_detector, find_restorer, open_detector
from sfumato.engine.hashing import IdleHashing
from sfumato.engine.inputs.opening import open_pixels
from sfumato.engine.inputs.resizing import Size, covering
from sfumato.engine.ladder import is_out_of_memory
from sfumato.engine.record import UsedModel
from sfumato.engine.upscalers.enlarging import scaled
from sfumato.engine.upscalers.kept import KeptImageNetworks
from sfumato.engine.upscalers.record import Recorder, Source
from sfumato.engine.upscalers.tiles import Tiling
from sfumato.engine.upscalers.ways import Way, way_of
from sfumato.engine.upscaling import Upscaler, named_upscaler
from sfumato.imaging.infotext import Value
from sfumato.jobs.context import JobContext
from sfumato.library.hashes import Hashes
from sfumato.protocol.errors import DeviceLost, FileTrouble, ImageUnreadable, Invalid, MissingPackage, OutOfMemory, Problem
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.upscale import Upscale, UpscaledRecord, UpscaleResult

# 16384 x 16384: a gigabyte as numbers a pass works with.
_RESULT_LIMIT = 1 << 28


def run(request: Upscale, context: JobContext) -> UpscaleResult:
    """Enlarge the pictures of a request. Raises the errors of `protocol.errors`; `Stopped` on cancel, which leaves nothing behind."""
    job = _Job(request, context)
    try:
        with context.shared(IdleHashing).paused():
            return job.run()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            if isinstance(error, torch.AcceleratorError):
                # What is on the device can no longer be reached, nor given back.
                raise DeviceLost(detail=str(error)) from error
            raise
        job.kept.clear()
        raise OutOfMemory("enlarging pictures to this size", detail=str(error)) from error


@dataclass(frozen=True)
class _Face:
    """One face restorer, ready: `title` is what it is called in `postprocessing`."""

    title: str
    mender: FaceMender
    visibility: float


class _Job:
    """One run: what its stages share."""

    def __init__(self, request: Upscale, context: JobContext) -> None:
        self.request = request
        self.context = context
        self.kept = context.shared(KeptImageNetworks)
        self.device = devices.choose(request.dtype)
        self.warnings: list[JobWarning] = []
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._totals: dict[str, int] = {}
        self._done: defaultdict[str, int] = defaultdict(int)

    def run(self) -> UpscaleResult:
        request = self.request
        sources, pictures = self._open()
        # All files are found before the first is read.
        upscalers = self._upscalers()
        restorers = [(name, visibility) for name, visibility in self._restorers() if visibility > 0]
        with self._timed("load"):
            tiling = Tiling(request.tile, request.overlap)
            ways = [way_of(row, field, self.kept, self.device, self.context.check, tiling, self._say) for field, row in upscalers.items()]
            faces = self._faces(restorers)
        targets = [self._target(picture.size) for picture in pictures]
        self._totals = {
            "upscale": sum(
                way.count(picture.size, cover, picture.mode == "RGBA") for picture, (cover, _) in zip(pictures, targets, strict=True) for way in ways
            ),
            "detail": len(faces) * len(pictures),
            "save": len(pictures),
        }
        recorder = Recorder(request, self._used(upscalers, faces), self.device, Hashes(self.context.places.data))
        records = []
        for index, (source, picture, target) in enumerate(zip(sources, pictures, targets, strict=True)):
            told: dict[str, Value] = {}
            mended = 0
            for step in (self._mend, self._enlarge) if request.faces_first else (self._enlarge, self._mend):
                picture, found = step(picture, target, ways, faces, told)
                mended += found
            with self._one("save"):
                encoded, infotext, text = recorder.record(picture, source, index, told, self.warnings)
                self._warn([JobWarning(code="format", message=sentence, path="format") for sentence in encoded.warnings])
                record = UpscaledRecord(
                    artifact=f"image-{index}", width=picture.width, height=picture.height, faces=mended, infotext=infotext, postprocessing=text
                )
                shown = record.model_dump(exclude={"artifact"}) | {"index": index, "sidecars": dict(encoded.sidecars)}
                self.context.artifact(record.artifact, encoded.mime, encoded.data, shown)
                records.append(record)
        return UpscaleResult(images=tuple(records), warnings=tuple(self.warnings), seconds={stage: round(spent, 4) for stage, spent in self.seconds.items()})

    # -- what it needs -----------------------------------------------------------------------------

    def _open(self) -> tuple[list[Source], list[Image.Image]]:
        request, blobs = self.request, self.context.blobs
        if not request.images:
            raise Invalid([Problem("images", "Pictures are required: send one at least.")])
        if absent := [name for name in request.images if name not in blobs]:
            raise Invalid([Problem("images", f"Pictures: '{absent[0][:80]}' was not sent with the job.")])
        pictures = []
        for number, name in enumerate(request.images):
            try:
                pictures.append(open_pixels(blobs[name], f"picture {number + 1}" if len(request.images) > 1 else "picture"))
            except ImageUnreadable as error:
                error.path = "images"
                raise
        for picture in pictures:
            cover, _ = self._target(picture.size)
            if cover[0] * cover[1] > _RESULT_LIMIT:
                field = "width" if request.width else "height" if request.height else "scale"
                sentence = f"The result would have {cover[0]}x{cover[1]} pixels, more than {_RESULT_LIMIT // 1_000_000} million; choose a smaller one."
                raise Invalid([Problem(field, sentence)])
        return [Source(name, blobs[name], picture.size) for name, picture in zip(request.images, pictures, strict=True)], pictures

    def _target(self, size: Size) -> tuple[Size, Size]:
        """The size a picture is enlarged to, and what is cut out of its middle."""
        request = self.request
        if request.width and request.height:
            cover = covering(size, (request.width, request.height)).size
            return cover, (request.width, request.height) if request.crop else cover
        if request.width or request.height:
            width = request.width or max(1, round(request.height * size[0] / size[1]))
            found = (width, request.height or max(1, round(request.width * size[1] / size[0])))
        else:
            found = scaled(size, request.scale)
        return found, found

    def _upscalers(self) -> dict[str, Upscaler]:
        request, folders = self.request, self.context.places.models
        found = {"upscaler": named_upscaler(request.upscaler, folders, "upscaler", latents=False)}
        if request.upscaler_2 and request.upscaler_2_visibility > 0:
            found["upscaler_2"] = named_upscaler(request.upscaler_2, folders, "upscaler_2", latents=False)
        return found

    def _restorers(self) -> Iterator[tuple[str, float]]:
        request = self.request
        yield from (("face_model", request.face_visibility),) if request.face_model else ()
        yield from (("face_model_2", request.face_visibility_2),) if request.face_model_2 else ()

    def _faces(self, restorers: list[tuple[str, float]]) -> list[_Face]:
        if not restorers:
            return []
        folders = self.context.places.models
        paths = {field: find_restorer(folders, getattr(self.request, field), field) for field, _ in restorers}
        found = find_detector(folders, self.request.face_detector)
        with self._path("face_detector"):
            detector = self.kept.get(found, self.device, lambda: open_detector(found, self.device, self.context.check))
        faces = []
        for field, visibility in restorers:
            with self._path(field):
                network = self.kept.network(paths[field], self.device, self.context.check)
                mender = FaceMender(network, detector, self.request.face_fidelity, self.context.check)
            faces.append(_Face(network.architecture, mender, visibility))
        return faces

    def _used(self, upscalers: dict[str, Upscaler], faces: list[_Face]) -> list[UsedModel]:
        files: dict[str, Path] = {field: row.model for field, row in upscalers.items() if row.model is not None}
        if faces:
            files |= {field: find_restorer(self.context.places.models, getattr(self.request, field), field) for field, _ in self._restorers()}
            files["face_detector"] = find_detector(self.context.places.models, self.request.face_detector)
        used = [UsedModel.part(field, path.stem, path, "") for field, path in files.items()]
        for each in used:
            # Read when this job has ended: these pictures do without, later ones carry it.
            self.context.shared(IdleHashing).want(each.path, Hashes(self.context.places.data))
        return used

    # -- one picture -------------------------------------------------------------------------------

    def _enlarge(self, picture: Image.Image, target: tuple[Size, Size], ways: list[Way], faces: list[_Face], told: dict[str, Value]) -> tuple[Image.Image, int]:
        request, (cover, size) = self.request, target
        if request.width or request.height:
            told["Postprocess upscale to"] = (request.width or cover[0], request.height or cover[1])
        else:
            told["Postprocess upscale by"] = request.scale
        if size != cover:
            told["Postprocess crop to"] = size
        with self._timed("upscale"):
            bigger = [way.enlarge(picture, cover, lambda: self._tell("upscale")) for way in ways]
            self.context.check()
            self.context.progress("upscale", min(self._done["upscale"], self._totals["upscale"]), self._totals["upscale"])
        told["Postprocess upscaler"] = ways[0].name
        found = bigger[0]
        if len(ways) > 1:
            told |= {"Postprocess upscaler 2": ways[1].name, "Postprocess upscaler 2 visibility": request.upscaler_2_visibility}
            found = Image.blend(found, bigger[1], request.upscaler_2_visibility)
        left, top = (cover[0] - size[0]) // 2, (cover[1] - size[1]) // 2
        return found.crop((left, top, left + size[0], top + size[1])), 0

    def _mend(self, picture: Image.Image, target: tuple[Size, Size], ways: list[Way], faces: list[_Face], told: dict[str, Value]) -> tuple[Image.Image, int]:
        del target, ways
        count = 0
        for face in faces:
            with self._one("detail"):
                mended, found = face.mender(picture)
            if not found:
                self._warn([JobWarning(code="no_face", message="No face was found in a picture, so none was mended.", path="face_model")])
            picture = Image.blend(picture, mended, face.visibility) if found else picture
            count = max(count, found)
            told[f"{face.title} visibility"] = round(face.visibility, 3)
            if face.mender.takes_fidelity:
                told[f"{face.title} weight"] = round(self.request.face_fidelity, 3)
        return picture, count

    # -- what is told of it ------------------------------------------------------------------------

    def _tell(self, stage: str) -> None:
        """Before each unit of a stage: whether to stop, and how far it is."""
        self.context.check()
        total = self._totals[stage]
        # Smaller tiles, once memory did not suffice, are more than were foretold; the total stays.
        self.context.progress(stage, min(self._done[stage], max(0, total - 1)), total)
        self._done[stage] += 1

    def _say(self, note: str) -> None:
        self.context.progress("upscale", min(self._done["upscale"], self._totals["upscale"]), self._totals["upscale"], note=note)
        self.warnings.append(JobWarning(code="smaller_tiles", message=note, path="tile"))

    @contextmanager
    def _one(self, stage: str) -> Iterator[None]:
        with self._timed(stage):
            self._tell(stage)
            yield
            self.context.check()
            self.context.progress(stage, self._done[stage], self._totals[stage])

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        if stage == "load":
            self.context.progress(stage, 0, 1)
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started
        if stage == "load":
            self.context.progress(stage, 1, 1)

    @contextmanager
    def _path(self, field: str) -> Iterator[None]:
        """What is wrong with a file is said of the field that named it."""
        try:
            yield
        except (FileTrouble, MissingPackage) as error:
            error.path = field
            raise

    def _warn(self, warnings: list[JobWarning]) -> None:
        self.warnings += [warning for warning in warnings if warning not in self.warnings]
