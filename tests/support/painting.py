"""An engine for the window's tests and pictures: it says what it is told to say, step by step, and paints scenes of the drawn world."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from PIL import Image, ImageFilter

from sfumato.jobs.builtin import REGISTRAR
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Cancelled, Command, Failed, Finished, Hello, Progress, Submit
from sfumato.transport.endpoint import ScriptedEndpoint

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models" / "starter"))
import world

# The job in which the engine looks for models again.
LOOK = "catalog"
CHOICES: dict[str, Any] = {
    "models": [
        {"value": "sfumato-starter", "label": "Sfumato starter", "family": "SD1", "width": 64, "height": 64, "state": "ready", "reason": ""},
        {"value": "landscape-v2", "label": "Landscape v2", "family": "SD1", "width": 512, "height": 512, "state": "ready", "reason": ""},
        {
            "value": "old-portrait",
            "label": "old-portrait.ckpt",
            "family": "",
            "width": 0,
            "height": 0,
            "state": "unusable",
            "reason": "'old-portrait.ckpt' is a pickle, which can run code when opened, so it was not.",
        },
    ],
    "samplers": [
        {"value": "Euler", "label": "Euler", "default_schedule": "uniform", "parameters": ["s_churn", "s_noise"]},
        {"value": "Euler a", "label": "Euler a", "default_schedule": "uniform", "parameters": ["eta", "s_noise"]},
        {"value": "DPM++ 2M", "label": "DPM++ 2M", "default_schedule": "karras", "parameters": []},
    ],
    "schedules": [
        {"value": "automatic", "label": "Automatic"},
        {"value": "uniform", "label": "Uniform"},
        {"value": "karras", "label": "Karras"},
    ],
    "devices": [{"value": "cpu", "label": "CPU"}],
}


def catalog(choices: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a good engine says of itself."""
    return {**filled([REGISTRAR]).catalog(), "choices": choices or CHOICES, "device": {"name": "CPU, 8 threads", "kind": "cpu"}}


def scene(colour: str = "red", shape: str = "circle", background: str = "white", side: int = 64) -> Image.Image:
    return world.draw(world.Scene(background, (world.Thing(colour, shape, 0.5, 0.5, 0.32),), ""), side)


def encoded(picture: Image.Image, form: str = "PNG") -> bytes:
    held = io.BytesIO()
    picture.save(held, form)
    return held.getvalue()


def emerging(picture: Image.Image, share: float) -> bytes:
    """A preview of `picture` of which `share` (0..1) has come out of the noise, as JPEG."""
    noise = Image.effect_noise(picture.size, 90).convert("RGB")
    soft = picture.filter(ImageFilter.GaussianBlur((1 - share) * picture.width / 12))
    return encoded(Image.blend(noise, soft, share**0.7), "JPEG")


class Painter(ScriptedEndpoint):
    """Answers when told to. `greet=False` stays silent like an engine that is still starting."""

    def __init__(self, choices: dict[str, Any] | None = None, greet: bool = True) -> None:
        super().__init__(Hello(session="painter", catalog=catalog(choices)))
        self.greets = greet
        self.choices = choices or CHOICES
        self.looks = 0
        self._seq: dict[str, int] = {}
        self.restarts = 0
        self.opened = False

    def open(self, on_event: Any) -> None:
        self.opened = True
        if self.greets:
            super().open(on_event)
        else:
            self._on_event = on_event

    def greet(self) -> None:
        self.say(self._hello)

    def restart(self) -> None:
        self.restarts += 1

    def send(self, command: Command) -> None:
        super().send(command)
        if isinstance(command, Submit):
            self.say(Accepted(job=command.job, seq=self._next(command.job)))
        if isinstance(command, Submit) and command.kind == LOOK:
            self.looks += 1
            self.say(Finished(job=command.job, seq=self._next(command.job), result={"choices": self.choices}))

    @property
    def submits(self) -> list[Submit]:
        """The jobs that paint or write; looking for models is answered at once with `choices`."""
        return [command for command in self.sent if isinstance(command, Submit) and command.kind != LOOK]

    @property
    def cancels(self) -> list[Cancel]:
        return [command for command in self.sent if isinstance(command, Cancel)]

    @property
    def job(self) -> str:
        return self.submits[-1].job

    def _next(self, job: str) -> int:
        self._seq[job] = self._seq.get(job, 0) + 1
        return self._seq[job]

    def stage(self, stage: str, done: int = 0, total: int = 0, rate: float | None = None, preview: tuple[bytes, ...] = ()) -> None:
        self.say(Progress(job=self.job, seq=self._next(self.job), stage=stage, done=done, total=total, rate=rate, preview=preview))

    def picture(self, data: bytes, index: int = 0, side: int = 64) -> None:
        seed = self.submits[-1].params.get("seed", 0) + index
        info = {"seed": seed, "width": side, "height": side, "index": index}
        self.say(Artifact(job=self.job, seq=self._next(self.job), name=f"image-{index}", media_type="image/png", data=data, info=info))

    def finish(self, **result: Any) -> None:
        self.say(Finished(job=self.job, seq=self._next(self.job), result=result))

    def fail(self, code: str, message: str, path: str = "", detail: str = "") -> None:
        self.say(Failed(job=self.job, seq=self._next(self.job), code=code, message=message, path=path, detail=detail))

    def cancelled(self) -> None:
        self.say(Cancelled(job=self.job, seq=self._next(self.job)))
