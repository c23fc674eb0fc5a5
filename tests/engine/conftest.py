"""A tiny model in both layouts, loaded once; and a context that records what a job says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from sfumato.engine.checkpoint import open_checkpoint
from sfumato.engine.device import choose
from sfumato.engine.families import recognise
from sfumato.engine.family import Model
from sfumato.engine.tasks.generate import run
from sfumato.jobs.context import JobContext, Kept
from sfumato.jobs.places import Places
from sfumato.protocol.requests.generate import Generate, GenerateResult
from tests.support.recording import Recording
from tests.support.studio import SmallFiles, Studio
from tests.support.tiny_models import BASE, Kind, TinyFiles, TinyModules, tiny_modules, write_folder, write_single_file


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny tensors: threads would only wait for each other, several times longer where cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def modules() -> TinyModules:
    return tiny_modules(seed=0)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, modules: TinyModules) -> Path:
    """A models folder with checkpoints/tiny.safetensors and checkpoints/tiny-folder."""
    root = tmp_path_factory.mktemp("models")
    write_single_file(modules, root / "checkpoints" / "tiny.safetensors")
    write_folder(modules, root / "checkpoints" / "tiny-folder")
    return root


@pytest.fixture(scope="session")
def tiny_files(models: Path) -> TinyFiles:
    """Tiny checkpoints of the other families and variants beside the first, written when asked for: `tiny_files.single("sdxl")`."""
    return TinyFiles(models)


@pytest.fixture(scope="session")
def single_file(models: Path) -> Path:
    return models / "checkpoints" / "tiny.safetensors"


@pytest.fixture(scope="session")
def folder(models: Path) -> Path:
    return models / "checkpoints" / "tiny-folder"


def load(path: Path, check: Callable[[], None] = lambda: None) -> Model:
    """Load a checkpoint for the CPU in float32."""
    checkpoint = open_checkpoint(path)
    return recognise(checkpoint).load(checkpoint, choose("fp32", "cpu"), check)


@pytest.fixture(scope="session")
def model(single_file: Path) -> Model:
    return load(single_file)


TinyModel = Callable[..., tuple[Model, TinyModules]]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """Loads a tiny model of a family in float32, with the modules its file was written from: `tiny_model("sdxl")`, `tiny_model("sd1", 9)`."""
    root = tmp_path_factory.mktemp("families")

    @cache
    def made(kind: Kind, channels: int = BASE) -> tuple[Model, TinyModules]:
        modules = tiny_modules(kind, channels=channels)
        return load(write_single_file(modules, root / f"{kind}-{channels}.safetensors")), modules

    return made


class Bench:
    """Runs generate jobs one after the other with what is kept between them, as a process does."""

    def __init__(self, models: Path, data: Path) -> None:
        self.places = Places(data, data / "outputs", (models,))
        self.kept = Kept()
        self.recording = Recording()

    def context(self) -> JobContext:
        self.recording = Recording()
        return JobContext(f"job-{threading.get_ident()}", self.places, self.recording, self.kept, {})

    def run(self, **fields: Any) -> GenerateResult:
        defaults: dict[str, Any] = {"model": "tiny", "prompt": "a red circle", "steps": 3, "seed": 1, "preview": "off"}
        return run(Generate(**{**defaults, **fields}), self.context())

    @property
    def pictures(self) -> list[bytes]:
        return [data for _, _, data, _ in self.recording.artifacts]


@pytest.fixture
def bench(models: Path, tmp_path: Path) -> Bench:
    return Bench(models, tmp_path)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Paints with tiny models of any family; one process for the whole session."""
    return Studio(SmallFiles(tmp_path_factory.mktemp("studio")), tmp_path_factory.mktemp("data"))
