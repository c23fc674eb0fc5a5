"""Commands that run on another machine: the same words, a link from a file, pictures written here; and one sentence for whatever goes wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.secret import Secret
from sfumato.remote_known import Asking
from sfumato.remote_options import CONNECT_VARIABLE
from sfumato.transport.endpoint import InProcess
from sfumato.transport.keys import Identity, ScryptParameters, make_secret, psk_of
from sfumato.transport.known_file import FILE
from sfumato.transport.known_servers import Question, Remembered
from sfumato.transport.link import Link
from sfumato.transport.relay import Relay
from tests.support.serving import PATIENCE_S, REGISTRAR, environment, served, wait_until

PASSWORD = Secret("seven wet owls at noon")
SALT = bytes(range(16))


class Studio:
    """A machine elsewhere: a relay before jobs that need no model."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder / "data", folder / "outputs", (folder / "models",))
        self.key = make_secret()
        psks = {"owner": psk_of(self.key, SALT, ScryptParameters()), "typist": psk_of(PASSWORD, SALT, ScryptParameters())}
        identities = [Identity(label, "owner", psk, label) for label, psk in psks.items()]
        self.endpoint = InProcess(filled([REGISTRAR]), self.places)
        self.endpoint.open(lambda event: None)
        self.relay = Relay(self.endpoint, lambda: identities, salt=SALT, port=0)
        self.relay.open()

    @property
    def address(self) -> str:
        return f"ws://127.0.0.1:{self.relay.port}/relay"

    def link(self, folder: Path, secret: Secret | None = None) -> Path:
        """A file with a link to it."""
        path = folder / "link"
        path.write_text(Link(self.address, secret or self.key).text() + "\n")
        return path

    def close(self) -> None:
        self.relay.close()
        self.endpoint.close()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = Studio(tmp_path_factory.mktemp("studio"))
    yield made
    made.close()


def run(data: Path, *words: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sfumato", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment(data, **more), timeout=PATIENCE_S)


@pytest.mark.rule("N13", "X50")
@pytest.mark.slow
def test_models_lists_what_the_other_machine_has_whichever_way_the_link_comes(studio: Studio, tmp_path: Path) -> None:
    link = studio.link(tmp_path)
    from_file = run(tmp_path / "data", "models", "--connect", str(link), "--json")
    assert from_file.returncode == 0, from_file.stderr
    assert json.loads(from_file.stdout) == [{"value": "nothing", "label": "Nothing"}]
    from_input = run(tmp_path / "data", "models", "--connect", "-", "--json", stdin=link.read_text())
    from_variable = run(tmp_path / "data", "models", "--json", **{CONNECT_VARIABLE: str(link)})
    assert from_file.stdout == from_input.stdout == from_variable.stdout
    plain = run(tmp_path / "data", "models", "--connect", str(link))  # of a catalog that tells no more than names, that is what is shown
    assert (plain.returncode, plain.stdout.split()) == (0, ["nothing", "not", "looked", "at", "yet"]), plain.stderr
    none = run(tmp_path / "data", "models", "--connect", str(link), "--kind", "loras")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "No loras found on 127.0.0.1.\n")


@pytest.mark.rule("D158")
@pytest.mark.slow
def test_pictures_are_painted_there_and_written_here(studio: Studio, tmp_path: Path) -> None:
    link, data = studio.link(tmp_path, PASSWORD), tmp_path / "data"
    done = run(data, "generate", "a fox", "--batch-count", "3", "--width", "96", "--connect", str(link))
    assert done.returncode == 0, done.stderr
    paths = [Path(line) for line in done.stdout.split()]
    assert len(paths) == 3
    for path in paths:
        assert path.is_relative_to(data / "outputs")
        with Image.open(path) as picture:
            assert picture.size == (96, 64)
    assert not studio.places.outputs.exists()
    assert not (data / "logs").exists()  # no engine was started here
    named = run(data, "generate", "a fox", "-o", str(tmp_path / "fox.png"), "--connect", str(link))
    assert named.stdout.split() == [str(tmp_path / "fox.png")]
    # The salt with which the password was right is remembered, where the window finds it too.
    kept = json.loads((data / FILE).read_text())
    assert kept == {f"127.0.0.1:{studio.relay.port}": {"salt": SALT.hex(), "fingerprint": ""}}


@pytest.mark.rule("D157", "D178")
@pytest.mark.slow
def test_what_goes_wrong_is_one_sentence_without_the_secret(studio: Studio, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    wrong = studio.link(tmp_path, Secret("not the owls at noon"))
    cases = {
        wrong.read_text(): "refused the password",
        f"sfumato:?endpoint=ws://127.0.0.1:{port}/relay&password=hidden-hidden": f"{port}",
        "sfumato:?endpoint=http://127.0.0.1/relay&password=hidden-hidden": "begins with 'ws://' or 'wss://'",
        "sfumato:?endpoint=ws://127.0.0.1/relay&password=hidden-hidden&x=1": "does not know",
        f"sfumato:?endpoint=ws://127.0.0.1:{port}/relay": "no terminal to ask",
    }
    for text, words in cases.items():
        done = run(tmp_path / "data", "models", "--connect", "-", stdin=text)
        assert done.returncode in (1, 2)
        assert done.stdout == ""
        assert words in done.stderr, text
        assert done.stderr.count("\n") == 1
        assert "hidden" not in done.stderr
        assert "owls" not in done.stderr


@pytest.mark.slow
def test_ctrl_c_cancels_the_job_there(studio: Studio, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sfumato", "--verbose", "generate", "slow", "--connect", str(studio.link(tmp_path))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path / "data")) as process:
        clients = wait_until(lambda: [client for client in studio.relay.clients() if client.running])
        assert clients[0].label.endswith("command line")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output) == (130, ""), errors
    wait_until(lambda: not studio.relay.clients())


@pytest.mark.slow
def test_ctrl_c_while_the_machine_is_out_of_reach_says_so_and_a_second_one_ends(tmp_path: Path) -> None:
    with served(tmp_path / "there") as server:
        link = tmp_path / "link"
        link.write_text(server.link())
        words = [sys.executable, "-m", "sfumato", "generate", "slow", "--connect", str(link)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path / "data")) as process:
            assert process.stderr is not None
            server.wait_for("of kind 'generate'", errors=True)
            server.process.kill()
            lost = process.stderr.readline()
            assert lost.endswith("was lost. Trying again\n")
            process.send_signal(signal.SIGINT)
            assert "out of reach" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, output, errors) == (130, "", "")


@pytest.mark.rule("N14", "N15")
def test_the_command_remembers_machines_and_asks_only_where_somebody_can_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Asking(tmp_path, can_ask=False)
    assert known.recall("studio:1") == Remembered()
    known.remember("studio:1", Remembered(SALT, "ab" * 32))
    known.remember("other:2", Remembered(SALT))
    assert Asking(tmp_path, can_ask=False).recall("studio:1") == Remembered(SALT, "ab" * 32)
    assert os.stat(tmp_path / FILE).st_mode & 0o077 == 0
    answers: list[bool] = []
    question = Question("salt_changed", "studio:1", "studio:1 was set up anew.")
    known.ask(question, answers.append)
    assert answers == [False]
    for typed, expected in (("yes\n", True), ("\n", False), ("no\n", False), ("", False)):
        answered = threading.Event()
        heard: list[bool] = []

        def answer(is_yes: bool, heard: list[bool] = heard, answered: threading.Event = answered) -> None:
            heard.append(is_yes)
            answered.set()

        monkeypatch.setattr(sys, "stdin", __import__("io").StringIO(typed))
        Asking(tmp_path, can_ask=True).ask(question, answer)
        assert answered.wait(PATIENCE_S)
        assert heard == [expected]
    for damaged in ("[]", "{", '{"studio:1": 5}', '{"studio:1": {"salt": "z", "fingerprint": ""}}'):
        (tmp_path / FILE).write_text(damaged)
        assert Asking(tmp_path, can_ask=False).recall("studio:1") == Remembered()


@pytest.mark.rule("D158")
@pytest.mark.slow
def test_every_command_that_runs_jobs_runs_them_on_a_machine_with_the_real_engine(tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(source)
    with served(tmp_path / "there", real=True) as server:
        link = tmp_path / "link"
        link.write_text(server.link())
        for words in (
            ("generate", "a red circle", "--steps", "4", "--image", str(source), "--strength", "0.5", "-o", str(tmp_path / "generated.png")),
            ("annotate", "canny", str(source), "-o", str(tmp_path / "map.png")),
            ("upscale", str(source), "--scale", "2", "-o", str(tmp_path / "larger.png")),
        ):
            done = run(tmp_path / "here", *words, "--connect", str(link))
            assert done.returncode == 0, done.stderr
            with Image.open(done.stdout.strip()) as picture:
                assert picture.size == ((128, 128) if words[0] == "upscale" else (64, 64))
        listed = run(tmp_path / "here", "models", "--connect", str(link))
        assert "sfumato-starter  Stable Diffusion 1  64x64" in listed.stdout
