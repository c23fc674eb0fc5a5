"""Runs jobs with the starter model in this process and gives their pictures, for tests of meaning."""

from __future__ import annotations

import hashlib
import io
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfumato.jobs.builtin import REGISTRAR
from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import Artifact, Finished, Submit
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import validate
from sfumato.transport.endpoint import InProcess
from tests.support.listening import Listening

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models" / "starter"))
import judge
import world

Pixels = NDArray[np.float32]


class Painter:
    """`paint` gives the pictures of one job; the model stays loaded between jobs."""

    def __init__(self, data: Path) -> None:
        self._endpoint = InProcess(filled([REGISTRAR]), Places(data, data / "outputs", (ROOT / "models",)))
        self._heard = Listening()
        self._endpoint.open(self._heard.hear)
        self._numbers = itertools.count()

    def paint(self, prompt: str, count: int = 6, **fields: Any) -> list[Image.Image]:
        """`count` pictures in one batch, seeds from 1000 on, 16 steps; pictures among the fields travel as blobs."""
        blobs: dict[str, bytes] = {}
        fields = {name: _sent(value, blobs) for name, value in fields.items()}
        wanted = {"prompt": prompt, "model": "sfumato-starter", "seed": 1000, "steps": 16, "batch_size": count, "preview": "off"} | fields
        job = f"{next(self._numbers)}"
        self._endpoint.send(Submit(job=job, kind="generate", params=validate(Generate, wanted).model_dump(), blobs=blobs))
        ending = self._heard.ending(job)
        assert isinstance(ending, Finished), ending
        return [Image.open(io.BytesIO(event.data)).convert("RGB") for event in self._heard.of(job) if isinstance(event, Artifact)]

    def close(self) -> None:
        self._endpoint.close()


def _sent(value: Any, blobs: dict[str, bytes]) -> Any:
    """The value with the names of blobs in place of pictures, which are put among the blobs."""
    if isinstance(value, tuple):
        return tuple(_sent(each, blobs) for each in value)
    if isinstance(value, dict):
        return {name: _sent(each, blobs) for name, each in value.items()}
    if not isinstance(value, Image.Image):
        return value
    buffer = io.BytesIO()
    value.save(buffer, "PNG")
    name = hashlib.sha256(buffer.getvalue()).hexdigest()
    blobs[name] = buffer.getvalue()
    return name


def pixels(picture: Image.Image) -> Pixels:
    """(H, W, 3), 0..255."""
    return np.asarray(picture.convert("RGB"), np.float32)


def share_of(colour: str, picture: Image.Image, box: tuple[int, int, int, int] | None = None) -> float:
    """Share of the pixels (of a box: left, top, right, bottom) whose nearest colour of the drawn world is `colour`."""
    found = judge.nearest_colours(picture.crop(box) if box else picture)
    return float((found == list(world.COLOURS).index(colour)).mean())


def mean_share(colour: str, pictures: list[Image.Image], box: tuple[int, int, int, int] | None = None) -> float:
    return float(np.mean([share_of(colour, picture, box) for picture in pictures]))


def distance(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference, 0..255."""
    return float(np.abs(pixels(one) - pixels(other)).mean())
