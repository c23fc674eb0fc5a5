"""What finished pictures remember, and what they never do."""

from __future__ import annotations

import getpass
import hashlib
import json
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfumato.engine.device import choose
from sfumato.engine.record import PENDING, Made, Recorder, Settled, UsedInput, UsedModel, hidden
from sfumato.engine.samplers import SAMPLERS, find_sampler
from sfumato.engine.schedules import SCHEDULES, find_schedule
from sfumato.imaging.labels import sampler_fields, schedule_name
from sfumato.imaging.origins.names import COMFY_SCHEDULES
from sfumato.imaging.origins.names import SAMPLERS as SPELLINGS
from sfumato.imaging.picture import Reading, read_picture
from sfumato.library.hashes import Hashes
from sfumato.protocol.requests import JobWarning
from sfumato.protocol.requests.generate import Generate

PIXELS = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
SETTLED = Settled("Euler a", "Automatic", frozenset({"eta", "s_noise"}), 64, 96)


@pytest.fixture
def model(tmp_path: Path) -> UsedModel:
    path = tmp_path / "secret folder" / "my model.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return UsedModel.part("checkpoint", "sub/my model", path, "sd1")


def recorder(model: UsedModel, tmp_path: Path, *inputs: UsedInput, settled: Settled = SETTLED, **fields: Any) -> Recorder:
    return Recorder(Generate(**fields), settled, [model], choose("fp32", "cpu"), Hashes(tmp_path / "data"), inputs)


def reading_of(made: Recorder, picture: Made, *warnings: JobWarning) -> tuple[Reading, bytes]:
    encoded, _ = made.record(PIXELS, picture, warnings)
    return read_picture(encoded.data), encoded.data


@pytest.mark.rule("M1", "M19", "M20", "M24")
@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "avif"])
def test_everything_that_repeats_a_picture_is_in_it(model: UsedModel, tmp_path: Path, form: str) -> None:
    job = recorder(model, tmp_path, prompt="{a|b} cat", negative="bad", seed=40, batch_size=3, steps=7, format=form, variation_strength=0.25, variation_seed=90)
    made = Made(2, 40, 92, "b cat", "bad", networks=({"name": "style", "kind": "lora", "unet": 0.5},))
    warning = JobWarning(code="size_rounded", message="Width 65 is no multiple of 8; 64 was used.", path="width")
    reading, _ = reading_of(job, made, warning)
    own = reading.own or {}
    assert own["kind"] == "generate"
    assert own["image"] == {"index": 2, "seed": 40, "variation_seed": 92, "width": 8, "height": 8, "stage": "final", "incomplete": False}
    assert own["models"] == [{"role": "checkpoint", "name": "sub/my model", "family": "sd1", "sha256": PENDING, "bytes": 7}]
    assert own["resolved"] == {
        "prompt": "b cat", "negative": "bad", "hr_prompt": "", "hr_negative": "", "networks": [{"name": "style", "kind": "lora", "unet": 0.5}],
        "sampler": "Euler a",
        "schedule": "Automatic",
    }  # fmt: skip
    assert own["warnings"] == [warning.model_dump()]
    assert {"torch", "diffusers", "device", "dtype", "attention", "rng", "deterministic", "notes"} == own["engine"].keys()
    assert (own["engine"]["rng"], own["engine"]["dtype"]) == ("cpu", "fp32")
    # The request as it was sent, and the one that makes this very picture
    assert reading.request() == job.request
    assert reading.repeated() == job.request.model_copy(update={"seed": 40, "variation_seed": 92, "batch_size": 1})
    assert reading.text.startswith(
        "b cat\nNegative prompt: bad\nSteps: 7, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7, Seed: 40, Size: 64x96, Model: my model, "
    )
    assert "Variation seed: 92, Variation seed strength: 0.25" in reading.text


@pytest.mark.rule("M10", "M23", "M24")
def test_checksums_that_are_known_are_written_and_none_is_waited_for(model: UsedModel, tmp_path: Path) -> None:
    vae = UsedModel("vae", "v", "v", tmp_path / "vae.safetensors", "sd1", 3)
    vae.path.write_bytes(b"vae")
    hashes = Hashes(tmp_path / "data")
    digest = hashes.compute(model.path)
    refiner = UsedModel("refiner", "r", "r", model.path, "sdxl_refiner", 7)
    hires = UsedModel("hr_model", "h", "h", model.path, "sd1", 7)
    job = Recorder(Generate(vae="v", refiner="r", hr_model="h", hr_scale=2), SETTLED, [model, vae, refiner, hires], choose("fp32", "cpu"), hashes)
    reading, _ = reading_of(job, Made(0, 1))
    assert [(used["role"], used["sha256"]) for used in (reading.own or {})["models"]] == [
        ("checkpoint", digest), ("vae", PENDING), ("refiner", digest), ("hr_model", digest),
    ]  # fmt: skip
    pairs = reading.infotext.pairs if reading.infotext else {}
    short = digest[:10]
    assert (pairs["Model hash"], pairs["Model"], pairs["VAE"], pairs["Refiner"], pairs["Hires checkpoint"]) == (
        short,
        "my model",
        "v",
        f"r [{short}]",
        f"h [{short}]",
    )
    assert "VAE hash" not in pairs
    assert reading.hashes == {"model": digest, "refiner": digest, "hr_model": digest}


@pytest.mark.rule("M4", "M19", "R66")
def test_input_pictures_are_told_by_checksum_and_size_only(model: UsedModel, tmp_path: Path) -> None:
    content = b"the picture itself"
    checksum = hashlib.sha256(content).hexdigest()
    inputs = [
        UsedInput.of("image", "blob-1", content, 640, 480),
        UsedInput.of("mask", "blob-2", b"mask", 64, 64),
        UsedInput.of("area", "blob-3", b"area", 8, 8),
    ]
    job = recorder(
        model, tmp_path, *inputs, image="blob-1", mask="blob-2", areas=("blob-3",), strength=0.4, mask_fill="noise", mask_padding=32, mask_mode="soft"
    )
    reading, data = reading_of(job, Made(0, 1))
    assert (reading.own or {})["inputs"][0] == {"role": "image", "sha256": checksum, "width": 640, "height": 480, "name": ""}
    assert (reading.fields["image"], reading.fields["areas"]) == (checksum, (hashlib.sha256(b"area").hexdigest(),))
    assert reading.request() == job.request.model_copy(
        update={"image": checksum, "mask": hashlib.sha256(b"mask").hexdigest(), "areas": (hashlib.sha256(b"area").hexdigest(),)}
    )
    assert content not in data


@pytest.mark.rule("M4")
def test_prompt_free_pictures_hold_checksums_for_every_text(model: UsedModel, tmp_path: Path) -> None:
    texts = {name: f"secret {name} text" for name in ("prompt", "negative", "prompt_2", "hr_prompt", "hr_negative", "loop_caption", "alternative_prompt")}
    job = recorder(model, tmp_path, metadata="prompt_free", styles=("secret style",), hr_scale=2, image="0" * 64, loops=2, alternative=True, **texts)
    made = Made(0, 1, -1, "secret chosen", "secret negative text", "secret hr", networks=({"name": "secret"},))
    reading, _ = reading_of(job, made, JobWarning(code="x", message="secret words", path="prompt"))
    assert "secret" not in json.dumps(reading.own).replace("secret folder", "")
    assert "secret" not in reading.text
    assert reading.fields["prompt"] == hidden(texts["prompt"]) == hashlib.sha256(texts["prompt"].encode()).hexdigest()
    assert (reading.own or {})["resolved"]["prompt"] == hidden("secret chosen")
    assert reading.text.split("\n")[:2] == [hidden("secret chosen"), f"Negative prompt: {hidden(texts['negative'])}"]
    assert (reading.fields["steps"], (reading.own or {})["warnings"]) == (25, [{"code": "x", "path": "prompt"}])


@pytest.mark.rule("M4")
@pytest.mark.parametrize("form", ["png", "jpeg", "webp", "avif"])
def test_without_metadata_there_is_no_text(model: UsedModel, tmp_path: Path, form: str) -> None:
    encoded, infotext = recorder(model, tmp_path, prompt="secret", metadata="none", format=form).record(PIXELS, Made(0, 1, prompt="secret"))
    assert infotext == ""
    assert (read_picture(encoded.data).source, read_picture(encoded.data).text) == ("none", "")


@pytest.mark.rule("M4")
def test_no_path_user_or_host_is_written_at_any_level(model: UsedModel, tmp_path: Path) -> None:
    for level in ("full", "prompt_free"):
        reading, _ = reading_of(recorder(model, tmp_path, prompt="x", metadata=level), Made(0, 1, prompt="x"))
        everything = json.dumps(reading.own) + reading.text
        for secret in (str(tmp_path), "secret folder", socket.gethostname(), str(Path.home()) + "/"):
            assert secret not in everything
        if len(getpass.getuser()) > 3:
            assert f"/{getpass.getuser()}/" not in everything


@pytest.mark.rule("M5")
def test_pictures_cut_short_and_intermediate_ones_say_so(model: UsedModel, tmp_path: Path) -> None:
    reading, _ = reading_of(recorder(model, tmp_path), Made(0, 1, stage="first", incomplete=(5, 20)))
    assert ((reading.own or {})["image"]["stage"], (reading.own or {})["image"]["incomplete"]) == ("first", [5, 20])
    assert "Incomplete: 5/20, Version: Sfumato" in reading.text


@pytest.mark.rule("R64")
def test_no_picture_carries_another_jobs_text(model: UsedModel, tmp_path: Path) -> None:
    """50 jobs of 4 pictures, all of them writing at once."""
    found: list[tuple[int, int, Reading]] = []
    start = threading.Barrier(10)

    def work(worker: int) -> None:
        start.wait()
        for number in range(worker, 50, 10):
            job = recorder(model, tmp_path, prompt=f"job {number}", seed=number * 100, batch_size=4)
            for index in range(4):
                encoded, _ = job.record(PIXELS, Made(index, number * 100 + index, prompt=f"job {number}"))
                found.append((number, index, read_picture(encoded.data)))

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(found) == 200
    for number, index, reading in found:
        own = reading.own or {}
        assert (own["request"]["seed"], own["image"]["seed"], own["image"]["index"]) == (number * 100, number * 100 + index, index)
        assert own["request"]["prompt"] == own["resolved"]["prompt"] == f"job {number}"
        assert reading.text.startswith(f"job {number}\nSteps")
        assert f"Seed: {number * 100 + index}," in reading.text


@pytest.mark.rule("M11", "M14", "M17")
def test_every_name_that_is_written_or_read_is_one_that_the_engine_has() -> None:
    for row in SAMPLERS:
        fields = sampler_fields(row.name)
        assert find_sampler(fields["sampler"]) is row
        assert "schedule" not in fields
        for schedule in ("Karras", "Exponential"):
            assert sampler_fields(f"{row.name} {schedule}") == {**fields, "schedule": schedule.lower()}
    for row in SCHEDULES:
        assert find_schedule(schedule_name(row.title)) is row
    for title in (
        "Automatic",
        "Uniform",
        "Karras",
        "Exponential",
        "Polyexponential",
        "SGM Uniform",
        "KL Optimal",
        "Align Your Steps",
        "Simple",
        "Normal",
        "DDIM",
        "Beta",
    ):
        assert title == "Automatic" or find_schedule(schedule_name(title)) is not None
    assert {title for title in SPELLINGS.values() if find_sampler(title) is None} == set()
    assert {name for name in COMFY_SCHEDULES.values() if find_schedule(name) is None} == set()
