"""Lets the engine paint in this process, as any client would ask it to: one job after the other, the repository's models, a scratch data folder."""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent / "source"))

import world
from PIL import Image

from sfumato.jobs.builtin import REGISTRAR
from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import ENDINGS, Artifact, Event, Failed, Submit
from sfumato.protocol.requests.generate import Generate
from sfumato.transport.endpoint import InProcess

MODEL = "sfumato-starter"


class _Heard:
    def __init__(self) -> None:
        self.pictures: list[Image.Image] = []
        self.failure = ""
        self.ended = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, Artifact):
            self.pictures.append(Image.open(io.BytesIO(event.data)).convert("RGB"))
        if isinstance(event, Failed):
            self.failure = event.message
        self.ended = self.ended or isinstance(event, ENDINGS)


def blob_of(picture: Image.Image) -> tuple[str, bytes]:
    """A picture as it travels beside a request: the name of its bytes, and they."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return hashlib.sha256(buffer.getvalue()).hexdigest(), buffer.getvalue()


def painted(requests: Iterable[Generate], blobs: Mapping[str, bytes] | None = None) -> tuple[list[Image.Image], list[float]]:
    """The pictures of all requests, and the seconds of each job. Ends the program with the sentence of the first that fails."""
    pictures: list[Image.Image] = []
    seconds: list[float] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        endpoint = InProcess(filled([REGISTRAR]), Places(Path(scratch), Path(scratch), (HERE.parent,)))
        heard = [_Heard()]
        endpoint.open(lambda event: heard[0](event))
        for number, request in enumerate(requests):
            heard[0] = _Heard()
            started = time.perf_counter()
            params = request.model_dump()
            named = {name: data for name, data in (blobs or {}).items() if name in {unit.image for unit in request.control}}
            endpoint.send(Submit(job=f"check-{number}", kind="generate", params=params, blobs=named))
            while not heard[0].ended:
                time.sleep(0.002)
            seconds.append(time.perf_counter() - started)
            if heard[0].failure:
                endpoint.close()
                sys.exit(f"'{request.prompt}' failed: {heard[0].failure}")
            pictures += heard[0].pictures
        endpoint.close()
    return pictures, seconds


def sheet(pictures: list[Image.Image], columns: int = 10) -> Image.Image:
    """All pictures as one."""
    side = world.SIZE_PX + 2
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * side, rows * side), (30, 30, 30))
    for k, picture in enumerate(pictures):
        whole.paste(picture, (k % columns * side + 1, k // columns * side + 1))
    return whole
