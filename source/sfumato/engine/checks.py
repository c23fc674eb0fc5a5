"""What a request asks for that nobody could do, found before a model is read; every field is named at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sfumato.engine.annotators import preprocessor_of
from sfumato.engine.annotators import problems_of as preprocessing_problems
from sfumato.engine.closest import unknown
from sfumato.engine.inputs.outpainting import Sides
from sfumato.engine.originals import sides_of
from sfumato.protocol.errors import Problem
from sfumato.protocol.params.tiled import SMALLEST_PX
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import continued

Check = Callable[[Generate], Iterable[Problem]]


def has_highres(request: Generate) -> bool:
    return request.hr_scale > 1 or request.hr_width > 0 or request.hr_height > 0


def problems_of(request: Generate, blobs: Mapping[str, bytes], styles: Sequence[str] = ()) -> list[Problem]:
    """All that is wrong with a request by itself. `styles`: names of those there are."""
    found = list(_missing(request, blobs))
    found += [unknown("styles", "style", name, styles) for name in request.styles if name not in styles]
    for check in _CHECKS:
        found += check(request)
    return found


def _missing(request: Generate, blobs: Mapping[str, bytes]) -> Iterator[Problem]:
    """Pictures that are named but were not sent."""
    named = {"image": request.image, "mask": request.mask} | {f"areas.{number}": name for number, name in enumerate(request.areas)}
    named |= {f"control.{number}.{field}": getattr(unit, field) for number, unit in enumerate(request.control) for field in ("image", "mask")}
    for path, name in named.items():
        if name and name not in blobs:
            yield Problem(path, f"The picture '{name}' was not sent with the job. Send it beside the request, under this name.")


def _without_image(request: Generate) -> Iterator[Problem]:
    """What works on a picture, where there is none."""
    if request.image:
        return
    wanting = {
        "mask": (bool(request.mask), "A mask"),
        "loops": (request.loops > 1, "Loopback"),
        "alternative": (request.alternative, "Painting from inverted noise"),
        "hr_only": (request.hr_only, "A highres pass alone"),
    }
    for side in ("left", "right", "top", "bottom"):
        wanting[f"outpaint_{side}"] = (getattr(request, f"outpaint_{side}") > 0, "Outpainting")
    for path, (is_wanted, what) in wanting.items():
        if is_wanted:
            yield Problem(path, f"{what} needs a picture to start from; choose one as the image.")


def _exclusive(request: Generate) -> Iterator[Problem]:
    """Ways of starting that cannot be combined."""
    if not request.image:
        return
    if request.mask and sides_of(request) != Sides():
        yield Problem("mask", "A mask and outpainting cannot be painted in one job; outpaint first, then repaint the result with the mask.")
    if request.alternative and request.loops > 1:
        yield Problem("loops", "Loopback cannot start from inverted noise; turn one of them off.")
    if request.hr_only:
        if not has_highres(request):
            yield Problem("hr_only", "A highres pass alone needs a size: set a highres scale above 1, or a highres width or height.")
        if request.alternative:
            yield Problem("alternative", "A highres pass alone leaves out the first pass, which inverted noise is for; turn one of them off.")
        if request.loops > 1:
            yield Problem("loops", "A highres pass alone leaves out the loops; turn one of them off.")
        if request.refiner and request.refiner_pass == "first":
            yield Problem("refiner_pass", "A highres pass alone has no first pass for the refiner; choose second or both.")
    if request.mask and request.mask_padding is not None and request.hr_width and request.hr_height:
        yield Problem("hr_width", "Where only the masked part is painted, the highres pass keeps its aspect; set one side, or a scale.")


def _shortcuts(request: Generate) -> Iterator[Problem]:
    """Shortcuts that would act on the same place."""
    if request.token_merging and request.hypertile:
        yield Problem("hypertile", "Token merging and HyperTile both change self-attention; turn one of them off.")


def _tiles(request: Generate) -> Iterator[Problem]:
    """Painting in tiles that cannot be."""
    if request.tiled == "off":
        return
    if request.tiling != "none":
        yield Problem("tiled", "Tiles would each join their own edges instead of the picture's; turn tiled painting or seamless tiling off.")
    if 0 < request.tile_size < SMALLEST_PX:
        yield Problem("tile_size", f"Tiles must be at least {SMALLEST_PX} px wide; choose that or more, or 0 for the model's own size.")


def _controls(request: Generate) -> Iterator[Problem]:
    """Controls that say too little, or what cannot be, each named by its number."""
    for number, unit in enumerate(request.control):
        path, title = f"control.{number}.", f"Control {number + 1}"
        row = preprocessor_of(unit.preprocessor)
        if not unit.image and not request.image:
            yield Problem(f"{path}image", f"{title} needs a picture; choose one, or a picture to start from.")
        elif not unit.image and row is not None and row.reads == "pose":
            yield Problem(f"{path}image", f"{title} needs keypoints; send OpenPose's JSON as its image.")
        if not unit.model:
            yield Problem(f"{path}model", f"{title} needs a model that reads its map; choose one from models/controlnet.")
        if unit.start > unit.end:
            yield Problem(f"{path}start", f"{title} begins behind its end; choose an end of {unit.start:g} or more.")
        yield from (Problem(problem.path, f"{title}: {continued(problem.sentence)}") for problem in preprocessing_problems(unit, path))


_CHECKS: tuple[Check, ...] = (_without_image, _exclusive, _shortcuts, _tiles, _controls)
