"""A helper program that gives this machine's relay a public address: an installed `cloudflared`, or a command of the user's.

It runs beside the relay, is read until it prints an https or wss address, and ends with the hosting. What it carries is sealed already.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from sfumato.protocol.errors import Invalid, Problem

log = logging.getLogger(__name__)

OFF, CLOUDFLARED = "", "cloudflared"
# `--no-autoupdate`: a helper that replaces itself would end with the old copy.
CLOUDFLARED_COMMAND = "cloudflared tunnel --no-autoupdate --url http://{host}:{port}"
POLITE_S = 3.0
LINE_BYTES = 4096
# Such programs print addresses of manuals and terms as well; those have a path, the tunnel's own has none.
_ADDRESS = re.compile(r"(?:https|wss)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(?::[0-9]{1,5})?)(?=/?(?:[\s|\"'<>,;)\]]|$))")
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


def is_installed(search: str | None = None) -> bool:
    """Whether `cloudflared` is found on the machine."""
    return shutil.which(CLOUDFLARED, path=search) is not None


def command_of(tunnel: str, host: str, port: int, search: str | None = None) -> list[str]:
    """The words that start a tunnel to the relay at `host` and `port`.

    Args:
        tunnel: `CLOUDFLARED`, or a command in which {host} and {port} stand for the relay's.
        host, port: where the relay listens; an address that means every interface is reached by loopback.
        search: folders to look for the program in, as PATH names them; default PATH.

    Raises:
        Invalid: there is no such program, or the command cannot be read.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, f"[{host}]" if ":" in host else host)
    text = CLOUDFLARED_COMMAND if tunnel.strip() == CLOUDFLARED else tunnel
    try:
        words = words_of(text)
    except ValueError as error:
        raise Invalid([Problem("tunnel", f"The tunnel's command cannot be read: {error}.")]) from error
    if not words:
        raise Invalid([Problem("tunnel", "The tunnel's command is empty.")])
    words = [word.replace("{host}", host).replace("{port}", str(port)) for word in words]
    program = shutil.which(words[0], path=search)
    if program is None:
        hint = " Install it from Cloudflare, or name another command." if words[0] == CLOUDFLARED else ""
        raise Invalid([Problem("tunnel", f"The program '{words[0]}' for the tunnel was not found on this machine.{hint}")])
    return [program, *words[1:]]


def words_of(command: str, posix: bool = os.name == "posix") -> list[str]:
    """The words of a command as a person writes it on this system; raises `ValueError` where a quotation does not end."""
    words = shlex.split(command, posix=posix)
    # Where "\\" is no escape, `shlex` leaves the quotation marks around a path with spaces.
    return words if posix else [word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word for word in words]


def address_in(line: str) -> str:
    """The public address in a line that a tunnel prints, as an endpoint of a relay, or ""."""
    for found in _ADDRESS.finditer(_CONTROL.sub("", line)):
        host = found["host"].lower()
        if "." in host and not host.startswith("127."):
            return f"wss://{host}/relay"
    return ""


class Tunnel:
    """The running helper.

    Args:
        words: its command, see `command_of`.
        on_address: called once, with the endpoint (wss://host/relay) to connect to.
        on_end: called with a sentence if it ends by itself. Both are called from a thread of the tunnel's.
        environ: for the helper; default this process's.
    """

    def __init__(
        self, words: Sequence[str], on_address: Callable[[str], None], on_end: Callable[[str], None], environ: Mapping[str, str] | None = None
    ) -> None:
        self._words = list(words)
        self._on_address = on_address
        self._on_end = on_end
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._address = ""

    @property
    def address(self) -> str:
        """The public endpoint, "" as long as none was printed."""
        return self._address

    @property
    def pid(self) -> int | None:
        """Process id of the living helper."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def open(self) -> None:
        """Start it; returns at once. Raises `Invalid` if it cannot be started."""
        try:
            # A group of its own: what a script starts ends with it, and Ctrl+C in a terminal is for us to answer.
            self._process = subprocess.Popen(  # the user's command, without a shell
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env=None if self._environ is None else dict(self._environ),
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise Invalid([Problem("tunnel", f"The tunnel '{self._words[0]}' could not be started: {error.strerror}.")]) from error
        log.info("tunnel: started %s", os.path.basename(self._words[0]))
        self._thread = threading.Thread(target=self._read, args=(self._process,), name="tunnel", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it and whatever it started; `on_end` is not called. May be called twice."""
        self._closing.set()
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            _ask_to_end(process)
            try:
                process.wait(timeout=POLITE_S)
            except subprocess.TimeoutExpired:
                log.info("tunnel: ended by force")
        _end_all(process)
        process.wait()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=POLITE_S)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """Look for the address; afterwards go on reading, so that the helper never waits for a reader."""
        assert process.stdout is not None
        tail: deque[str] = deque(maxlen=3)
        with process.stdout as output:
            for line in _lines(output):
                plain = _CONTROL.sub("", line).strip()
                if plain:
                    tail.append(plain)
                if not self._address and (address := address_in(line)):
                    self._address = address
                    log.info("tunnel: has its address")
                    self._on_address(address)
        status = process.wait()
        if not self._closing.is_set():
            said = f" It said: {tail[-1][:200]}" if tail else ""
            self._on_end(f"The tunnel ended with status {status}.{said}")


def _lines(output: IO[bytes]) -> Iterator[str]:
    """Lines as they come; one without an end is cut into pieces of bounded length."""
    held = b""
    while data := os.read(output.fileno(), LINE_BYTES):
        held += data
        *whole, held = re.split(rb"[\r\n]", held)
        if len(held) > LINE_BYTES:
            whole, held = [*whole, held], b""
        for line in whole:
            yield line.decode("utf-8", "replace")
    yield held.decode("utf-8", "replace")


def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
    """Ask the helper and all it started to end; on Windows, where a console program cannot be asked, end them."""
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/PID", str(process.pid), "/T", "/F"], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """End by force what is left of them."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
