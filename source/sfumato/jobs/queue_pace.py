"""How long jobs take, learnt from those that ended: seconds for a step of a batch, by model, size and whatever else costs time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import median
from typing import Any

SAMPLES_KEPT = 5
# What changes the time of a step, besides the model and the size.
_COSTS = ("sampler", "hr_scale", "hr_width", "hr_height", "hr_steps", "loops", "tiled", "refiner", "deepcache", "hypertile", "guidance_rule", "pag_scale")
_SIDE = 512


class Pace:
    """Measured speeds; `samples` is plain data that is kept between sessions."""

    def __init__(self, samples: Mapping[str, list[float]] | None = None) -> None:
        self.samples: dict[str, list[float]] = {key: list(seconds) for key, seconds in (samples or {}).items()}

    def learn(self, kind: str, params: Mapping[str, Any], pictures: int, seconds: float) -> dict[str, list[float]]:
        """Take the time (s) from the first step of `pictures` to the end; the samples that changed."""
        units = _units(params, pictures)
        if seconds <= 0 or units <= 0:
            return {}
        return self._note({_key(kind, params): seconds / units, _rough(kind, params): seconds / units / _weight(params)})

    def learn_start(self, model: str, switched: bool, seconds: float) -> dict[str, list[float]]:
        """Take the time (s) from sending a job to its first step; `switched` if the model was loaded for it."""
        return self._note({_start(model, switched): seconds}) if seconds >= 0 else {}

    def seconds(self, kind: str, params: Mapping[str, Any], pictures: int) -> float | None:
        """What the pictures of a job will take from the first step on; None until anything like it was measured."""
        exact = self.samples.get(_key(kind, params))
        if exact:
            return median(exact) * _units(params, pictures)
        rough = self.samples.get(_rough(kind, params))
        return median(rough) * _weight(params) * _units(params, pictures) if rough else None

    def start_seconds(self, model: str, switched: bool) -> float:
        """What comes before the first step; 0 until it was measured."""
        known = self.samples.get(_start(model, switched)) or self.samples.get(_start(model, False))
        return median(known) if known else 0.0

    def _note(self, measured: Mapping[str, float]) -> dict[str, list[float]]:
        for key, value in measured.items():
            self.samples[key] = [*self.samples.get(key, []), value][-SAMPLES_KEPT:]
        return {key: self.samples[key] for key in measured}


def _units(params: Mapping[str, Any], pictures: int) -> float:
    """Steps of batches."""
    return int(params.get("steps", 1) or 1) * pictures / int(params.get("batch_size", 1) or 1)


def _weight(params: Mapping[str, Any]) -> float:
    """How many pictures of 512 px a step counts for, roughly."""
    pixels = int(params.get("width") or _SIDE) * int(params.get("height") or _SIDE)
    return pixels / _SIDE**2 * int(params.get("batch_size", 1) or 1)


def _key(kind: str, params: Mapping[str, Any]) -> str:
    values = [params.get(name) for name in ("model", "width", "height", "batch_size", *_COSTS)]
    return json.dumps([kind, *values, len(params.get("control") or ()), bool(params.get("image"))])


def _rough(kind: str, params: Mapping[str, Any]) -> str:
    return json.dumps([kind, params.get("model")])


def _start(model: str, switched: bool) -> str:
    return json.dumps(["load" if switched else "start", model])
