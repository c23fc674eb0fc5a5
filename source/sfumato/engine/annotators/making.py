"""From a picture and a control's settings to its map, at the size that is painted, kept so that the same question is answered once. Rules: E84, E85, D62."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from PIL import Image

from sfumato.engine import device as devices
from sfumato.engine.annotators.networks.files import FIELD, KeptNetworks, Networks
from sfumato.engine.annotators.row import Map, Preprocessor, Seen, Size
from sfumato.engine.annotators.table import PREPROCESSORS
from sfumato.engine.checkpoint import identity_of
from sfumato.engine.closest import unknown
from sfumato.engine.inputs.opening import flattened, open_pixels
from sfumato.engine.inputs.resizing import covering, fitting, resized
from sfumato.imaging.pose.keypoints import read_pose
from sfumato.jobs.context import JobContext
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.params.control import RESOLUTION_MAX_PX, RESOLUTION_MIN_PX

_MAPS_LIMIT_BYTES = 256 << 20
# What a side that follows from the other may make of a picture with an odd aspect: 8192 x 8192.
LARGEST_MAP = 1 << 26
_PARTS = ("body", "hands", "face")


class Asked(Protocol):
    """What a control of a generate job and an annotate job have in common."""

    @property
    def preprocessor(self) -> str: ...
    @property
    def resolution(self) -> int: ...
    @property
    def threshold_a(self) -> float | None: ...
    @property
    def threshold_b(self) -> float | None: ...
    @property
    def body(self) -> bool: ...
    @property
    def hands(self) -> bool: ...
    @property
    def face(self) -> bool: ...
    @property
    def seed(self) -> int: ...
    @property
    def resize_mode(self) -> str: ...


class Maps:
    """Maps between jobs of a process, by `context.shared(Maps)`; those used longest ago go first."""

    def __init__(self, limit_bytes: int = _MAPS_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[Hashable, Map] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Map]) -> Map:
        """The map of this key, made if it is not held."""
        if key not in self._held:
            self._held[key] = make()
        self._held.move_to_end(key)
        while self.nbytes > self._limit_bytes and len(self._held) > 1:
            self._held.popitem(last=False)
        return self._held[key]

    @property
    def nbytes(self) -> int:
        return sum(held.nbytes for held in self._held.values())

    def clear(self) -> None:
        self._held.clear()


@dataclass(frozen=True, slots=True)
class Workshop:
    """What making a map needs of the job around it."""

    maps: Maps
    networks: Networks
    check: Callable[[], None]

    @staticmethod
    def of(context: JobContext) -> Workshop:
        """The workshop of a job, on the device this machine computes on."""
        device = devices.choose().torch
        return Workshop(context.shared(Maps), Networks(context.shared(KeptNetworks), context.places.models, device, check=context.check), context.check)

    def clear(self) -> None:
        """Let maps and networks go, where memory is short."""
        self.maps.clear()
        self.networks.kept.clear()


def preprocessor_of(name: str) -> Preprocessor | None:
    """The row of that name, whatever its case."""
    return PREPROCESSORS.get(name.strip().casefold())


def problems_of(asked: Asked, path: str = "") -> Iterator[Problem]:
    """What is wrong with the settings of a preprocessor.

    Args:
        path: where they stand in the request, with the dot behind it: "control.0.".
    """
    row = preprocessor_of(asked.preprocessor)
    if row is None:
        yield unknown(f"{path}preprocessor", "preprocessor", asked.preprocessor, list(PREPROCESSORS))
        return
    if 0 < asked.resolution < RESOLUTION_MIN_PX:
        yield Problem(f"{path}resolution", f"Resolution must be 0, or between {RESOLUTION_MIN_PX} and {RESOLUTION_MAX_PX}.")
    known = {setting.field: setting for setting in row.settings}
    for field, value in (("threshold_a", asked.threshold_a), ("threshold_b", asked.threshold_b)):
        if value is None:
            continue
        if field not in known:
            yield Problem(f"{path}{field}", f"The preprocessor {row.name} does not use '{field}'; leave it out.")
        elif not known[field].minimum <= value <= known[field].maximum:
            setting = known[field]
            yield Problem(f"{path}{field}", f"{setting.title} of {row.name} must be between {setting.minimum:g} and {setting.maximum:g}.")


def find_files(asked: Asked, workshop: Workshop, path: str = "") -> None:
    """Look whether the files of a preprocessor are there, before anything is read. Raises `ModelNotFound` and `PickleRefused`, as `annotate`."""
    if (row := preprocessor_of(asked.preprocessor)) is not None:
        row.find(replace(workshop.networks, field=f"{path}{FIELD}"), frozenset(part for part in _PARTS if getattr(asked, part)))


def annotate(asked: Asked, source: bytes | Image.Image, size: Size | None, workshop: Workshop, mask: Image.Image | None = None, path: str = "") -> Map:
    """The map of a picture.

    Args:
        source: the picture's file, or the picture; of a pose given as keypoints, its JSON.
        size: (w, h) in pixels; None: of the picture itself, or as `resolution` makes it.
        mask: "L", white where a preprocessor that hides (inpaint) hides; what is transparent in the picture is hidden where there is none.
        path: where the settings stand in the request, with the dot behind it.

    Raises:
        Invalid: naming each setting that cannot be, or what the source lacks.
        ImageUnreadable: the source is no picture.
        ModelNotFound, MissingPackage, ...: of preprocessors that are networks.
        Stopped: the job was cancelled.
    """
    if problems := list(problems_of(asked, path)):
        raise Invalid(problems)
    row = preprocessor_of(asked.preprocessor)
    assert row is not None, "it had no problems"
    wish = _Wish(
        row,
        {setting.field: _or_default(getattr(asked, setting.field), setting.default) for setting in row.settings},
        frozenset(part for part in _PARTS if getattr(asked, part)) if row.parts else frozenset(),
        asked.seed if row.is_seeded else 0,
        asked.resolution,
        asked.resize_mode if size else "",
        size,
    )
    mask = mask if row.reads == "mask" else None
    workshop = replace(workshop, networks=replace(workshop.networks, field=f"{path}{FIELD}"))
    key = (*wish.key, _digest(source), mask and _digest(mask), identity_of(row.find(workshop.networks, wish.parts)))
    return workshop.maps.get(key, lambda: _Making(wish, source, mask, workshop, path).run())


def _digest(source: bytes | Image.Image) -> Hashable:
    """What tells a picture from every other."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).digest()
    return source.mode, source.size, hashlib.sha256(source.tobytes()).digest()


def _or_default(value: float | None, default: float) -> float:
    return default if value is None else value


@dataclass(frozen=True, slots=True)
class _Wish:
    """Settings as they count: what decides about the map beside the picture itself."""

    row: Preprocessor
    settings: Mapping[str, float]
    parts: frozenset[str]
    seed: int
    resolution: int
    resize_mode: str
    size: Size | None

    @property
    def key(self) -> tuple[Hashable, ...]:
        return self.row.name, tuple(sorted(self.settings.items())), self.parts, self.seed, self.resolution, self.resize_mode, self.size


@dataclass(frozen=True, slots=True)
class _Making:
    """One map while it is made."""

    wish: _Wish
    source: bytes | Image.Image
    mask: Image.Image | None
    workshop: Workshop
    path: str

    def run(self) -> Map:
        self.workshop.check()
        return self._of_pose() if self.wish.row.reads == "pose" else self._of_picture()

    def _of_picture(self) -> Map:
        wish = self.wish
        pixels = self._opened()
        source = pixels.size
        mask = self.mask or (pixels.getchannel("A").point([255 - value for value in range(256)]) if pixels.mode == "RGBA" else None)
        if wish.row.reads == "mask" and mask is None:
            raise Invalid([Problem(f"{self.path}mask", f"{wish.row.title} needs a mask, or a picture with transparent places; choose one.")])
        picture = flattened(pixels)
        if wish.size is not None and wish.resolution == 0:
            picture, mask = resized(picture, wish.size, wish.resize_mode), mask and resized(mask, wish.size, wish.resize_mode)
            return replace(self._drawn(picture, mask), source=source)
        shown = _by_shorter_side(picture.size, wish.resolution, self.path)
        made = self._drawn(resized(picture, shown, "stretch"), mask and resized(mask, shown, "stretch"))
        return replace(made if wish.size is None else _enlarged(made, wish.size, wish.resize_mode), source=source)

    def _opened(self) -> Image.Image:
        if isinstance(self.source, Image.Image):
            return self.source if self.source.mode == "RGBA" else self.source.convert("RGB")
        return open_pixels(self.source, f"{self.path}image")

    def _of_pose(self) -> Map:
        """Joints are moved, not pixels: lines are as thin at every size."""
        wish = self.wish
        if isinstance(self.source, Image.Image):
            raise Invalid([Problem(f"{self.path}image", f"{wish.row.title} needs OpenPose's JSON, not a picture; send it as the image.")])
        pose = read_pose(self.source, f"{self.path}image")
        canvas = pose.width, pose.height
        width, height = wish.size or _by_shorter_side(canvas, wish.resolution, self.path)
        left, top, right, bottom = _PLACES[wish.resize_mode](canvas, (width, height))
        scale = (right - left) / canvas[0], (bottom - top) / canvas[1]
        people = tuple(person.placed(scale, (left, top)) for person in pose.people)
        empty = np.zeros((height, width, 3), np.uint8)
        return replace(self._made(Seen(empty, self.workshop.networks.device, self.workshop.networks, people=people)), source=canvas)

    def _drawn(self, picture: Image.Image, mask: Image.Image | None) -> Map:
        hidden = None if mask is None else np.asarray(mask, np.float64) / 255
        return self._made(Seen(np.asarray(picture), self.workshop.networks.device, self.workshop.networks, hidden))

    def _made(self, seen: Seen) -> Map:
        wish, check = self.wish, self.workshop.check
        check()
        drawn = wish.row.draw(replace(seen, settings=wish.settings, parts=wish.parts, seed=wish.seed, check=check))
        check()
        if isinstance(drawn, Map):
            return drawn
        return Map(np.ascontiguousarray(np.broadcast_to(drawn[..., None], (*drawn.shape, 3)) if drawn.ndim == 2 else drawn))


# Where a canvas comes to lie in a map, by resize mode.
_PLACES: Mapping[str, Callable[[Size, Size], tuple[int, int, int, int]]] = {
    "": lambda canvas, size: (0, 0, *size),
    "stretch": lambda canvas, size: (0, 0, *size),
    "crop": covering,
    "fill": fitting,
}


def _by_shorter_side(size: Size, shorter: int, path: str) -> Size:
    """The size with a shorter side of so many pixels; 0 leaves it. Raises `Invalid` where the longer side becomes too long."""
    factor = shorter / min(size) if shorter else 1
    found = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
    check_size(found, size, f"{path}resolution")
    return found


def check_size(size: Size, source: Size, field: str) -> None:
    """Raises `Invalid` for a map that is larger than its picture, and larger than any should be."""
    if size[0] * size[1] > max(LARGEST_MAP, source[0] * source[1]):
        sentence = f"Of a picture of {source[0]}x{source[1]} pixels the map would have {size[0]}x{size[1]}; choose a smaller size."
        raise Invalid([Problem(field, sentence)])


def _enlarged(made: Map, size: Size, mode: str) -> Map:
    """A map at another size; joints are left out, whose map is drawn at its size."""
    pixels = np.asarray(resized(Image.fromarray(made.pixels), size, mode))
    if made.hidden is None:
        return Map(pixels)
    hidden = resized(Image.fromarray(made.hidden.astype(np.uint8) * 255), size, mode)
    return Map(pixels, np.asarray(hidden) > 127)
