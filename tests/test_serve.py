"""`sfumato serve` as a person uses it: a process that shows a link, lets in who has it, and ends cleanly, whatever its engine does."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sfumato.protocol.errors import Forbidden
from sfumato.protocol.messages import Accepted, Artifact, Failed, Finished, Hello, Submit
from sfumato.protocol.secret import Secret
from sfumato.transport.endpoint import State
from sfumato.transport.keys import TOO_SHORT
from sfumato.transport.link import Link
from sfumato.transport.remote import RemoteInference
from tests.support.listening import Listening
from tests.support.serving import GATE_FILE, GATE_VARIABLE, PATIENCE_S, ROOT, Served, environment, served, wait_until

# Each starts a process, and that one its engine.
pytestmark = pytest.mark.slow

PASSWORD = "seven wet owls at noon"


class Visitor:
    """A client of the process, and what it hears."""

    def __init__(self, link: str | Link) -> None:
        self.states: list[State] = []
        self.listening = Listening()
        self._changed = threading.Condition()
        self.remote = RemoteInference(Link.parse(link) if isinstance(link, str) else link, self._tell, label="a test")

    def _tell(self, state: State) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    def wait_for(self, name: str) -> State:
        with self._changed:
            assert self._changed.wait_for(lambda: any(state.name == name for state in self.states), PATIENCE_S), self.states
            return next(state for state in self.states if state.name == name)

    def run(self, kind: str, job: str = "job", **params: object) -> object:
        self.remote.send(Submit(job=job, kind=kind, params=params))
        return self.listening.ending(job)


@contextlib.contextmanager
def visiting(link: str | Link) -> Iterator[Visitor]:
    visitor = Visitor(link)
    visitor.remote.open(visitor.listening.hear)
    try:
        yield visitor
    finally:
        visitor.remote.close()


def with_password(link: str, password: str) -> Link:
    return Link(Link.parse(link).endpoint, Secret(password))


def children_of(server: Served) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children(recursive=True)


@pytest.fixture
def heeded() -> Iterator[None]:
    """A hang-up acts on what is started here, also where these tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.rule("D165", "R78", "N60")
@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ready_is_said_before_the_engine_is_and_a_signal_ends_everything(tmp_path: Path, number: int) -> None:
    with served(tmp_path, **{GATE_VARIABLE: "1"}) as server:
        link = server.link()
        assert server.lines[0] == f"Ready: ws://127.0.0.1:{server.port}/relay"
        with visiting(link) as visitor:
            visitor.wait_for("starting")
            visitor.remote.send(Submit(job="early", kind="count", params={}))  # waits for the engine
            assert not visitor.listening.of("early") or not isinstance(visitor.listening.of("early")[-1], Finished)
            (tmp_path / GATE_FILE).touch()
            assert visitor.listening.wait_for(Hello).role == "owner"
            assert isinstance(visitor.listening.ending("early"), Finished)
            assert server.wait_for("connected$") == "1 client connected"
        server.wait_for("^No clients connected")
        children = children_of(server)
        assert children
        assert server.end(number) == 0
        assert not psutil.wait_procs(children, timeout=10)[1]
        assert server.lines[-1] == "Closing"
        assert server.lines.count("1 client connected") == 1


@pytest.mark.rule("D178")
def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder, served(tmp_path, "--port", str(holder.getsockname()[1])) as server:
        assert server.process.wait(PATIENCE_S) == 1
        server.end()
        assert [line for line in server.errors if line.startswith("sfumato: ")] == [server.errors[-1]]
        assert str(holder.getsockname()[1]) in server.errors[-1]
        assert server.lines == []


@pytest.mark.rule("N12", "X29", "X50", "D178", "R121")
def test_a_secret_that_could_be_guessed_opens_nothing_to_others(tmp_path: Path) -> None:
    with served(tmp_path, "--address", "0.0.0.0", "--password-file", "-", stdin="owlsatnoon\n") as server:
        assert server.process.wait(PATIENCE_S) == 2
        server.end()
    assert server.lines == []
    assert server.errors == [f"sfumato: {TOO_SHORT}"]


@pytest.mark.rule("X29", "N12")
def test_other_addresses_are_served_over_plain_ws_which_is_said_to_be_sealed(tmp_path: Path) -> None:
    with served(tmp_path, "--address", "0.0.0.0") as server:
        link = Link.parse(server.link())
        assert "encrypted by Sfumato itself" in server.said
        assert not link.is_tls
        with visiting(Link(f"ws://127.0.0.1:{server.port}/relay", link.secret)) as visitor:
            assert isinstance(visitor.run("count"), Finished)


@pytest.mark.rule("N10", "N11", "X50")
def test_a_password_from_a_file_lets_in_and_is_neither_shown_nor_stored(tmp_path: Path) -> None:
    held = tmp_path / "password"
    held.write_text(f"{PASSWORD}\n")
    with served(tmp_path / "data", "--password-file", str(held)) as server:
        link = server.link()
        assert "password=" not in link
        with visiting(with_password(link, PASSWORD)) as visitor:
            assert isinstance(visitor.run("count"), Finished)
        with visiting(with_password(link, PASSWORD + "!")) as stranger:
            assert "refused the password" in stranger.wait_for("refused").sentence
    assert json.loads((tmp_path / "data" / "relay.json").read_text())["identities"] == []


@pytest.mark.rule("N11", "N40")
def test_what_is_kept_lets_in_again_and_the_link_is_shown_without_it(tmp_path: Path) -> None:
    with served(tmp_path, "--keep", "--guest", "Ann") as server:
        owner, guest = server.link(), server.link("Ann")
    path = tmp_path / "relay.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for link in (owner, guest):
        secret = Link.parse(link).secret
        assert secret is not None
        assert secret.reveal() not in path.read_text()
    with served(tmp_path, "--keep", "--guest", "Ann") as server:
        again = server.link()
        assert "password=" not in again
        assert "asks for the password" in server.wait_for("^Connection link")
        for link, role in ((owner, "owner"), (guest, "guest")):
            with visiting(Link(Link.parse(again).endpoint, Link.parse(link).secret)) as visitor:
                assert visitor.listening.wait_for(Hello).role == role


@pytest.mark.rule("N30", "N31", "D168")
def test_a_guest_may_write_nothing_and_hears_that_his_pictures_are_kept(tmp_path: Path) -> None:
    with served(tmp_path, "--guest", "Ann", "--monitor") as server, visiting(server.link("Ann")) as guest, visiting(server.link()) as owner:
        hello = guest.listening.wait_for(Hello)
        assert (hello.role, hello.monitored) == ("guest", True)
        failed = guest.run("scribble")
        assert isinstance(failed, Failed)
        assert (failed.code, "scribble" in failed.message) == (Forbidden.code, True)
        assert isinstance(owner.run("scribble"), Finished)
        assert isinstance(guest.run("generate", "picture", prompt="a fox"), Finished)
        assert isinstance(owner.run("generate", "picture", prompt="a fox"), Finished)
        picture = guest.listening.wait_for(Artifact, "picture").data
        server.wait_for("^2 clients connected")
        kept = wait_until(lambda: list((tmp_path / "outputs" / "monitor").rglob("*.png")))
        assert [path.read_bytes() for path in kept] == [picture]


@pytest.mark.rule("N60", "D167", "X30")
def test_a_tunnels_address_is_in_the_link_and_answered_for_and_it_ends_with_the_hosting(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    helper = tmp_path / "cloudflared"
    text = f"import os, sys, threading\nopen({str(noted)!r}, 'w').write(f'{{os.getpid()}} {{sys.argv[-1]}}')\n"
    text += "sys.stderr.write('INF +---+\\nINF |  https://early-fox.trycloudflare.com  |\\n')\nthreading.Event().wait()"
    helper.write_text(f"#!{sys.executable} -u\n{text}")
    helper.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    with served(tmp_path / "data", "--tunnel", "cloudflared", PATH=path) as server:
        link = Link.parse(server.link())
        assert link.endpoint == "wss://early-fox.trycloudflare.com:443/relay"
        assert server.said.count("password=") == 1
        pid, told = noted.read_text().split()
        assert told == f"http://127.0.0.1:{server.port}"
        for host, status in (("early-fox.trycloudflare.com", 426), ("evil.example.org", 403)):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
            connection.request("GET", "/relay", headers={"Host": host})
            assert connection.getresponse().status == status
            connection.close()
        assert server.end() == 0
        assert not psutil.pid_exists(int(pid))


@pytest.mark.rule("N40", "N42")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_jobs_that_waited_are_done_after_the_server_was_restarted(tmp_path: Path, number: int) -> None:
    flags = ("--password-file", "-")
    with contextlib.ExitStack() as stack:
        with served(tmp_path, *flags, stdin=PASSWORD, **{GATE_VARIABLE: "1"}) as server:
            port = str(server.port)
            visitor = stack.enter_context(visiting(with_password(server.link(), PASSWORD)))
            for job in ("first", "second"):
                visitor.remote.send(Submit(job=job, kind="count", params={}))
                visitor.listening.wait_for(Accepted, job)
            server.end(number)
        with served(tmp_path, *flags, "--port", port, stdin=PASSWORD) as server:
            for job in ("first", "second"):
                assert isinstance(visitor.listening.ending(job), Finished)
                assert [event.seq for event in visitor.listening.of(job)] == list(range(1, len(visitor.listening.of(job)) + 1))
            visitor.remote.close()


def test_a_tunnel_that_is_not_there_or_ends_is_said(tmp_path: Path) -> None:
    with served(tmp_path, "--tunnel", "no-such-helper") as server:
        assert server.process.wait(PATIENCE_S) == 2
        server.end()
        assert "The program 'no-such-helper' for the tunnel was not found" in server.errors[-1]
    with served(tmp_path, "--tunnel", "sh -c 'echo no way out; exit 4'") as server:
        assert "The tunnel ended with status 4. It said: no way out" in server.wait_for("^sfumato: ", errors=True)
        assert server.end() == 0


@pytest.mark.rule("N61")
def test_it_ends_by_itself_when_nobody_came(tmp_path: Path) -> None:
    with served(tmp_path, "--idle-minutes", "0.001") as server:
        assert server.process.wait(PATIENCE_S) == 0
        server.end()
        assert server.lines[-2:] == ["Nobody was connected for 0.001 minutes.", "Closing"]


def test_a_terminal_is_shown_a_picture_of_the_link_for_a_camera(tmp_path: Path) -> None:
    main, other = pty.openpty()
    words = [sys.executable, "-m", "tests.support.serving", "--port", "0"]
    with subprocess.Popen(words, stdin=other, stdout=other, stderr=subprocess.DEVNULL, env=environment(tmp_path, PYTHONUTF8="1")) as process:
        os.close(other)
        shown = b""
        # The corner of the picture is the last thing that is drawn.
        while shown.decode("utf-8", "replace").count("▀▀▀▀▀▀▀") < 3 and process.poll() is None:
            shown += os.read(main, 4096)
        process.terminate()
        with contextlib.suppress(OSError):  # a terminal without its program ends with an error
            while os.read(main, 4096):
                continue
        assert process.wait(PATIENCE_S) == 0
    os.close(main)
    assert b"sfumato:?endpoint=" in shown


def spellings(secret: bytes) -> dict[str, bytes]:
    """A secret in every form in which it could stand in a file."""
    found = {
        "plain": secret,
        "hex": secret.hex().encode(),
        "HEX": secret.hex().upper().encode(),
        "percent": urllib.parse.quote(secret, safe="").encode(),
        "percent everywhere": "".join(f"%{byte:02x}" for byte in secret).encode(),
        "PERCENT everywhere": "".join(f"%{byte:02X}" for byte in secret).encode(),
        "form": urllib.parse.quote_plus(secret).encode(),
        "JSON": json.dumps(secret.decode("latin-1"))[1:-1].encode(),
        "repr": repr(secret)[2:-1].encode(),
    }
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + secret)
        inner = whole[4 if offset else 0 : len(whole) - len(whole) % 4 - 4]
        found[f"base64 at {offset}"] = inner
        found[f"base64url at {offset}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    return found


def leaks(secrets: dict[str, bytes], places: dict[str, bytes]) -> list[str]:
    return [
        f"{name} as {form} in {place}"
        for name, secret in secrets.items()
        for form, spelled in spellings(secret).items()
        for place, content in places.items()
        if len(spelled) > 7 and spelled in content
    ]


@pytest.mark.rule("N62", "X50", "X52", "X54", "R111")
def test_no_output_log_or_file_holds_a_secret_after_a_whole_session_with_a_crash(tmp_path: Path) -> None:
    right, wrong, prompt = "marked-secret-Öwls+at/noon", "marked-wrong-Ställe&more?", "marked prompt of a fox"
    data = tmp_path / "data"
    with served(data, "--keep", "--guest", "Ann", "--password-file", "-", "--monitor", stdin=f"{right}\n") as server:
        plain, guest_link = server.link(), server.link("Ann")
        key = Link.parse(guest_link).secret
        assert key is not None
        with visiting(with_password(plain, wrong)) as stranger:
            stranger.wait_for("refused")
        with visiting(with_password(plain, right)) as owner, visiting(guest_link) as guest:
            session_keys = [visitor.remote._session for visitor in (owner, guest)]  # pyright: ignore[reportPrivateUsage]
            assert isinstance(guest.run("generate", "painted", prompt=prompt), Finished)
            assert isinstance(owner.run("count", "printed", act="print"), Finished)
            assert isinstance(owner.run("count", "raised", act="raise"), Failed)
            assert isinstance(owner.run("count", "killed", act="kill"), Failed)  # the engine dies and comes again
            assert isinstance(owner.run("count", "after"), Finished)
            session_keys += [visitor.listening.wait_for(Hello).session for visitor in (owner, guest)]
        server.wait_for("^No clients connected")
        assert server.end() == 0
    # The link of the guest was shown, once, on standard output alone; that is what it is for.
    shown = [line for line in server.lines if key.reveal() in line]
    assert len(shown) == 1
    printed = "\n".join(line for line in server.lines if line not in shown)
    places = {"standard output": printed.encode(), "standard error": "\n".join(server.errors).encode()}
    places |= {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"data/logs/serve.log", "data/logs/engine.log", "data/relay.json", "data/relay-sessions.json"} <= set(places)
    raw = base64.urlsafe_b64decode(key.reveal().removeprefix("sfk1.") + "=")
    secrets = {"password": right.encode(), "wrong password": wrong.encode(), "guest's key": key.reveal().encode()}
    secrets |= {f"session key {number}": session.encode() for number, session in enumerate(session_keys) if session}
    assert len(secrets) > 4
    assert leaks(secrets, places) == []
    # Keys as the handshake uses them are in the one file that is for them, and nowhere else.
    derived = base64.b64decode(json.loads(places["data/relay.json"])["identities"][0]["psk"])
    elsewhere = {name: content for name, content in places.items() if name != "data/relay.json"}
    assert leaks({"derived key": derived, "guest's bytes": raw}, elsewhere) == []
    assert leaks({"prompt": prompt.encode()}, {name: content for name, content in elsewhere.items() if "/monitor/" not in name}) == []
    assert leaks({"a word that is there": b"connected"}, places)  # the search finds what there is
    log = places["data/logs/serve.log"].decode()
    for told in ("connected: 127.0.0.1, owner 'owner'", "guest 'Ann'", "disconnected: 127.0.0.1", "job painted of kind 'generate'", "were refused"):
        assert told in log


def test_the_launcher_passes_the_command_through(tmp_path: Path) -> None:
    words = ["sh", str(ROOT / "start_linux.sh"), "--skip-install", "--data", str(tmp_path), "serve", "--port", "0", "--relay"]
    server = Served(words, os.environ, None)
    try:
        with visiting(server.link()) as visitor:
            catalog = visitor.listening.wait_for(Hello).catalog
            assert {"generate", "upscale", "annotate"} <= set(catalog["kinds"])
        assert server.end() == 0
    finally:
        server.close()
