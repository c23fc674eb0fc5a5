"""The helper that gives a public address: found, read, ended with all it started, and told about when it ends by itself."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from sfumato.protocol.errors import Invalid
from sfumato.transport.tunnel import CLOUDFLARED, Tunnel, address_in, command_of, is_installed, words_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the helpers of these tests are scripts")
PATIENCE_S = 60.0

# What cloudflared writes before and around its address, shortened.
LIKE_CLOUDFLARED = """
2026-11-22T10:00:00Z INF Thank you for trying Cloudflare Tunnel. ... (https://developers.cloudflare.com/cloudflare-one/connections/connect-apps)
2026-11-22T10:00:00Z INF Requesting new quick Tunnel on trycloudflare.com...
2026-11-22T10:00:03Z INF |  https://early-fox-painting.trycloudflare.com                                              |
2026-11-22T10:00:03Z INF Settings: map[no-autoupdate:true p:http2 url:http://127.0.0.1:28888]
"""


class Heard:
    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.ends: list[str] = []
        self.changed = threading.Condition()

    def address(self, address: str) -> None:
        with self.changed:
            self.addresses.append(address)
            self.changed.notify_all()

    def end(self, sentence: str) -> None:
        with self.changed:
            self.ends.append(sentence)
            self.changed.notify_all()

    def wait(self) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: bool(self.addresses or self.ends), PATIENCE_S)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!{sys.executable} -u\n{text}")
    path.chmod(0o755)
    return path


@pytest.mark.rule("D167", "N60")
def test_the_address_of_cloudflared_is_told_and_the_end_of_hosting_ends_it(tools: Path, heard: Heard) -> None:
    shown = "import sys, threading\nassert sys.argv[1:] == ['tunnel', '--no-autoupdate', '--url', 'http://127.0.0.1:28888'], sys.argv\n"
    program(tools, CLOUDFLARED, f"{shown}sys.stderr.write({LIKE_CLOUDFLARED!r})\nthreading.Event().wait()")
    assert is_installed(str(tools))
    tunnel = Tunnel(command_of(CLOUDFLARED, "127.0.0.1", 28888, str(tools)), heard.address, heard.end)
    tunnel.open()
    heard.wait()
    assert (heard.addresses, heard.ends) == (["wss://early-fox-painting.trycloudflare.com/relay"], [])
    assert tunnel.address == heard.addresses[0]
    pid = tunnel.pid
    assert pid is not None
    tunnel.close()
    tunnel.close()
    assert not psutil.pid_exists(pid)
    assert (tunnel.pid, heard.ends) == (None, [])


@pytest.mark.rule("D167")
def test_what_a_script_of_the_users_started_ends_with_it_even_if_it_will_not(tools: Path, heard: Heard, tmp_path: Path) -> None:
    child = (
        "import os, signal, sys, threading; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1], 'w').write(str(os.getpid()));"
        "print('https://mine.example.org', flush=True); threading.Event().wait()"
    )
    script = program(tools, "my tunnel", f"import subprocess, sys\nsubprocess.call([sys.executable, '-c', {child!r}, sys.argv[1]])")
    noted = tmp_path / "pid"
    tunnel = Tunnel(command_of(f"'{script}' '{noted}' {{host}}:{{port}}", "0.0.0.0", 5), heard.address, heard.end)
    tunnel.open()
    heard.wait()
    assert heard.addresses == ["wss://mine.example.org/relay"]
    tunnel.close()
    with contextlib.suppress(psutil.NoSuchProcess):
        # It was ended by force, which the system does in its own time; init may not have looked yet.
        started = psutil.Process(int(noted.read_text()))
        until = time.monotonic() + PATIENCE_S
        while started.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
            time.sleep(0.05)
        assert started.status() == psutil.STATUS_ZOMBIE
    assert heard.ends == []


def test_a_tunnel_that_ends_by_itself_says_so_with_its_last_words(tools: Path, heard: Heard) -> None:
    failing = program(tools, "failing", "import sys\nprint('\\x1b[31mERR\\x1b[0m no route to the edge\\x07\\n')\nsys.exit(3)")
    tunnel = Tunnel([str(failing)], heard.address, heard.end)
    tunnel.open()
    heard.wait()
    tunnel.close()
    assert (heard.addresses, heard.ends) == ([], ["The tunnel ended with status 3. It said: ERR no route to the edge"])


def test_a_flood_of_output_is_read_on_and_never_kept(tools: Path, heard: Heard) -> None:
    flood = (
        "import sys\nsys.stdout.write('x' * 5_000_000)\nprint('\\nhttps://late.example.org\\nhttps://later.example.org')\nsys.stdout.write('y\\n' * 500_000)"
    )
    tunnel = Tunnel([str(program(tools, "flood", flood))], heard.address, heard.end)
    tunnel.open()
    with heard.changed:
        assert heard.changed.wait_for(lambda: bool(heard.ends), PATIENCE_S)
    tunnel.close()
    assert (heard.addresses, heard.ends) == (["wss://late.example.org/relay"], ["The tunnel ended with status 0. It said: y"])


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("Forwarding   https://1a2b.example.app -> http://localhost:28888", "wss://1a2b.example.app/relay"),
        ('t=2026-11-22 lvl=info msg="started tunnel" addr=http://localhost:1 url=https://1a2b.example.app', "wss://1a2b.example.app/relay"),
        ("your url is: https://Loud-Cat.example.org/", "wss://loud-cat.example.org/relay"),
        ("wss://10.0.0.5:8443 is open", "wss://10.0.0.5:8443/relay"),
        ("\x1b[1mhttps://painted.example.org\x1b[0m", "wss://painted.example.org/relay"),
        ("read https://example.org/manual first, then https://x.example.org.", ""),
        ("http://plain.example.org", ""),
        ("https://localhost and https://127.0.0.1:4040", ""),
        ("https://user:word@x.example.org", ""),
        ("no address", ""),
    ],
)
def test_only_an_address_of_its_own_is_taken_for_one(line: str, address: str) -> None:
    assert address_in(line) == address


@pytest.mark.parametrize(
    ("tunnel", "words"),
    [
        (CLOUDFLARED, "program 'cloudflared' for the tunnel was not found on this machine. Install it"),
        ("no-such-program --port {port}", "program 'no-such-program' for the tunnel was not found"),
        ("'unclosed", "cannot be read"),
        ("   ", "is empty"),
    ],
)
def test_a_command_that_cannot_be_is_one_sentence(tools: Path, tunnel: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        command_of(tunnel, "127.0.0.1", 1, str(tools))
    assert not is_installed(str(tools))


def test_a_command_is_words_and_no_shell_and_reaches_every_kind_of_address(tools: Path) -> None:
    path = str(program(tools, "t", ""))
    assert command_of(f"{path} {{host}}:{{port}} $(id) ; ls", "::", 7) == [path, "[::1]:7", "$(id)", ";", "ls"]
    assert command_of(f"{path} {{host}}", "::1", 7) == [path, "[::1]"]
    assert command_of(f"{path} {{host}}", "192.168.1.2", 7) == [path, "192.168.1.2"]


def test_a_program_that_is_gone_meanwhile_is_one_sentence(heard: Heard, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="could not be started"):
        Tunnel([str(tmp_path / "gone")], heard.address, heard.end).open()


def test_quotation_marks_around_a_path_with_spaces_are_no_part_of_it() -> None:
    assert words_of(r'"C:\Program Files\helper.exe" --port {port} \\host\share', posix=False) == [
        r"C:\Program Files\helper.exe",
        "--port",
        "{port}",
        r"\\host\share",
    ]
    assert words_of("'/opt/my helper' {port}", posix=True) == ["/opt/my helper", "{port}"]
