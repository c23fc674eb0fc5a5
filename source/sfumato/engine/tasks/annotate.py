"""A picture to its control map: open -> look -> save. Rules: E84, E85.

The same question is answered from memory; a map that is a pose carries its joints, so that it can be edited and drawn again (D71).
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch
from PIL import Image

from sfumato.engine.annotators import Map, Workshop, annotate, preprocessor_of, problems_of
from sfumato.engine.annotators.making import check_size
from sfumato.engine.hashing import IdleHashing
from sfumato.engine.inputs.opening import open_mask, open_pixels
from sfumato.engine.ladder import is_out_of_memory
from sfumato.engine.record import UsedInput
from sfumato.imaging.document import own_document
from sfumato.imaging.encoding import encode
from sfumato.imaging.pose.keypoints import PNG_KEY, write_pose
from sfumato.jobs.context import JobContext
from sfumato.protocol.errors import DeviceLost, Invalid, OutOfMemory, Problem
from sfumato.protocol.requests.annotate import Annotate, AnnotateResult

ARTIFACT = "map"


def run(request: Annotate, context: JobContext) -> AnnotateResult:
    """Make the map of a request. Raises the errors of `protocol.errors`; `Stopped` on cancel, which leaves nothing behind."""
    try:
        with context.shared(IdleHashing).paused():
            return _roomy(request, context)
    except torch.AcceleratorError as error:
        if is_out_of_memory(error):
            raise OutOfMemory("a map of this size", detail=str(error)) from error
        # What is on the device can no longer be reached, nor given back.
        raise DeviceLost(detail=str(error)) from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory("a map of this size", detail=str(error)) from error


def _roomy(request: Annotate, context: JobContext) -> AnnotateResult:
    """The job; where memory is short, once more after everything that only saves time has been let go."""
    try:
        return _run(request, context, Workshop.of(context))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    context.progress("annotate", 0, 1, note="Memory is short: letting other models go")
    for holder in context.holders():
        holder.clear()
    return _run(request, context, Workshop.of(context))


def _run(request: Annotate, context: JobContext, workshop: Workshop) -> AnnotateResult:
    if problems := [*_missing(request, context), *problems_of(request)]:
        raise Invalid(problems)
    context.progress("annotate", 0, 1)
    source = context.blobs[request.image]
    mask = open_mask(context.blobs[request.mask]) if request.mask else None
    size = _size(request, source)
    made = annotate(request, source, size, workshop, mask)
    context.check()
    context.progress("annotate", 1, 1)
    return _sent(request, context, made, mask)


def _missing(request: Annotate, context: JobContext) -> list[Problem]:
    if not request.image:
        return [Problem("image", "Image is required: send the picture to make a map of.")]
    named = {"image": request.image, "mask": request.mask}
    return [
        Problem(field, f"The picture '{name}' was not sent with the job. Send it beside the request, under this name.")
        for field, name in named.items()
        if name and name not in context.blobs
    ]


def _size(request: Annotate, source: bytes) -> tuple[int, int] | None:
    """The size of the map, the other side from the picture's aspect where one is given; None is the picture's own."""
    width, height = request.width, request.height
    if width and height:
        return width, height
    if not width and not height:
        return None
    row = preprocessor_of(request.preprocessor)
    if row is not None and row.reads == "pose":
        raise Invalid([Problem("width" if height else "height", "A pose of keypoints needs both sides of its map, or none; set the other too.")])
    wide, high = open_pixels(source).size
    size = (width, max(1, round(width * high / wide))) if width else (max(1, round((height or 1) * wide / high)), height or 1)
    check_size(size, (wide, high), "width" if width else "height")
    return size


def _sent(request: Annotate, context: JobContext, made: Map, mask: Image.Image | None) -> AnnotateResult:
    picture = made.picture()
    pose = write_pose(made.pose) if made.pose is not None else ""
    encoded = encode(picture)
    if request.metadata != "none":
        own = own_document(
            "annotate",
            _by_checksum(request, context).model_dump(mode="json"),
            {"index": 0, "width": picture.width, "height": picture.height, "stage": "control"},
            datetime.now(UTC).astimezone(),
            inputs=_inputs(request, context, made, mask),
        )
        encoded = encode(picture, own=own, texts={PNG_KEY: pose} if pose else {})
    context.artifact(ARTIFACT, encoded.mime, encoded.data, {"index": 0, "width": picture.width, "height": picture.height, "pose": pose})
    return AnnotateResult(artifact=ARTIFACT, width=picture.width, height=picture.height, preprocessor=request.preprocessor, pose=pose)


def _by_checksum(request: Annotate, context: JobContext) -> Annotate:
    """The request as it is written: pictures by their checksums."""
    named = {"image": request.image, "mask": request.mask}
    return request.model_copy(update={field: hashlib.sha256(context.blobs[name]).hexdigest() for field, name in named.items() if name})


def _inputs(request: Annotate, context: JobContext, made: Map, mask: Image.Image | None) -> list[dict[str, Any]]:
    used = [UsedInput.of("image", request.image, context.blobs[request.image], *made.source)]
    if mask is not None:
        used.append(UsedInput.of("mask", request.mask, context.blobs[request.mask], *mask.size))
    return [{key: value for key, value in asdict(each).items() if key != "blob"} for each in used]
