"""Job kinds for tests of the contract: they count, fail, print, crash, wait and listen, and need no model."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Annotated

from pydantic import Field

from sfumato.jobs.context import JobContext
from sfumato.jobs.registry import JobKind, Registry
from sfumato.protocol.errors import DeviceLost, ModelNotFound
from sfumato.protocol.params import Ui
from sfumato.protocol.requests import Request, Result

REGISTRAR = "tests.support.kinds:register"


class Count(Request):
    """Counts to `steps`; sends `pictures` artifacts; does `act` at the end."""

    steps: Annotated[int, Field(ge=1, le=100_000, title="Steps", description="How far."), Ui("sampling")] = 3
    pictures: Annotated[int, Field(ge=0, le=100, title="Pictures", description="How many artifacts."), Ui("batch")] = 1
    size_bytes: Annotated[int, Field(ge=0, le=10_000_000, title="Size", description="Bytes of an artifact."), Ui("batch")] = 10
    act: Annotated[str, Field(max_length=20, title="Act", description="What happens at the end."), Ui("batch")] = ""
    pause_s: Annotated[float, Field(ge=0, le=1, title="Pause", description="Rest of a step."), Ui("batch")] = 0.0


class Counted(Result):
    steps: int
    received: int = 0
    kept: int = 0


class Tally(list[str]):
    """Lives as long as the process: the ids of the jobs that ran in it."""


def register(registry: Registry) -> None:
    registry.add(JobKind("count", "Count", Count, Counted, "tests.support.kinds:run", writes=False))
    registry.add_catalog("tests.support.kinds:describe")


def register_broken(registry: Registry) -> None:
    """A machine on which the engine cannot start."""
    register(registry)
    registry.add_catalog("tests.support.no_such_module:describe")


def describe(places: object) -> dict[str, object]:
    return {"choices": {"models": [{"value": "nothing", "label": "Nothing"}]}}


def run(request: Count, context: JobContext) -> Counted:
    tally = context.shared(Tally)
    tally.append(context.job)
    rest = threading.Event()
    for step in range(1, request.steps + 1):
        context.check()
        context.progress("count", step, request.steps)
        if request.pause_s:
            rest.wait(request.pause_s)
    for index in range(request.pictures):
        context.artifact(f"image-{index}", "application/octet-stream", bytes([index]) * request.size_bytes, {"index": index})
    received = sum(len(part) for part in context.receive()) if request.act == "receive" else 0
    if request.act == "fail":
        raise ModelNotFound("checkpoint", "x", ["y"])
    if request.act == "raise":
        raise RuntimeError("a mistake of ours")
    if request.act == "lose":
        raise DeviceLost(detail="CUDA error: an illegal memory access was encountered")
    if request.act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if request.act == "exit":
        os._exit(7)
    if request.act == "print":
        print("\x00\xff garbage on standard output" * 1000, flush=True)
        os.write(1, b"\xff\xff\xff\x7f more garbage" * 1000)
        sys.stderr.write("and on standard error\n")
    return Counted(steps=request.steps, received=received, kept=len(tally))
