"""What a command line asks for: one job, or one for each picture of a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from sfumato.asked import Asked, jobs_of, larger_of, map_of
from sfumato.cli import build_parser
from sfumato.protocol.errors import Invalid
from sfumato.protocol.requests.annotate import Annotate
from sfumato.protocol.requests.upscale import Upscale


def asked(*words: str) -> list[Asked]:
    return list(jobs_of(build_parser().parse_args(["generate", *words])))


def pictures(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for shade, name in enumerate(names):
        Image.new("RGB", (8, 8), (shade, 0, 0)).save(folder / name)
    return folder


def test_a_picture_travels_under_its_checksum_and_the_ending_of_the_output_says_the_format(tmp_path: Path) -> None:
    file = pictures(tmp_path / "in", "a.png") / "a.png"
    (job,) = asked("x", "--image", str(file), "-o", str(tmp_path / "out.webp"))
    data = file.read_bytes()
    assert dict(job.blobs) == {job.request.image: data} and job.request.image == hashlib.sha256(data).hexdigest()
    assert (job.request.format, job.file) == ("webp", tmp_path / "out.webp")


@pytest.mark.rule("E70")
def test_a_folder_is_one_job_for_each_picture_with_one_seed_its_own_mask_and_its_own_name(tmp_path: Path) -> None:
    inputs, masks = pictures(tmp_path / "in", "b.png", "a.jpg"), pictures(tmp_path / "masks", "a.png", "b.webp", "c.png")
    (inputs / "notes.txt").write_text("no picture")
    (tmp_path / "out").mkdir()
    jobs = asked("x", "--image", str(inputs), "--mask", str(masks), "-o", str(tmp_path / "out"))
    assert [job.file for job in jobs] == [tmp_path / "out" / "a.png", tmp_path / "out" / "b.png"]
    assert len({job.request.seed for job in jobs}) == 1 and jobs[0].request.seed >= 0
    for job, picture, mask in zip(jobs, ("a.jpg", "b.png"), ("a.png", "b.webp"), strict=True):
        assert job.blobs[job.request.image] == (inputs / picture).read_bytes()
        assert job.blobs[job.request.mask] == (masks / mask).read_bytes()


@pytest.mark.rule("E70")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--image", "empty"], "no pictures"),
        (["--image", "in", "--mask", "masks"], "no mask in .* for b.png"),
        (["--image", "in", "-o", "a.png"], "is no folder"),
        (["--image", "nowhere.png"], "cannot be read"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str) -> None:
    pictures(tmp_path / "in", "a.png", "b.png")
    pictures(tmp_path / "masks", "a.png")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Invalid, match=sentence):
        asked("x", *words)


@pytest.mark.rule("E115")
def test_a_preset_fills_what_no_flag_gives() -> None:
    (job,) = asked("x", "--preset", "lcm", "--steps", "4")
    assert (job.request.sampler, job.request.steps, job.request.guidance) == ("LCM", 4, 1.5)


@pytest.mark.rule("E81")
def test_controls_are_written_as_words_or_json_and_their_pictures_travel(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", "a, b.png", "c.png")
    (job,) = asked(
        "x",
        "--control",
        f'image="{folder / "a, b.png"}",mask={folder / "c.png"},preprocessor=canny,model=canny,weight=0.8,guess=true',
        "--control",
        f'{{"image": "{folder.as_posix()}/c.png", "model": "a, b", "end": 0.5}}',
    )
    first, second = job.request.control
    assert (first.preprocessor, first.model, first.weight, first.guess, first.end) == ("canny", "canny", 0.8, True, 1.0)
    assert (second.model, second.end, second.preprocessor) == ("a, b", 0.5, "none")
    assert job.blobs[first.image] == (folder / "a, b.png").read_bytes()
    assert job.blobs[first.mask] == job.blobs[second.image] == (folder / "c.png").read_bytes()
    assert first.image == hashlib.sha256(job.blobs[first.image]).hexdigest()


@pytest.mark.rule("E81", "R31")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["weight=3"], "^Control 1: weight must be between 0 and 2.$"),
        (["weight=1", "wieght=1"], "^Control 2: 'wieght' is not a parameter of this job.$"),
        (["weight=1,weight=2"], "^Control 1: 'weight' is said twice; say it once.$"),
        (["canny"], "^Control 1: 'canny' is not written as name=value; part fields by commas.$"),
        (["{weight: 1}"], "^Control 1: .* is not JSON; check its quotation marks and commas.$"),
        (["image=/nowhere/x.png"], "^Control 1: image: '/nowhere/x.png' cannot be read .*; name a picture.$"),
        (['model="open'], "is not written as name=value"),
    ],
)
def test_what_is_wrong_with_a_control_is_said_of_that_control(words: list[str], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        asked("x", *(word for each in words for word in ("--control", each)))


def test_the_map_of_a_picture_is_asked_for_by_its_preprocessor(tmp_path: Path) -> None:
    file = pictures(tmp_path / "in", "a.png") / "a.png"
    options = build_parser().parse_args(["annotate", "canny", str(file), "--threshold-a", "0.2", "--no-hands", "-o", str(tmp_path / "map.png")])
    job = map_of(options)
    assert (job.kind, job.count, job.form, job.file) == ("annotate", 1, "png", tmp_path / "map.png")
    assert isinstance(job.request, Annotate) and (job.request.preprocessor, job.request.threshold_a, job.request.hands) == ("canny", 0.2, False)
    assert dict(job.blobs) == {job.request.image: file.read_bytes()}


def larger(*words: str) -> list[Asked]:
    return list(larger_of(build_parser().parse_args(["upscale", *words])))


@pytest.mark.rule("E79")
def test_pictures_and_folders_of_them_are_enlarged_one_by_one_and_keep_their_names(tmp_path: Path) -> None:
    inputs = pictures(tmp_path / "in", "b.png", "a.jpg", "note.txt.png")
    (inputs / "note.txt.png").rename(inputs / "note.txt")
    single = pictures(tmp_path / "other", "c.webp") / "c.webp"
    (tmp_path / "out").mkdir()
    jobs = larger(str(inputs), str(single), "--upscaler", "4x", "--scale", "4", "--format", "jpeg", "-o", str(tmp_path / "out"))
    assert [job.file for job in jobs] == [tmp_path / "out" / name for name in ("a.jpg", "b.jpg", "c.jpg")]
    assert [(job.kind, job.count, job.form) for job in jobs] == [("upscale", 1, "jpeg")] * 3
    for job, file in zip(jobs, (inputs / "a.jpg", inputs / "b.png", single), strict=True):
        assert isinstance(job.request, Upscale)
        assert (job.request.upscaler, job.request.scale) == ("4x", 4.0)
        assert job.blobs[job.request.images[0]] == file.read_bytes()
    # Without a place of their own they go to the folder of outputs
    assert [job.file for job in larger(str(inputs))] == [None, None]
    # One picture may be named, and its ending is its format
    (job,) = larger(str(single), "-o", str(tmp_path / "big.avif"))
    assert (job.file, job.form) == (tmp_path / "big.avif", "avif")


@pytest.mark.rule("E79")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["empty"], "^There are no pictures in the folder 'empty'.$"),
        (["in", "-o", "big.png"], "^'big.png' is no folder; with several pictures"),
        (["in/a.png", "in/b.png", "-o", "big.png"], "is no folder"),
        (["nowhere.png"], "^Pictures: 'nowhere.png' cannot be read"),
        (["in", "--scale", "17"], "^Scale must be between 0.05 and 16.$"),
    ],
)
def test_what_cannot_be_enlarged_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str) -> None:
    pictures(tmp_path / "in", "a.png", "b.png")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Invalid, match=sentence):
        larger(*words)


def test_pictures_that_differ_only_in_their_ending_do_not_share_a_result(tmp_path: Path) -> None:
    inputs = pictures(tmp_path / "in", "a.png", "A.jpg", "b.png")
    (tmp_path / "out").mkdir()
    jobs = asked("x", "--image", str(inputs), "-o", str(tmp_path / "out"))
    assert sorted(job.file.name for job in jobs if job.file) == ["A.jpg.png", "a.png.png", "b.png"]
