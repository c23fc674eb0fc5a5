"""A process of its own for each test, on a device with little memory: its pictures are compared with those of the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfumato.engine.memory import Loaded
from sfumato.jobs.context import Kept
from tests.support.small_device import SmallDevice, small_device
from tests.support.studio import Pixels, SmallFiles, Studio


@pytest.fixture(scope="session")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> SmallFiles:
    return SmallFiles(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def on_cpu(small_files: SmallFiles, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Pixels]]:
    """What a job paints on the CPU; equal jobs are painted once."""
    studio, known = Studio(small_files, tmp_path_factory.mktemp("cpu")), {}

    def paint(**fields: Any) -> list[Pixels]:
        key = repr(sorted((name, repr(value)) for name, value in fields.items()))
        if key not in known:
            known[key] = studio.paint(**{"dtype": "fp32", **fields})
        return known[key]

    return paint


class Workshop(Studio):
    """A process that paints on the small device."""

    def __init__(self, files: SmallFiles, data: Path, device: SmallDevice) -> None:
        super().__init__(files, data)
        self.device = device

    @property
    def loaded(self) -> Loaded:
        return self.kept.get(Loaded)

    @property
    def notes(self) -> list[str]:
        """What the last job told beside its progress."""
        return [said.note for said in self.recording.progress_made if said.note]

    def begin_anew(self) -> None:
        """As a process that has just begun."""
        self.kept = Kept()

    def paint(self, *args: Any, **fields: Any) -> list[Pixels]:
        return super().paint(*args, **{"dtype": "fp32", "steps": 1, **fields})


@pytest.fixture
def workshop(small_files: SmallFiles, tmp_path: Path) -> Iterator[Workshop]:
    with small_device() as device:
        yield Workshop(small_files, tmp_path, device)


def furthest(made: list[Pixels], expected: list[Pixels]) -> int:
    """The largest difference of any channel of any pixel."""
    assert len(made) == len(expected)
    return max(int(np.abs(one.astype(int) - other).max()) for one, other in zip(made, expected, strict=True))
