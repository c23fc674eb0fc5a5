"""The command line as a person uses it: processes, exit statuses, one sentence per mistake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

from sfumato import __version__
from sfumato.imaging.encoding import encode
from sfumato.imaging.infotext import write_infotext
from sfumato.protocol.requests.generate import Generate
from sfumato.protocol.specs import specs

ROOT = Path(__file__).resolve().parents[1]
STARTER = ROOT / "models" / "checkpoints" / "sfumato-starter.safetensors"


def command(*words: str, data: Path) -> list[str]:
    return [sys.executable, "-m", "sfumato", "--data", str(data), *words]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "source"), "COLUMNS": "200"}


def run(*words: str, data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words, data=data), capture_output=True, text=True, env=environment(), timeout=110)


def test_version_is_printed(tmp_path: Path) -> None:
    done = run("--version", data=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, f"Sfumato {__version__}")


@pytest.mark.rule("R145")
def test_every_parameter_is_a_flag_with_its_words_and_default(tmp_path: Path) -> None:
    done = run("generate", "--help", data=tmp_path)
    assert done.returncode == 0
    printed = " ".join(done.stdout.split())
    for spec in specs(Generate):
        if spec.name != "prompt":
            assert spec.flag in printed
        assert spec.description.split(".")[0] in printed, spec.name
    assert "1 to 150. (default: 25)" in printed


@pytest.mark.rule("R31", "D178")
def test_all_bad_values_are_named_in_one_line_and_nothing_is_started(tmp_path: Path) -> None:
    done = run("generate", "x", "--steps", "0", "--guidance", "101", data=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "sfumato: Steps must be between 1 and 150. Guidance must be between 0 and 100.\n"
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("there.png", "exists already"),
        ("missing/out.png", "does not exist"),
        ("out.bmp", "must end in .png"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path, target: str, words: str) -> None:
    (tmp_path / "there.png").write_bytes(b"mine")
    done = run("generate", "x", "-o", str(tmp_path / target), data=tmp_path / "data")
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "there.png").read_bytes() == b"mine"


def test_prompt_shows_how_a_prompt_is_understood(tmp_path: Path) -> None:
    done = run("prompt", "a (red:1.5) circle", "--steps", "10", "--json", data=tmp_path)
    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert [(segment["text"], segment["weight"]) for segment in report["segments"]] == [("a ", 1.0), ("red", 1.5), (" circle", 1.0)]
    assert report["tokens"] == "3/75"
    marked = run("prompt", "a (red", data=tmp_path)
    assert "note" in marked.stdout


@pytest.mark.rule("M15", "X12")
def test_metadata_shows_what_a_picture_says_and_the_request_made_of_it(tmp_path: Path) -> None:
    pairs = {"Steps": 12, "Seed": 5, "Size": (64, 96), "Model": "a\x1bb", "My key": "x"}
    path = tmp_path / "picture.png"
    path.write_bytes(encode(Image.new("RGB", (8, 8)), write_infotext("a cat\nand a dog", "bad", {**pairs, "Version": "v1.10.1"})).data)
    shown = run("metadata", str(path), data=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.splitlines()[0] == "picture  8x8 png, written by automatic1111"
    assert {"prompt  a cat\ufffdand a dog", "steps  12", "height  96", "model  a\ufffdb", "not read: My key  x", "here: model  not found"} <= set(
        shown.stdout.splitlines()
    )
    told = json.loads(run("metadata", str(path), "--json", data=tmp_path).stdout)
    assert (told["source"], told["fields"]["seed"], told["request"]["steps"], told["unknown"]) == ("automatic1111", 5, 12, {"My key": "x"})
    assert told["models"] == {"model": None}
    assert told["infotext"].startswith("a cat\nand a dog\n")
    other = run("metadata", str(tmp_path / "absent.png"), data=tmp_path)
    assert (other.returncode, other.stdout) == (1, "")
    assert "'absent.png' is not a picture Sfumato can read" in other.stderr


def test_prompt_tells_calls_parts_choices_and_styles(tmp_path: Path) -> None:
    (tmp_path / "styles.csv").write_text('name,prompt,negative_prompt\nOil,"{prompt}, oil",photo\n', encoding="utf-8")
    done = run("prompt", "[cat|dog] {x|x} AND b:0.5 <lora:no>", "--steps", "3", "--style", "Oil", data=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "chosen  '[cat|dog] x AND b:0.5 <lora:no>, oil'",
        "calls 0-1",
        "part 0 x 1",
        "  1.000  'cat x'",
        "part 1 x 1",
        "  1.000  'b:0.5 , oil'",
        "calls 2-2",
        "part 0 x 1",
        "  1.000  'dog x'",
        "part 1 x 1",
        "  1.000  'b:0.5 , oil'",
        "tokens  7/75",
        "note    32-34: There is no lora file called 'no': it is left out.",
    ]
    negative = run("prompt", "mud AND", "--negative", "--style", "Oil", data=tmp_path)
    assert "'mud AND, photo'" in negative.stdout
    assert "AND in the negative prompt is an ordinary word" in negative.stdout


@pytest.mark.slow
def test_models_lists_the_starter_and_a_damaged_file_with_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "broken.safetensors").write_bytes(b"\xff" * 64)
    done = run("models", "--json", data=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["value"]: row for row in json.loads(done.stdout)}
    assert (rows["sfumato-starter"]["width"], rows["sfumato-starter"]["height"]) == (64, 64)
    assert "damaged" in rows["broken"]["reason"]


@pytest.mark.slow
def test_generate_writes_the_picture_it_was_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    words = ("generate", "a red circle, white background", "--seed", "5", "--batch-size", "2", "--steps", "8", "-o", str(target))
    done = run(*words, data=tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(target), str(tmp_path / "out-2.png")]
    with Image.open(target) as picture:
        assert picture.size == (64, 64)
        assert picture.text["parameters"].startswith("a red circle, white background\nSteps: 8, Sampler: Euler a")  # type: ignore[attr-defined]  # a PNG
    assert run(*words, "--replace", data=tmp_path / "data").returncode == 0


@pytest.mark.slow
@pytest.mark.rule("E79", "E77")
def test_upscale_enlarges_a_folder_into_a_folder_with_a_model(tmp_path: Path) -> None:
    from tests.support.tiny_upscalers import rrdb, write

    write(rrdb(4).state_dict(), tmp_path / "data" / "models" / "ESRGAN" / "4x-tiny.safetensors")
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for name, size in (("a.png", (20, 30)), ("b.jpg", (40, 10))):
        Image.new("RGB", size, (200, 30, 40)).save(tmp_path / "in" / name)
    words = ("upscale", str(tmp_path / "in"), "--upscaler", "4x-tiny", "--scale", "3", "-o", str(tmp_path / "out"))
    done = run(*words, data=tmp_path / "data")
    assert (done.returncode, done.stdout.split()) == (0, [str(tmp_path / "out" / name) for name in ("a.png", "b.png")]), done.stderr
    sizes = []
    for name in ("a.png", "b.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            sizes.append(picture.size)
            assert picture.text["postprocessing"] == "Postprocess upscale by: 3, Postprocess upscaler: 4x-tiny"  # type: ignore[attr-defined]  # a PNG
    assert sizes == [(60, 90), (120, 30)]
    again = run(*words, data=tmp_path / "data")
    assert again.returncode == 2
    assert "exists already" in again.stderr


@pytest.mark.slow
def test_a_model_that_is_not_there_is_one_sentence_with_the_closest_name(tmp_path: Path) -> None:
    done = run("generate", "x", "--model", "sfumato-startr", data=tmp_path)
    assert done.returncode == 1
    assert "No checkpoint named 'sfumato-startr'" in done.stderr
    assert "'sfumato-starter'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_ctrl_c_stops_the_job_keeps_what_was_finished_and_leaves_no_process(tmp_path: Path) -> None:
    words = command("generate", "a blue star", "--batch-count", "500", "--steps", "5", data=tmp_path)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        first = process.stdout.readline().strip()  # a first picture is on disk
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read().split()
        assert process.wait(timeout=30) == 130
    assert len(children) == 1
    assert not psutil.wait_procs(children, timeout=5)[1]
    saved = [first, *rest]
    assert 1 <= len(saved) < 500
    for path in saved:
        with Image.open(path) as picture:
            picture.load()
            assert picture.size == (64, 64)


@pytest.mark.rule("D148")
def test_a_broken_settings_file_is_named_and_the_program_goes_on(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"theme": ')
    done = run("prompt", "x", data=tmp_path)
    assert done.returncode == 0
    assert "settings.json is not JSON (line 1" in done.stderr


def made_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


@pytest.mark.rule("E11", "X4")
def test_a_pickled_model_is_converted_beside_itself(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"state_dict": {"w": torch.ones(3)}, "epoch": 1}, tmp_path / "old.ckpt")
    done = run("convert", str(tmp_path / "old.ckpt"), data=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "old.safetensors"))
    assert "left out: epoch" in done.stderr
    again = run("convert", str(tmp_path / "old.ckpt"), data=tmp_path)
    assert again.returncode == 2 and "exists already" in again.stderr
    # By the name that the sentence about a pickle gives, from wherever it is called.
    torch.save({"w": torch.ones(3)}, made_in(tmp_path / "models" / "loras") / "fur.pt")
    found = run("convert", "fur.pt", data=tmp_path)
    assert (found.returncode, Path(found.stdout.strip()).name) == (0, "fur.safetensors"), found.stderr
    none = run("convert", "furr.pt", data=tmp_path)
    assert none.returncode == 1 and "No file named 'furr.pt' in the models folders. Closest: 'fur" in none.stderr


@pytest.mark.slow
@pytest.mark.rule("E85")
def test_annotate_writes_the_map_of_a_picture(tmp_path: Path) -> None:
    from PIL import ImageDraw

    picture = Image.new("RGB", (96, 64), "white")
    ImageDraw.Draw(picture).ellipse((20, 10, 70, 50), fill="black")
    picture.save(tmp_path / "in.png")
    target = tmp_path / "map.png"
    done = run("annotate", "canny", str(tmp_path / "in.png"), "-o", str(target), data=tmp_path / "data")
    assert (done.returncode, done.stdout.strip()) == (0, str(target)), done.stderr
    with Image.open(target) as made:
        assert made.size == (96, 64) and made.convert("L").getextrema() == (0, 255)
    numbered = run("annotate", "invert", str(tmp_path / "in.png"), "--width", "48", data=tmp_path / "data")
    assert numbered.returncode == 0 and Path(numbered.stdout.strip()).parent.name == "annotate"
    lacking = run("annotate", "softedge_hed", str(tmp_path / "in.png"), data=tmp_path / "data")
    assert lacking.returncode == 1 and "ControlNetHED.safetensors" in lacking.stderr and "models/annotators" in lacking.stderr
    wrong = run("annotate", "cany", str(tmp_path / "in.png"), "--width", "5", data=tmp_path / "data")
    assert (wrong.returncode, wrong.stderr) == (2, "sfumato: Width must be between 8 and 16384.\n")
