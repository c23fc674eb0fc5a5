"""The job that hands out a model file, part by part. Rule: N53."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sfumato.library.hashes import Hashes
from sfumato.library.models import FOLDERS, SUFFIXES, candidates
from sfumato.library.transfers.placing import CATEGORY_OF, FOLDER_OF
from sfumato.library.transfers.surroundings import Surroundings
from sfumato.protocol.errors import CorruptFile, Invalid, ModelNotFound, Problem, UnsafeName
from sfumato.protocol.params.transfers import AUTOMATIC, PART_LIMIT_BYTES
from sfumato.protocol.paths import contain
from sfumato.protocol.requests.fetch_model import NAME, FetchedModel, FetchModel


def run(request: FetchModel, context: Surroundings) -> FetchedModel:
    """Send the part of a file that begins at the request's offset; the file's checksum is computed at the first one.

    Raises:
        UnsafeName: the name leads outside the models folders.
        ModelNotFound: there is no such file, or it is none of a model.
        Invalid: the offset lies behind its end.
        CorruptFile: it cannot be read, or changed meanwhile.
    """
    path = _located(request, context)
    context.progress("checksum", 0, 1)
    digest = Hashes(context.places.data).compute(path, context.check)
    context.progress("checksum", 1, 1)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if request.offset > size:
                raise Invalid([Problem("offset", f"From must not be behind the end of the file, which has {size} bytes.")])
            file.seek(request.offset)
            data = file.read(PART_LIMIT_BYTES)
    except OSError as error:
        raise CorruptFile(path.name, f"it cannot be read ({error.strerror})", path="name") from error
    context.artifact(NAME, "application/octet-stream", data, {"offset": request.offset, "size": size, "sha256": digest})
    return FetchedModel(name=path.name, size=size, sha256=digest, next=request.offset + len(data))


def _located(request: FetchModel, context: Surroundings) -> Path:
    """The file of that name below a folder of its kind; the first models folder that has it counts.

    Lists say models by the shortest end of their paths, so a name that is in no folder itself is looked for in the folders inside.
    """
    if Path(request.name).suffix.casefold() not in SUFFIXES:
        # The name is looked at first, so that one that leads outside is told so.
        contain(context.places.data, request.name)
        raise ModelNotFound("file", request.name, path="name")
    refusal: UnsafeName | None = None
    for root in _roots(request, context):
        try:
            path = contain(root, request.name)
        except UnsafeName as error:
            error.path = "name"
            refusal = error
            continue
        try:
            if stat.S_ISREG(path.lstat().st_mode):
                return path
        except OSError:
            continue
    if refusal is None:
        for path in _listed(request, context):
            if path.as_posix().endswith(f"/{request.name}") and stat.S_ISREG(path.lstat().st_mode):
                return path
    raise refusal or ModelNotFound("file", request.name, path="name")


def _listed(request: FetchModel, context: Surroundings) -> Iterator[Path]:
    for category in tuple(FOLDER_OF) if request.folder == AUTOMATIC else (CATEGORY_OF[request.folder],):
        yield from candidates(context.places.models, category)


def _roots(request: FetchModel, context: Surroundings) -> Iterator[Path]:
    categories = tuple(FOLDER_OF) if request.folder == AUTOMATIC else (CATEGORY_OF[request.folder],)
    return (models / part for models in context.places.models for category in categories for part in FOLDERS[category])
