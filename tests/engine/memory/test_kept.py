"""What is kept between jobs: enough that the same job does nothing twice, all of it given back when asked, and none of it seen in a picture."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from sfumato.engine import conditioning, encoding
from sfumato.engine.job_memory import networks_of
from sfumato.engine.kept_parts import KeptTensors
from sfumato.engine.memory import Loaded
from sfumato.engine.reading import Reader
from sfumato.engine.tasks import clear_cache
from sfumato.protocol.errors import SfumatoError, Stopped
from sfumato.protocol.requests.clear_cache import ClearCache
from tests.support.studio import Pixels, Studio, box_mask, gradient

Counts = dict[str, int]


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counts]:
    """How often files were read, texts encoded, pictures encoded."""
    seen: Counts = {"read": 0, "text": 0, "encode": 0}

    def counted(owner: Any, name: str, what: str) -> None:
        real = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            seen[what] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    counted(Reader, "read", "read")
    counted(conditioning, "read_chunk", "text")
    counted(encoding, "_encoded", "encode")
    return seen


@pytest.mark.rule("E112")
def test_the_same_job_twice_reads_no_file_and_encodes_neither_text_nor_picture(studio: Studio, counts: Counts) -> None:
    job = {"prompt": "what nobody asked before", "strength": 0.6, "mask": "mask", "blobs": {}}
    del job["mask"], job["blobs"]
    clear_cache.run(ClearCache(), studio.context())
    first = studio.one(gradient(), box_mask((8, 8, 40, 40)), **job)
    assert min(counts.values()) > 0
    before = dict(counts)
    assert np.array_equal(studio.one(gradient(), box_mask((8, 8, 40, 40)), **job), first)
    assert counts == before
    # Another picture, another draw of the same, and another format are encoded
    for changed in ({"image": gradient(phase=9)}, {"vae_dtype": "bf16"}, {"tiling": "x"}):
        before = dict(counts)
        studio.one(changed.pop("image", gradient()), **job, **changed)
        assert counts["encode"] > before["encode"], changed


@pytest.mark.rule("E112")
def test_clearing_empties_everything_and_the_next_job_paints_the_same(studio: Studio, counts: Counts) -> None:
    first = studio.one(gradient())
    context = studio.context()
    freed = clear_cache.run(ClearCache(), context).freed_bytes
    assert freed > 1 << 20
    assert [holder.nbytes for holder in context.holders()] == [0] * len(context.holders())
    assert len(studio.kept.get(Loaded).encodings) == 0
    assert clear_cache.run(ClearCache(), studio.context()).freed_bytes == 0
    before = dict(counts)
    assert np.array_equal(studio.one(gradient()), first)
    assert all(counts[what] > before[what] for what in counts)


@pytest.mark.rule("E112")
def test_pairs_of_tensors_go_when_they_are_too_many_the_oldest_first() -> None:
    kept = KeptTensors(limit_bytes=100)
    made: list[int] = []

    def make(number: int) -> Any:
        def new() -> tuple[torch.Tensor, torch.Tensor]:
            made.append(number)
            return torch.zeros(5), torch.zeros(5)

        return new

    for number in (1, 2, 1, 3, 1, 2):
        kept.get(number, make(number))
    assert made == [1, 2, 3, 2]
    assert kept.nbytes == 80
    kept.clear()
    assert (len(kept), kept.nbytes) == (0, 0)


JOBS: tuple[dict[str, Any], ...] = (
    {},
    {"prompt": "a (blue:1.3) square", "seed": 7},
    {"image": gradient(), "strength": 0.7},
    {"image": gradient(), "strength": 0.7, "encode_sample": True, "preview": "full"},
    {"model": "sdxl", "seed": 3},
    {"batch_size": 2, "sampler": "Euler a"},
    {"hr_scale": 1.5, "steps": 2},
    {"tiling": "both", "pag_scale": 2.0},
)


@pytest.mark.slow
@pytest.mark.rule("E117")
def test_neither_order_nor_neighbours_nor_what_is_kept_is_seen_in_a_picture(studio: Studio) -> None:
    def paint(job: dict[str, Any]) -> list[Pixels]:
        fields = dict(job)
        if "model" in fields:
            fields["model"] = studio.model(fields["model"])
        return studio.paint(**{"steps": 2, **fields}, deterministic=True)

    # Given each job as the first of a process
    alone = []
    for job in JOBS:
        clear_cache.run(ClearCache(), studio.context())
        alone.append(paint(job))
    # When they come in other orders, with cancelled and failed ones between them
    shuffler = random.Random(5)
    for _ in range(2):
        order = list(range(len(JOBS)))
        shuffler.shuffle(order)
        for number in order:
            if shuffler.random() < 0.4:
                with pytest.raises(Stopped):
                    studio.paint(steps=4, cancel_at=("denoise", shuffler.randrange(1, 3)), **({"image": gradient()} if number % 2 else {}))
            elif shuffler.random() < 0.5:
                with mock.patch("sfumato.engine.decoding.decoded", side_effect=MemoryError), pytest.raises(SfumatoError):
                    studio.paint(steps=1)
            made = paint(JOBS[number])
            assert all(np.array_equal(one, other) for one, other in zip(made, alone[number], strict=True)), JOBS[number]


@pytest.mark.rule("E118", "E105")
def test_after_a_cancel_memory_is_what_it_was(studio: Studio) -> None:
    studio.one()
    model = studio.kept.get(Loaded).latest
    assert model is not None
    before = [(id(parameter), parameter.data_ptr()) for network in networks_of(model) for parameter in network.parameters()]
    with pytest.raises(Stopped):
        studio.paint(gradient(), steps=4, vae_tiling="on", cancel_at=("denoise", 1))
    assert [(id(parameter), parameter.data_ptr()) for network in networks_of(model) for parameter in network.parameters()] == before
