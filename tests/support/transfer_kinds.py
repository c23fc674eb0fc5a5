"""Kinds of the lane of transfers for tests: they receive what is uploaded, say where they ran and for whom, and wait until they are let go."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import Annotated

from pydantic import Field

from sfumato.jobs.context import JobContext
from sfumato.jobs.registry import JobKind, Registry
from sfumato.protocol.params import Ui
from sfumato.protocol.requests import Request, Result
from sfumato.protocol.requests.download import Download
from sfumato.protocol.requests.fetch import Fetch, FetchResult
from sfumato.protocol.requests.fetch_model import FetchedModel, FetchModel
from sfumato.protocol.requests.upload import Stored, Upload

REGISTRAR = "tests.support.transfer_kinds:register"


class Receive(Request):
    """Takes an upload from `start` on; "" of `act` reads it, "hold" waits until it is cancelled, "deaf" counts and reads nothing."""

    start: Annotated[int, Field(ge=0, le=1 << 40, title="Start", description="First byte."), Ui("batch")] = 0
    act: Annotated[str, Field(max_length=20, title="Act", description="What happens."), Ui("batch")] = ""


class Received(Result):
    size: int = 0
    sha256: str = ""
    pid: int = 0
    identity: str = ""


def register(registry: Registry) -> None:
    registry.add(JobKind("receive", "Receive", Receive, Received, "tests.support.transfer_kinds:run", lane="transfer"))
    registry.add(JobKind("receive_here", "Receive in the engine", Receive, Received, "tests.support.transfer_kinds:run"))
    registry.add(JobKind("show", "Show", Receive, Received, "tests.support.transfer_kinds:show", writes=False))


def register_fetch(registry: Registry) -> None:
    """The program's own `fetch`, without its kinds that need the engine's packages."""
    registry.add(JobKind("fetch", "Fetch", Fetch, FetchResult, "sfumato.jobs.fetching:run", writes=False, lane="journal"))


def run(request: Receive, context: JobContext) -> Received:
    context.progress("receive", request.start, 0)
    rest = threading.Event()
    while request.act:
        context.check()
        rest.wait(0.01)
    digest, size = hashlib.sha256(), 0
    for part in context.receive(request.start):
        digest.update(part)
        size += len(part)
        context.progress("receive", request.start + size, 0)
    return Received(size=size, sha256=digest.hexdigest(), pid=os.getpid(), identity=context.identity)


def show(request: Receive, context: JobContext) -> Received:
    """Makes a picture that is large enough to be seen first in small."""
    import io
    import random

    from PIL import Image

    file = io.BytesIO()
    Image.frombytes("RGB", (400, 300), random.Random(1).randbytes(400 * 300 * 3)).save(file, "PNG")
    context.artifact("image-0", "image/png", file.getvalue(), {"index": 0})
    return Received(size=len(file.getvalue()), pid=os.getpid(), identity=context.identity)


def register_files(registry: Registry) -> None:
    """The program's own transfers of model files, without its kinds that need the engine's packages."""
    registry.add(JobKind("upload", "Upload", Upload, Stored, "sfumato.library.transfers.upload:run", lane="transfer"))
    registry.add(JobKind("download", "Download", Download, Stored, "sfumato.library.transfers.download:run", lane="transfer"))
    registry.add(JobKind("fetch_model", "Fetch model", FetchModel, FetchedModel, "sfumato.library.transfers.fetch_model:run", lane="transfer"))
