"""What is free, what fits, and in which numbers a device computes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch

from sfumato.engine import device as devices
from sfumato.engine import host_memory
from sfumato.engine.budget import Budget, Needs, shape_key
from sfumato.engine.device import choose
from sfumato.engine.workplace import Work
from tests.engine.memory.conftest import Workshop

GIB = 1 << 30


@pytest.mark.rule("E110")
@pytest.mark.parametrize(("free", "way"), [(10, "none"), (9, "components"), (5, "components"), (4, "blocks"), (2, "sequential"), (0, "sequential")])
def test_the_loosest_way_that_fits_is_taken(free: int, way: str) -> None:
    assert Needs({"none": 10, "components": 5, "blocks": 3, "sequential": 1}).fitting(free) == way


@pytest.mark.rule("E110")
def test_a_job_chooses_by_what_is_free_and_a_limit_narrows_that(workshop: Workshop) -> None:
    workshop.paint()
    model = workshop.loaded.latest
    assert model is not None
    needs = workshop.loaded.learned.budget.needs(model, (64, 64), 2).of
    assert needs["none"] > needs["components"] >= needs["blocks"] >= needs["sequential"]
    # Given a card on which everything just does not fit
    workshop.begin_anew()
    del model
    gc.collect()
    assert workshop.device.live_bytes == 0
    workshop.device.limit_bytes = int(needs["none"] * 0.98)
    workshop.paint(seed=2)
    assert workshop.notes == []
    assert workshop.device.live_bytes < needs["none"] / 2
    # And one that is large, of which little may be used
    workshop.begin_anew()
    workshop.device.limit_bytes = None
    workshop.device.begin_peak()
    with mock.patch.object(Budget, "free_bytes", autospec=True, side_effect=Budget.free_bytes) as asked:
        workshop.paint(memory_limit=2.0)
    assert {call.args[2] for call in asked.call_args_list} == {2 * GIB}


@pytest.mark.rule("E110")
def test_the_first_run_of_a_shape_replaces_the_estimate(workshop: Workshop) -> None:
    workshop.paint(batch_size=2)
    model = workshop.loaded.latest
    assert model is not None
    budget, work = workshop.loaded.learned.budget, Work("denoise", (64, 64), 4)
    assert shape_key(model, work) in budget.measured
    assert budget.work(model, work) == budget.measured[shape_key(model, work)] != Budget().work(model, work)
    # Others are still estimated, in proportion
    other = Work("denoise", (128, 64), 4)
    assert Budget().work(model, other) == 2 * Budget().work(model, work) == budget.work(model, other)


@pytest.mark.rule("E110")
def test_a_reserve_and_what_is_used_are_left_out(workshop: Workshop) -> None:
    workshop.device.limit_bytes = 8 * GIB
    own = torch.zeros(1 << 20, device="cpu").to("privateuseone")
    row = devices.KINDS["privateuseone"]
    with mock.patch.dict(devices.KINDS, {"privateuseone": replace(row, reserve_bytes=GIB)}):
        device = choose("fp32")
        assert Budget().free_bytes(device) == 7 * GIB - own.nbytes
        assert Budget().free_bytes(device, limit_bytes=2 * GIB) == 2 * GIB - own.nbytes
        assert Budget().free_bytes(device, limit_bytes=1) == 0


@pytest.mark.rule("E107")
def test_formats_suit_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("auto", "cpu").dtype == torch.float32
    assert choose("auto", "cpu", size_bytes=4 * GIB).dtype == (torch.bfloat16 if devices.bfloat16_is_faster() else torch.float32)
    # Where bfloat16 is native and faster, for large files only
    monkeypatch.setattr(devices, "bfloat16_is_faster", lambda: True)
    assert choose("auto", "cpu", size_bytes=4 * GIB).dtype == torch.bfloat16
    assert choose("auto", "cpu", size_bytes=16 << 20).dtype == torch.float32
    assert choose("fp32", "cpu", size_bytes=4 * GIB).dtype == torch.float32
    assert choose("fp16", "cpu").dtype == torch.float16
    assert choose("auto", "mps").dtype == torch.float16
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "A card")
    assert (choose("auto", "cuda").dtype, choose("auto", "cuda").name) == (torch.float16, "A card")


@pytest.mark.rule("E107")
@pytest.mark.parametrize(("native", "seconds", "expected"), [(True, (2.0, 1.0), True), (True, (1.1, 1.0), False), (False, (2.0, 1.0), False)])
def test_bfloat16_on_a_processor_must_be_native_and_measured_faster(
    monkeypatch: pytest.MonkeyPatch, native: bool, seconds: tuple[float, float], expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": native})
    monkeypatch.setattr(devices, "_seconds", lambda dtype: seconds[dtype == torch.bfloat16])
    assert devices.bfloat16_is_faster.__wrapped__() == expected


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[Path]:
    """Control groups: a limited one with a free one inside."""
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (inner / "memory.max").write_text("max\n")
    (inner / "memory.current").write_text("5\n")
    (inner.parent / "memory.max").write_text(f"{4 * GIB}\n")
    (inner.parent / "memory.current").write_text(f"{3 * GIB}\n")
    (inner.parent / "memory.stat").write_text(f"anon 1\ninactive_file {GIB}\n")
    return tmp_path


def test_what_is_free_respects_every_container_around_the_process(groups: Path) -> None:
    # Its file cache is given back when memory is asked for
    assert list(host_memory._left_in_containers("0::/outer/inner\n", groups)) == [2 * GIB]
    assert list(host_memory._left_in_containers("0::/elsewhere\n", groups)) == []
    older = groups / "memory" / "box"
    older.mkdir(parents=True)
    (older / "memory.limit_in_bytes").write_text("1000")
    (older / "memory.usage_in_bytes").write_text("400")
    assert list(host_memory._left_in_containers("3:cpu:/x\n4:memory,hugetlb:/box\n", groups)) == [600]
    assert 1 << 26 < host_memory.free_host_bytes() < 1 << 45
