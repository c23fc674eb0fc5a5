"""A transfer in a process that is killed at a chosen step: before a file operation below its folder, or between two blocks.

`python -m tests.support.killed_transfers ROOT KILLS KIND ADDRESS` runs it whole in `ROOT/whole`, then kills it in `ROOT/0`, `ROOT/1` ... at so many steps
spread over its way, the last ones among them, and prints how many steps it has. POSIX only.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sfumato.library.transfers import download, upload
from sfumato.protocol.requests.download import Download
from sfumato.protocol.requests.upload import Upload
from tests.support.model_files import header_bytes
from tests.support.transfer_context import Around, parts_of

MODEL = header_bytes({f"model.diffusion_model.input_blocks.0.{n}.weight": ("F16", (512, 128)) for n in range(8)})
DIGEST = hashlib.sha256(MODEL).hexdigest()
# What is done between the last byte and the end: more than a sample would meet.
LAST_STEPS = 12


class Stepping(Around):
    """Surroundings in which every block is a step."""

    def __init__(self, root: Path, step: Callable[[], None], **options: Any) -> None:
        super().__init__(root, **options)
        self._step = step

    def check(self) -> None:
        self._step()
        super().check()


def move(root: Path, kind: str, address: str, step: Callable[[], None] = lambda: None) -> None:
    """Bring the model into `root/models/checkpoints`."""
    if kind == "upload":
        around = Stepping(root, step, feeds=parts_of(MODEL, 1 << 16))
        # What an earlier run kept is not sent again.
        around.receive = lambda start=0, silence_s=None: _sent(around, start)  # type: ignore[method-assign]
        upload.run(Upload(folder="checkpoints", name="mix.safetensors", size=len(MODEL), sha256=DIGEST), around)
    else:
        host = address.partition("//")[2].partition("/")[0]
        download.run(Download(address=address, folder="checkpoints"), Stepping(root, step, download_hosts=host))


def _sent(around: Stepping, start: int) -> Any:
    for data in parts_of(MODEL[start:], 1 << 16):
        around.check()
        yield data


def run(root: Path, kind: str, address: str, killed_at: int) -> int:
    """In a process of its own: the steps it took; 0 if it was killed before step `killed_at`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            said = told.read()
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return 0
        assert status == 0, status
        return int(said)
    os.close(reading)
    steps, place = 0, os.fsencode(root)

    def step() -> None:
        nonlocal steps
        if steps == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        names = [os.fsencode(each) for each in arguments if isinstance(each, str | bytes | os.PathLike)]
        if event == "open" or event.startswith("os."):
            in_folder = any(isinstance(each, int) and each > 2 for each in arguments) and event in ("os.link", "os.rename", "os.remove", "os.chmod")
            if in_folder or any(name.startswith(place) for name in names):
                step()

    sys.addaudithook(hear)
    status = 1
    try:
        move(root, kind, address, step)
        os.write(writing, str(steps).encode())
        status = 0
    finally:  # whatever happened, this process is not the one that goes on
        if status:
            traceback.print_exc()
        os._exit(status)


def main(root: Path, kills: int, kind: str, address: str) -> None:
    total = run(root / "whole", kind, address, -1)
    early = max(1, total - LAST_STEPS)
    spread = max(1, kills - LAST_STEPS)
    points = sorted({*range(early, total), *(early * number // spread for number in range(spread))})
    for number, point in enumerate(points):
        run(root / str(number), kind, address, point)
    print(total, len(points))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
