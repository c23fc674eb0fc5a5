"""The control of one job: from the units of its request to what is attached to each of its passes.

    control = JobControl(request, blobs, workshop, context.shared(ControlModels))   # opens masks
    control.find(folders)                                                          # opens headers
    control.check(first, highres)                                                  # before a checkpoint is loaded
    control.load(models, report)
    attachments = control.attachments(plan, model, starts)

What a picture tells a control model is computed once for a size, not once for a batch. The refiner is not steered. Rules: E81 to E83, E75, R10, R97.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from sfumato.engine.annotators import Workshop, find_files
from sfumato.engine.attachments import Attachment
from sfumato.engine.checks import has_highres
from sfumato.engine.control.files import Base, ControlFile, check_fit, folder_names
from sfumato.engine.control.kept import ControlModels
from sfumato.engine.control.loading import Loaded, Task
from sfumato.engine.control.maps import UnitPictures, area_of
from sfumato.engine.control.steering import Steering
from sfumato.engine.family import Model
from sfumato.engine.inputs.opening import open_mask
from sfumato.engine.inputs.resizing import Size
from sfumato.engine.originals import Start
from sfumato.engine.passes import Pass
from sfumato.engine.plan import Models
from sfumato.engine.tiled.grid import Tile
from sfumato.library.models import CONTROL, locate
from sfumato.protocol.errors import FileTrouble, ModelNotFound, ModelUnsupported
from sfumato.protocol.requests.control import ControlUnit
from sfumato.protocol.requests.generate import Generate

# Of pictures that change from loop to loop; the units' own take a place for each size.
_FEATURES_KEPT = 32


class JobControl:
    """The units of a request that act; it has no problems by itself. Those of weight 0 are off.

    Raises `ImageUnreadable` for a mask.
    """

    def __init__(self, request: Generate, blobs: Mapping[str, bytes], workshop: Workshop, models: ControlModels) -> None:
        units = {f"control.{number}": unit for number, unit in enumerate(request.control) if unit.weight}
        self._pictures = [UnitPictures(unit, blobs[unit.image] if unit.image else b"", _mask(unit, path, blobs), path) for path, unit in units.items()]
        self._has_highres = has_highres(request)
        self._workshop = workshop
        self._kept = models
        self._files: list[ControlFile] = []
        self._beside: list[ControlFile | None] = []
        self._loaded: dict[tuple[int, int], Loaded] = {}
        self._features: OrderedDict[Hashable, tuple[Tensor, ...]] = OrderedDict()

    @property
    def files(self) -> Mapping[str, ControlFile]:
        """Path of each unit that acts -> its model."""
        return dict(zip((pictures.path for pictures in self._pictures), self._files, strict=False))

    @property
    def networks(self) -> list[nn.Module]:
        """All that is computed beside the networks of the models."""
        return [module for loaded in self._loaded.values() for module in loaded.modules]

    def find(self, folders: Sequence[Path]) -> None:
        """Look for the files, also the preprocessors', and read the models' headers. Raises what `locate` and `open_control` do, with the unit's field."""
        for pictures in self._pictures:
            field = f"{pictures.path}.model"
            find_files(pictures.unit, self._workshop, f"{pictures.path}.")
            path = _located(folders, pictures.unit.model, field)
            try:
                file = self._kept.file(path)
                file.kind.check(file, pictures.unit, pictures.path)
            except FileTrouble as error:
                error.path = field
                raise
            self._files.append(file)
            self._beside.append(file.kind.beside(file, pictures.unit, folders, pictures.path))

    def check(self, first: Base | None, highres: Base | None) -> None:
        """Refuse what cannot act on the networks of the first or of the highres pass; None is not looked at. Raises `ModelIncompatible` naming both."""
        for pictures, file in zip(self._pictures, self._files, strict=True):
            try:
                if first is not None:
                    check_fit(file, first)
                if highres is not None and self._has_highres:
                    check_fit(file, highres, of_highres=True)
            except FileTrouble as error:
                error.path = f"{pictures.path}.model"
                raise

    def load(self, models: Models, report: Callable[[int, int], None]) -> None:
        """Bring the control models into memory for each network they steer.

        Args:
            report: called as `report(done, total)` before each tensor that is read; may raise to stop.

        Raises `CorruptFile`.
        """
        steered = (models.first, models.highres) if self._has_highres else (models.first,)
        total = sum(len(file.weights) for file in (*self._files, *self._beside) if file)
        for number, (pictures, file) in enumerate(zip(self._pictures, self._files, strict=True)):
            before = sum(len(earlier.weights) for earlier in self._files[:number])
            for model in steered:
                done = count(before)
                try:
                    said = partial(_say, report, done, total)
                    load = partial(self._kept.load, file, model, said, self._beside[number])
                    self._loaded[number, id(model)] = model.workplace.attempt("load", load)
                except FileTrouble as error:
                    error.path = f"{pictures.path}.model"
                    raise

    def attachments(self, plan: Pass, model: Model, starts: Sequence[Start]) -> list[Attachment]:
        """What steers a pass.

        Args:
            starts: what each picture of the batch is painted over; empty where they begin from noise.
        """
        return [self._attachment(group, plan, model, starts) for group in self._groups()]

    def tile_attachments(self, plan: Pass, model: Model, starts: Sequence[Start]) -> list[list[Attachment]]:
        """What steers each tile of a pass's grid; arguments as `attachments`. Maps are made for the whole picture, and cut."""
        assert plan.grid is not None
        units = [self._tile_attachments(group, plan, plan.grid.tiles, model, starts) for group in self._groups()]
        return [list(each) for each in zip(*units, strict=True)] if units else [[] for _ in plan.grid.tiles]

    def _tile_attachments(self, group: Sequence[int], plan: Pass, tiles: Sequence[Tile], model: Model, starts: Sequence[Start]) -> list[Attachment]:
        pictures, loaded = self._pictures[group[0]], self._loaded[group[0], id(model)]
        width, height = (side // model.latent.factor for side in plan.size)
        distinct: dict[int, Start | None] = {id(start): start for start in starts} or {0: None}
        order = [id(start) for start in starts] if len(distinct) > 1 else list(distinct)
        is_cut, latents = loaded.picture_px > 0, (width, height)
        maps = {key: loaded.shown(pictures, loaded.size(latents), start, self._workshop) for key, start in distinct.items()} if is_cut else {}
        areas = {key: area_of(pictures, (width, height), start) for key, start in distinct.items()}
        area = None if pictures.area is None else torch.cat([each for key in order if (each := areas[key]) is not None]).to(model.device.torch)
        features = () if is_cut else self._features_together(group, latents, model, distinct, order)
        made = []
        for tile in tiles:
            if is_cut:
                left, top, right, bottom = tile.box(loaded.picture_px)
                cut = {key: _features(loaded, whole[..., top:bottom, left:right], model) for key, whole in maps.items()}
                features = tuple(torch.cat(each) for each in zip(*(cut[key] for key in order), strict=True))
            steering = Steering.of(pictures.unit, None if area is None else tile.of(area))
            made.append(loaded.steering(features, steering, Task(pictures.unit, pictures.path, model.workplace)))
        return made

    def _groups(self) -> list[list[int]]:
        """The units that act as one, by their numbers; most act alone."""
        groups: dict[Hashable, list[int]] = {}
        for number, (pictures, file) in enumerate(zip(self._pictures, self._files, strict=True)):
            how = pictures.unit.together
            groups.setdefault((file.path, how) if file.kind.combines and how != "add" else number, []).append(number)
        return list(groups.values())

    def _attachment(self, group: Sequence[int], plan: Pass, model: Model, starts: Sequence[Start]) -> Attachment:
        """Of units that act as one, as the first of them says."""
        pictures, loaded = self._pictures[group[0]], self._loaded[group[0], id(model)]
        latents = (plan.size[0] // model.latent.factor, plan.size[1] // model.latent.factor)
        distinct: dict[int, Start | None] = {id(start): start for start in starts} or {0: None}
        order = [id(start) for start in starts] if len(distinct) > 1 else list(distinct)
        areas = {key: area_of(pictures, latents, start) for key, start in distinct.items()}
        area = None if pictures.area is None else torch.cat([each for key in order if (each := areas[key]) is not None]).to(model.device.torch)
        features = self._features_together(group, latents, model, distinct, order)
        return loaded.steering(features, Steering.of(pictures.unit, area), Task(pictures.unit, pictures.path, model.workplace))

    def _features_together(
        self, group: Sequence[int], latents: Size, model: Model, distinct: Mapping[int, Start | None], order: Sequence[int]
    ) -> tuple[Tensor, ...]:
        """What a control model makes of the pictures of units that act as one."""
        loaded = self._loaded[group[0], id(model)]
        each = [self._features_over(number, latents, model, distinct, order) for number in group]
        return each[0] if len(each) == 1 else loaded.combined(each, self._pictures[group[0]].unit.together)

    def _features_over(self, number: int, latents: Size, model: Model, distinct: Mapping[int, Start | None], order: Sequence[int]) -> tuple[Tensor, ...]:
        """What a control model makes of a unit's maps over each picture of a batch, or over one for all."""
        loaded = self._loaded[number, id(model)]
        made = {key: self._features_of(number, loaded, loaded.size(latents), model, start) for key, start in distinct.items()}
        return tuple(torch.cat(each) for each in zip(*(made[key] for key in order), strict=True))

    def _features_of(self, number: int, loaded: Loaded, size: Size, model: Model, start: Start | None) -> tuple[Tensor, ...]:
        """What a control model makes of a unit's map, (1, C, h, w) each."""
        pictures = self._pictures[number]
        shown = loaded.shown(pictures, size, start, self._workshop) if loaded.depends_on(pictures, start) else None
        key = (number, id(loaded), size, None if shown is None else hashlib.sha256(shown.numpy().tobytes()).digest())
        if key not in self._features:
            if shown is None:
                shown = loaded.shown(pictures, size, start, self._workshop)
            self._features[key] = loaded.recalled(shown) or _features(loaded, shown, model)
            while len(self._features) > _FEATURES_KEPT:
                self._features.popitem(last=False)
        self._features.move_to_end(key)
        return self._features[key]


def _say(report: Callable[[int, int], None], done: Iterator[int], total: int) -> None:
    report(min(next(done), total), total)


def _features(loaded: Loaded, picture: Tensor, model: Model) -> tuple[Tensor, ...]:
    return model.workplace.attempt("other", lambda: _read(loaded, picture, model))


def _read(loaded: Loaded, picture: Tensor, model: Model) -> tuple[Tensor, ...]:
    with torch.inference_mode(), model.workplace.using(loaded.reader):
        return loaded.features(picture.to(model.device.torch, model.device.dtype))


def _mask(unit: ControlUnit, path: str, blobs: Mapping[str, bytes]) -> Image.Image | None:
    if not unit.mask:
        return None
    return open_mask(blobs[unit.mask], f"{path}.mask")


def _located(folders: Sequence[Path], name: str, field: str) -> Path:
    """The file of a name; the name of a diffusers folder means its weights. Raises the errors of `locate`."""
    try:
        return locate(folders, name, CONTROL, field)
    except (ModelNotFound, ModelUnsupported) as error:
        for inside in folder_names(name):
            try:
                return locate(folders, inside, CONTROL, field)
            except ModelNotFound:
                continue
        raise error from None
