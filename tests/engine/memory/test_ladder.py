"""Memory that runs out: at any point of a job, on a device that is too small for it, and on one that is too small for anything."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest
import torch

from sfumato.engine.job_memory import networks_of
from sfumato.engine.ladder import RUNGS, is_out_of_memory
from sfumato.protocol.errors import OutOfMemory
from tests.engine.memory.conftest import Workshop, furthest
from tests.support.studio import Pixels, Studio, gradient

OnCpu = Callable[..., list[Pixels]]
NOTES = {rung.name: rung.note for rung in RUNGS}
# A job that needs much more for its pictures than for its weights.
LARGE = {"batch_size": 2, "width": 256, "height": 256, "offload": "none"}


def order(notes: list[str]) -> list[str]:
    """Names of rungs in the order in which each was told first."""
    names = [rung.name for note in notes for rung in RUNGS if rung.note == note]
    return list(dict.fromkeys(names))


@pytest.mark.slow
@pytest.mark.rule("E111")
@pytest.mark.parametrize("is_cold", [False, True])
def test_a_failure_at_any_allocation_changes_no_picture(workshop: Workshop, is_cold: bool) -> None:
    # Given a job from a picture, and how many times it asks for memory
    job = {"image": gradient(), "strength": 1.0, "encode_sample": True}
    expected = workshop.paint(**job)

    def begin() -> None:
        if is_cold:
            workshop.begin_anew()
        workshop.loaded.encodings.clear()
        workshop.loaded.inputs.clear()

    begin()
    before = workshop.device.allocations
    assert furthest(workshop.paint(**job), expected) == 0
    count = workshop.device.allocations - before
    assert count > 400
    # When one of these fails; a prime apart, so that all kinds of places are met
    for number in range(3, count, 397 if is_cold else 97):
        begin()
        failures = workshop.device.failures
        workshop.device.fail_at = workshop.device.allocations + number
        assert furthest(workshop.paint(**job), expected) <= 1, number
        # Then it did fail, the user was told, and one rung was enough
        assert workshop.device.failures == failures + 1
        assert order(workshop.notes) == ["free"]


@pytest.mark.slow
@pytest.mark.rule("E111", "E110")
def test_on_a_small_device_rungs_are_climbed_in_order_told_and_remembered_for_the_shape(workshop: Workshop, on_cpu: OnCpu) -> None:
    expected = on_cpu(**{**LARGE, "offload": "auto"}, steps=1)
    assert furthest(workshop.paint(**LARGE), expected) <= 1
    highest = workshop.device.highest_bytes
    assert workshop.notes == []
    # Given a device with two thirds of what that took
    workshop.begin_anew()
    workshop.device.limit_bytes = highest * 2 // 3
    assert furthest(workshop.paint(**LARGE), expected) <= 1
    climbed = order(workshop.notes)
    assert climbed[:2] == ["free", "apart"]
    assert climbed == sorted(climbed, key=list(NOTES).index)
    assert workshop.device.highest_bytes == highest
    # Then a second job of that shape begins where the first arrived
    assert furthest(workshop.paint(**LARGE), expected) <= 1
    assert workshop.notes == []
    # And a smaller one as before
    workshop.paint(offload="none")
    assert workshop.notes == []


@pytest.mark.slow
@pytest.mark.rule("E111", "E120", "E126")
def test_when_nothing_is_left_the_sentence_says_what_would_fit_and_that_fits(workshop: Workshop) -> None:
    workshop.paint()
    # Given a device that holds the largest layer and hardly more
    workshop.begin_anew()
    workshop.device.limit_bytes = 7_000_000
    with pytest.raises(OutOfMemory) as caught:
        workshop.paint(width=512, height=512, offload="none", vae_tiling="off")
    sentence = caught.value.message
    assert sentence.startswith("Not enough GPU memory for 512x512 (needs ")
    assert "free). " in sentence
    assert sentence.endswith(" would fit.")
    assert order(workshop.notes)[-1] == "sequential"
    assert caught.value.code == "out_of_memory"
    # Then the size that it names fits
    width, height = map(int, sentence.removesuffix(" would fit.").rsplit(" ", 1)[1].split("x"))
    assert len(workshop.paint(width=width, height=height)) == 1


@pytest.mark.rule("E111")
def test_the_job_goes_on_from_the_call_that_failed_with_x_unchanged(workshop: Workshop) -> None:
    expected = workshop.paint(steps=3)
    model = workshop.loaded.latest
    assert model is not None
    seen: list[torch.Tensor] = []
    handle = model.unet.register_forward_pre_hook(lambda network, args: seen.append(args[0].cpu()))
    fails = iter([False, True])

    def once(*_: object) -> None:
        if next(fails, False):
            raise torch.OutOfMemoryError("here")

    failing = model.unet.mid_block.register_forward_pre_hook(once)
    try:
        assert furthest(workshop.paint(steps=3), expected) == 0
    finally:
        handle.remove()
        failing.remove()
    # Then of three calls the second was made twice, from the same x
    assert len(seen) == 4
    assert torch.equal(seen[1], seen[2])
    assert [said.done for said in workshop.recording.progress_made if said.stage == "denoise" and not said.note] == [0, 1, 2, 3]


@pytest.mark.rule("E111")
def test_rows_are_split_into_sides_first_then_into_pictures(workshop: Workshop) -> None:
    expected = workshop.paint(batch_size=2)
    model = workshop.loaded.latest
    assert model is not None
    rows: list[int] = []

    def most(network: object, args: tuple[torch.Tensor, ...]) -> None:
        rows.append(len(args[0]))
        if len(args[0]) > 1:
            raise torch.OutOfMemoryError("too many")

    handle = model.unet.register_forward_pre_hook(most)
    try:
        assert furthest(workshop.paint(batch_size=2), expected) <= 1
    finally:
        handle.remove()
    assert rows == [4, 4, 2, 1, 1, 1, 1]
    assert order(workshop.notes) == ["free", "apart", "fewer"]


@pytest.mark.rule("E111")
def test_other_models_and_caches_make_room_first(workshop: Workshop) -> None:
    workshop.paint(model=workshop.model("sdxl"))
    other = workshop.loaded.latest
    expected = workshop.paint()
    assert other is not None
    workshop.device.fail_at = workshop.device.allocations + 50
    assert furthest(workshop.paint(seed=1), expected) <= 1
    assert order(workshop.notes) == ["free"]
    assert {parameter.device.type for network in networks_of(other) for parameter in network.parameters()} == {"cpu"}


@pytest.mark.rule("E111")
def test_it_climbs_on_the_processor_too_as_far_as_that_helps(studio: Studio) -> None:
    expected = studio.one()
    with mock.patch("sfumato.engine.decoding.decoded", side_effect=MemoryError("no more")), pytest.raises(OutOfMemory) as caught:
        studio.one()
    assert "GPU" not in caught.value.message
    assert np.array_equal(studio.one(), expected)


@pytest.mark.rule("E108")
def test_numbers_that_leave_their_range_are_painted_once_more_with_attention_in_float32(studio: Studio) -> None:
    from sfumato.engine import batch

    real, calls = batch.sample, []

    def overflowing(*args: object) -> torch.Tensor:
        from sfumato.protocol.errors import NumbersInvalid

        calls.append(type(next(module for module in model.unet.modules() if hasattr(module, "processor")).processor).__name__)
        if len(calls) == 1:
            raise NumbersInvalid("denoising")
        return real(*args)

    from sfumato.engine.memory import Loaded

    expected = studio.one(dtype="bf16")
    model = studio.kept.get(Loaded).latest
    assert model is not None
    with mock.patch.object(batch, "sample", overflowing):
        made = studio.one(dtype="bf16")
    assert calls[0] != calls[1]
    assert np.abs(made.astype(int) - expected).max() < 40
    # In float32 there is nothing wider
    calls.clear()
    model = _loaded(studio)
    with mock.patch.object(batch, "sample", overflowing), pytest.raises(Exception, match="invalid numbers"):
        studio.one(dtype="fp32")


def _loaded(studio: Studio) -> object:
    from sfumato.engine.memory import Loaded

    studio.one(dtype="fp32")
    return studio.kept.get(Loaded).latest


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("not enough memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) == is_it
