"""What the command line does when the world is against it: files that cannot be, disks that are full, readers that leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from sfumato.asked import Asked
from sfumato.config import find_places
from sfumato.protocol.errors import DiskFull, EngineUnavailable, Invalid, NotWritable, SfumatoError
from sfumato.protocol.messages import Artifact, Event, Finished
from sfumato.protocol.requests.generate import Generate
from sfumato.terminal import Destination, run_generate
from sfumato.transport.endpoint import Endpoint, ScriptedEndpoint, State
from tests.test_cli import STARTER, command, environment, run


class ScriptedInference:
    """Stands where LocalInference does: says what a test wrote, as events and states of an endpoint's thread would come."""

    def __init__(self, script: list[Event | State]) -> None:
        self._script = script

    def __call__(self, places: object, on_state: object) -> Endpoint:
        def answer(submit: object) -> list[Event]:
            said: list[Event] = []
            for item in self._script:
                if isinstance(item, State):
                    on_state(item)  # type: ignore[operator]  # a callable
                else:
                    said.append(item.model_copy(update={"job": submit.job}))  # type: ignore[attr-defined]  # a Submit
            return said

        return ScriptedEndpoint(script=answer)


def artifact(seq: int) -> Artifact:
    return Artifact(job="x", seq=seq, name=f"image-{seq}", media_type="image/png", data=bytes([seq]) * 10)


def generate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: list[Event | State], destination: Destination) -> bool:
    monkeypatch.setattr("sfumato.terminal.LocalInference", ScriptedInference(script))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    return run_generate([Asked(Generate(batch_count=2), {}, destination.file)], find_places(tmp_path, tmp_path), destination.replace)


def test_an_engine_that_stays_down_ends_the_command_instead_of_waiting_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SfumatoError, match=r"^The engine stopped 3 times in a short while\.$") as caught:
        generate(monkeypatch, tmp_path, [State("failed", "The engine stopped 3 times in a short while.")], Destination(None, False))
    assert caught.value.code == EngineUnavailable.code


@pytest.mark.rule("D79")
def test_a_picture_that_finds_no_room_is_kept_elsewhere_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object, **__: object) -> Path:
        raise DiskFull("outputs", 0, 10)

    monkeypatch.setattr("sfumato.terminal.save_picture", full)
    with pytest.raises(DiskFull):
        generate(monkeypatch, tmp_path, [artifact(1), artifact(2), Finished(job="x", seq=3)], Destination(None, False))
    kept = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.read_bytes() for path in kept] == [b"\x01" * 10, b"\x02" * 10]


def test_a_name_taken_while_the_job_ran_is_left_alone_and_the_picture_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a.png", tmp_path / "a-2.png"
    monkeypatch.setattr(Destination, "_check_name", lambda *_: second.write_bytes(b"another's"))
    with pytest.raises(NotWritable, match=r"another program made 'a-2\.png' meanwhile"):
        generate(monkeypatch, tmp_path, [artifact(1), artifact(2), Finished(job="x", seq=3)], Destination(first, False))
    assert second.read_bytes() == b"another's"
    assert capsys.readouterr().out.split()[0] == str(first)


def test_outputs_that_cannot_be_written_are_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("mine")
    done = run("generate", "x", data=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be written to" in done.stderr
    assert not (tmp_path / "logs").exists(), "the engine was started"


@pytest.mark.parametrize(("name", "sentence"), [("x" * 300 + ".png", "choose another"), ("folder.png", "is a folder")])
def test_names_no_file_can_have_are_refused_as_wrong(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(Invalid, match=sentence):
        Destination(tmp_path / name, replace=True).check(1, "png", find_places(tmp_path, tmp_path))


@pytest.mark.rule("D148")
@pytest.mark.parametrize("folder", ["~nobody-of-this-name/x", "a\0b", "\ud800"])
def test_a_folder_setting_no_system_can_have_is_named_and_its_default_used(tmp_path: Path, folder: str) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"outputs": folder}))
    done = run("generate", "x", "--steps", "0", data=tmp_path)
    assert done.stderr.startswith("sfumato: settings.json: 'outputs' is no name of a folder on this system; its default is used.\n")
    assert done.returncode == 2


def test_a_data_folder_no_system_can_have_is_refused_by_name(tmp_path: Path) -> None:
    done = run("models", data=Path("~nobody-of-this-name"))
    assert done.returncode == 2
    assert "~nobody-of-this-name" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_with_a_number_of_thousands_of_digits_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(f'{{"x": {"9" * 5000}}}')
    assert "settings.json could not be read" in run("generate", "x", "--steps", "0", data=tmp_path).stderr


@pytest.mark.slow
def test_an_unknown_sampler_is_a_wrong_command_like_any_other_bad_value(tmp_path: Path) -> None:
    done = run("generate", "x", "--sampler", "Eular", data=tmp_path)
    assert done.returncode == 2
    assert "Closest: 'Euler'" in done.stderr


@pytest.mark.slow
def test_a_reader_that_leaves_costs_no_picture(tmp_path: Path) -> None:
    words = command("generate", "a blue star", "--batch-count", "3", "--steps", "1", "--model", STARTER.stem, data=tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment(), timeout=110)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
    saved = sorted((tmp_path / "outputs" / "txt2img").iterdir())
    assert len(saved) == 3
    for path in saved:
        Image.open(path).load()


@pytest.mark.rule("E118")
def test_ctrl_c_never_tears_a_picture_that_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    saved: list[bytes] = []

    def save(outputs: Path, kind: str, data: bytes, **_: object) -> Path:
        signal.raise_signal(signal.SIGINT)
        saved.append(data)
        return outputs / "1.png"

    monkeypatch.setattr("sfumato.terminal.save_picture", save)
    before = signal.getsignal(signal.SIGINT)
    assert generate(monkeypatch, tmp_path, [artifact(1), Finished(job="x", seq=2)], Destination(None, False)) is True
    assert saved == [b"\x01" * 10]
    assert signal.getsignal(signal.SIGINT) is before
