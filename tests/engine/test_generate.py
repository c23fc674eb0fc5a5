"""The job from request to pictures, with a tiny random model: seeds, stages, previews, cancel, warnings, errors."""

from __future__ import annotations

import hashlib
import io
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from sfumato.engine.hashing import IdleHashing
from sfumato.engine.memory import Loaded
from sfumato.engine.modules import clip_body
from sfumato.imaging.picture import read_picture
from sfumato.protocol.errors import CorruptFile, Invalid, ModelNotFound, ModelUnsupported, NumbersInvalid, PickleRefused, SfumatoError, Stopped
from tests.engine.conftest import Bench
from tests.support.recording import Said


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.rule("E8", "E118", "R50")
def test_stages_come_in_order_with_totals_known_beforehand(bench: Bench) -> None:
    result = bench.run(steps=4, batch_size=2, batch_count=2)
    said = bench.recording.progress_made
    # Then four pictures asked, four sent, in rising seed order
    assert [record.seed for record in result.images] == [1, 2, 3, 4]
    assert [(name, kind) for name, kind, _, _ in bench.recording.artifacts] == [(f"image-{index}", "image/png") for index in range(4)]
    assert [info["seed"] for *_, info in bench.recording.artifacts] == [1, 2, 3, 4]
    assert len(set(bench.pictures)) == 4
    # and each stage counts to a total that never changes
    assert bench.recording.stages()[:3] == ["load", "encode", "denoise"]
    assert bench.recording.stages()[3:7] == ["decode", "save", "decode", "save"]
    for stage, total in {"encode": 2, "denoise": 8, "decode": 4, "save": 4}.items():
        of_stage = [entry for entry in said if entry.stage == stage]
        assert {entry.total for entry in of_stage} == {total}
        done = [entry.done for entry in of_stage]
        assert done == sorted(done)
        assert done[-1] == total
    assert [entry.done for entry in said if entry.stage == "denoise"] == list(range(9))
    assert any(entry.rate and entry.rate > 0 for entry in said if entry.stage == "denoise")
    assert result.seconds.keys() == {"load", "encode", "networks", "denoise", "decode", "save"}


@pytest.mark.rule("M1", "M19", "M20", "R50")
def test_pictures_carry_what_repeats_them(bench: Bench) -> None:
    result = bench.run(prompt="a (red:1.2) circle", negative="blur", sampler="k_dpmpp_2m", guidance=5.0, seed=77, clip_skip=2)
    reading = read_picture(bench.pictures[0])
    assert (reading.width, reading.height) == (64, 64)
    assert reading.infotext is not None
    assert (reading.infotext.prompt, reading.infotext.negative) == ("a (red:1.2) circle", "blur")
    pairs = dict(reading.infotext.pairs)
    assert pairs.pop("Version").startswith("Sfumato")
    assert pairs == {
        "Steps": "3",
        "Sampler": "DPM++ 2M",
        "Schedule type": "Automatic",
        "CFG scale": "5",
        "Seed": "77",
        "Size": (64, 64),
        "Model": "tiny",
        "Clip skip": "2",
        "RNG": "CPU",
    }
    # Then the own document, sent again, makes this very picture
    assert reading.own is not None
    first = bench.pictures[0]
    bench.run(**{**reading.own["request"], "seed": reading.own["image"]["seed"]})
    assert np.array_equal(pixels(bench.pictures[0]), pixels(first))
    assert result.images[0].infotext.startswith("a (red:1.2) circle\nNegative prompt: blur\n")
    assert (result.sampler, result.schedule, result.family) == ("DPM++ 2M", "karras", "sd1")
    bench.run(metadata="none")
    assert read_picture(bench.pictures[0]).source == "none"


@pytest.mark.rule("E34", "E117", "R42")
@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ 2M"])
def test_image_k_of_a_batch_is_the_single_image_of_seed_plus_k(bench: Bench, sampler: str) -> None:
    # Given a batch, deterministic
    bench.run(seed=20, batch_size=3, sampler=sampler, deterministic=True)
    batch = bench.pictures
    plainly = bench.run(seed=20, batch_size=3, sampler=sampler) and bench.pictures
    for index in range(3):
        bench.run(seed=20 + index, sampler=sampler, deterministic=True)
        # Then bit for bit; without `deterministic` kernels may differ by batch size in the last bits
        assert np.array_equal(pixels(bench.pictures[0]), pixels(batch[index]))
        assert int(np.abs(pixels(plainly[index]).astype(int) - pixels(batch[index])).max()) <= 1


@pytest.mark.rule("E104", "E117")
def test_previews_do_not_change_a_bit(bench: Bench) -> None:
    bench.run(steps=8, preview="off")
    without = bench.pictures
    assert not any(entry.preview for entry in bench.recording.progress_made)
    for mode in ("linear", "full"):
        bench.run(steps=8, preview=mode)
        assert bench.pictures == without or np.array_equal(pixels(bench.pictures[0]), pixels(without[0]))
        previews = [entry.preview for entry in bench.recording.progress_made if entry.preview]
        assert previews
        assert all(Image.open(io.BytesIO(jpeg)).format == "JPEG" for preview in previews for jpeg in preview)


@pytest.mark.rule("E117", "E105")
def test_order_of_jobs_does_not_matter_and_weights_stay(bench: Bench) -> None:
    jobs = [{"prompt": "a (red:1.3) circle"}, {"prompt": "x BREAK y", "sampler": "DPM++ 2M"}, {"guidance": 1.0}, {"clip_skip": 2, "seed": 9}]
    first = []
    for job in jobs:
        bench.run(**job)
        first.append(pixels(bench.pictures[0]))
    model = bench.kept.get(Loaded).latest
    assert model is not None
    parts = (model.unet, model.vae, clip_body(model.encoders[0].tower))
    before = [{name: tensor.clone() for name, tensor in part.state_dict().items()} for part in parts]
    for job, expected in reversed(list(zip(jobs, first, strict=True))):
        bench.run(**job)
        assert np.array_equal(pixels(bench.pictures[0]), expected)
    for part, state in zip(parts, before, strict=True):
        assert all(torch.equal(tensor, state[name]) for name, tensor in part.state_dict().items())
    assert len({picture.tobytes() for picture in first}) == len(jobs)


@pytest.mark.rule("E118", "R84")
@pytest.mark.parametrize(("stage", "done"), [("load", 0), ("encode", 1), ("denoise", 2), ("decode", 0)])
def test_cancel_stops_at_the_next_unit_of_work(bench: Bench, stage: str, done: int) -> None:
    # Given a job that is cancelled in a stage
    context = bench.context()

    def cancel(said: Said) -> None:
        if (said.stage, said.done) == (stage, done):
            context.cancel()

    bench.recording.on_progress = cancel
    from sfumato.engine.tasks.generate import run
    from sfumato.protocol.requests.generate import Generate

    with pytest.raises(Stopped):
        run(Generate(prompt="a", model="tiny", steps=6, seed=1, batch_size=2, preview="linear"), context)
    # Then nothing of that stage came after it, and nothing was sent
    said = bench.recording.progress_made
    assert (said[-1].stage, said[-1].done) == (stage, done)
    assert bench.pictures == []
    # and the next job runs as if nothing had been
    bench.run()
    alone = bench.pictures
    assert len(alone) == 1


@pytest.mark.rule("E7", "E119")
def test_sizes_are_rounded_down_and_said_so(bench: Bench) -> None:
    result = bench.run(width=75, height=64)
    assert (result.images[0].width, result.images[0].height) == (72, 64)
    assert pixels(bench.pictures[0]).shape == (64, 72, 3)
    assert [(warning.code, warning.path) for warning in result.warnings] == [("size_rounded", "width")]
    assert "75" in result.warnings[0].message
    assert "72" in result.warnings[0].message
    assert bench.run().images[0].width == 64


@pytest.mark.rule("E33")
def test_a_drawn_seed_is_returned_and_repeats_the_picture(bench: Bench) -> None:
    drawn = bench.run(seed=-1).images[0].seed
    picture = pixels(bench.pictures[0])
    assert drawn >= 0
    bench.run(seed=drawn)
    assert np.array_equal(pixels(bench.pictures[0]), picture)


@pytest.mark.rule("E46", "E42")
def test_parameters_reach_the_sampler(bench: Bench) -> None:
    pictures = {}
    for name, job in {
        "plain": {},
        "eta": {"eta": 0.0},
        "noise": {"s_noise": 0.9},
        "guidance": {"guidance": 2.0},
        "karras": {"schedule": "karras"},
        "sampler": {"sampler": "Euler", "schedule": "uniform"},
        "churn": {"sampler": "Euler", "schedule": "uniform", "s_churn": 1.0},
        "emphasis": {"prompt": "a (red:1.9) circle", "emphasis": "no_norm"},
        "ignored": {"prompt": "a (red:1.9) circle", "emphasis": "ignore"},
    }.items():
        bench.run(**job)
        pictures[name] = pixels(bench.pictures[0]).tobytes()
    assert pictures.pop("ignored") == pictures["plain"]
    assert pictures.pop("sampler") == pictures["eta"]  # Euler a without noise is Euler
    assert len(set(pictures.values())) == len(pictures)
    # an old joined name means sampler and schedule
    bench.run(sampler="Euler a Karras")
    assert pixels(bench.pictures[0]).tobytes() == pictures["karras"]


@pytest.mark.rule("P2", "E31", "E119")
def test_long_prompts_and_unequal_sides(bench: Bench) -> None:
    bench.run(prompt="a red circle, " * 715, negative="blur")  # 10,010 characters
    assert len(bench.pictures) == 1
    result = bench.run(prompt="(a:-1) (b:1) ((((")
    assert len(result.images) == 1


@pytest.mark.rule("E120", "E126")
def test_unknown_methods_are_named_all_at_once(bench: Bench) -> None:
    with pytest.raises(Invalid) as caught:
        bench.run(sampler="Euler b", schedule="keras")
    assert [problem.path for problem in caught.value.problems] == ["sampler", "schedule"]
    assert "Closest: 'Euler" in caught.value.message
    assert "Closest: 'karras'" in caught.value.message
    with pytest.raises(Invalid, match="between 0 and 2") as caught:
        bench.run(clip_skip=3)
    assert caught.value.path == "clip_skip"
    assert bench.pictures == []


@pytest.mark.rule("E10", "E11", "E120", "E126")
def test_bad_files_are_one_sentence_and_leave_the_engine_usable(tmp_path: Path, single_file: Path) -> None:
    # Given a models folder with good and bad files
    folder = tmp_path / "models" / "checkpoints"
    folder.mkdir(parents=True)
    shutil.copy(single_file, folder / "tiny.safetensors")
    data = single_file.read_bytes()
    (folder / "cut.safetensors").write_bytes(data[: len(data) - 1000])
    (folder / "lying.safetensors").write_bytes((10**9).to_bytes(8, "little") + data[8:100])
    (folder / "pickle.safetensors").write_bytes(b"\x80\x02}q\x00." + bytes(50))
    (folder / "old.ckpt").write_bytes(b"PK\x03\x04" + bytes(50))
    (folder / "pictures").mkdir()
    save_file({"weight": torch.zeros(3)}, folder / "strange.safetensors")
    bench = Bench(tmp_path / "models", tmp_path)
    expected: dict[str, type[SfumatoError]] = {
        "cut": CorruptFile,
        "lying": CorruptFile,
        "pickle": PickleRefused,
        "old": PickleRefused,
        "pictures": ModelUnsupported,
        "strange": ModelUnsupported,
        "tinny": ModelNotFound,
    }
    for name, error in expected.items():
        with pytest.raises(error) as caught:
            bench.run(model=name)
        assert caught.value.path == "model"
        assert name in caught.value.message
        assert str(tmp_path) not in caught.value.message
    # Then a job without a name finds the one good model, and it works
    assert bench.run(model="").model == "tiny.safetensors"


@pytest.mark.rule("E108", "E126")
@pytest.mark.parametrize(("part", "stage"), [("model.diffusion_model.out.2.bias", "denoising"), ("first_stage_model.decoder.conv_out.bias", "decoding")])
def test_invalid_numbers_are_told_never_drawn(tmp_path: Path, single_file: Path, part: str, stage: str) -> None:
    with safe_open(single_file, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  not a dict
    tensors[part] = torch.full_like(tensors[part], float("nan"))
    folder = tmp_path / "models" / "checkpoints"
    folder.mkdir(parents=True)
    save_file(tensors, folder / "broken.safetensors", metadata={"modelspec.resolution": "64x64"})
    bench = Bench(tmp_path / "models", tmp_path)
    with pytest.raises(NumbersInvalid, match=stage):
        bench.run(model="broken", preview="linear")
    assert bench.pictures == []


def test_the_same_job_twice_reads_no_file_and_encodes_no_text(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    cached = len(bench.kept.get(Loaded).encodings)
    import sfumato.engine.conditioning as conditioning
    import sfumato.engine.memory as memory

    def refuse(*args: object) -> None:
        raise AssertionError("read or encoded again")

    monkeypatch.setattr(memory, "open_checkpoint", refuse)
    monkeypatch.setattr(conditioning, "read_chunk", refuse)
    bench.run(seed=2)
    assert len(bench.kept.get(Loaded).encodings) == cached == 2


@pytest.mark.rule("E14")
def test_a_job_opens_no_socket(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(bench.run().images) == 1


@pytest.mark.rule("E107")
def test_half_precision_is_near_full_precision(bench: Bench) -> None:
    bench.run(dtype="fp32", sampler="Euler")
    full = pixels(bench.pictures[0]).astype(int)
    bench.run(dtype="bf16", sampler="Euler")
    half = pixels(bench.pictures[0]).astype(int)
    assert 0 < np.abs(full - half).mean() < 8


@pytest.mark.rule("E9", "E117")
def test_a_folder_draws_the_same_picture_as_the_single_file(bench: Bench) -> None:
    bench.run(model="tiny")
    single = pixels(bench.pictures[0])
    bench.run(model="tiny-folder")
    assert np.array_equal(pixels(bench.pictures[0]), single)


@pytest.mark.rule("E26")
def test_the_handler_is_what_the_registry_names() -> None:
    from sfumato.engine.tasks import generate
    from sfumato.jobs.builtin import register
    from sfumato.jobs.registry import Registry, resolve

    registry = Registry()
    register(registry)
    assert resolve(registry.kind("generate").handler) is generate.run


@pytest.mark.rule("M24")
def test_the_checksum_is_read_after_the_first_job_and_stands_in_later_pictures(bench: Bench) -> None:
    digest = hashlib.sha256((bench.places.models[0] / "checkpoints" / "tiny.safetensors").read_bytes()).hexdigest()
    bench.run()
    assert "Model hash" not in bench.recording.artifacts[0][3]["infotext"]
    assert bench.kept.get(IdleHashing).join(20)
    bench.run()
    assert f"Model hash: {digest[:10]}" in bench.recording.artifacts[0][3]["infotext"]


def test_another_checkpoint_takes_the_place_of_the_first_where_memory_ends(bench: Bench, single_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "checkpoints"
    other.mkdir(parents=True)
    shutil.copy(single_file, other / "second.safetensors")
    bench.places = replace(bench.places, models=(*bench.places.models, tmp_path / "other"))
    loaded = bench.kept.get(Loaded)
    loaded.__init__(limit_bytes=1)
    bench.run(preview="linear")
    first = weakref.ref(loaded.latest.unet)
    bench.run(model="second")
    assert first() is None
