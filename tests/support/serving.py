"""`sfumato serve` as a process for tests: the real command, with job kinds that need no model. Start with `served`.

Run as a program it is that process: `python -m tests.support.serving [flags of serve]`, with the data folder in SFUMATO_DATA.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from PIL import Image

from sfumato.jobs.context import JobContext
from sfumato.jobs.registry import JobKind, Registry
from sfumato.protocol.requests.generate import Generate, GenerateResult
from tests.support import kinds

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
REGISTRAR = "tests.support.serving:register"
PATIENCE_S = 90.0
# A file in the data folder without which the engine does not become ready, if this variable is set.
GATE_VARIABLE, GATE_FILE = "SFUMATO_TEST_GATE", "engine-may-start"


def register(registry: Registry) -> None:
    """Kinds of `kinds.py`, one that says it writes, and a painter that paints at once."""
    kinds.register(registry)
    registry.add(JobKind("scribble", "Scribble", kinds.Count, kinds.Counted, "tests.support.kinds:run"))
    registry.add(JobKind("generate", "Generate", Generate, GenerateResult, "tests.support.serving:paint", writes=False))
    registry.add_catalog("tests.support.serving:describe")


def describe(places: object) -> dict[str, object]:
    """Nothing more, but not before the engine may start."""
    data = getattr(places, "data")  # noqa: B009  # any places
    rest = threading.Event()
    while os.environ.get(GATE_VARIABLE) and not (data / GATE_FILE).exists():
        rest.wait(0.05)
    return {}


def paint(request: Generate, context: JobContext) -> GenerateResult:
    """A picture of one colour for each that is asked for; the prompt "slow" waits for a cancel."""
    rest = threading.Event()
    while request.prompt == "slow":
        context.check()
        context.progress("denoise", 1, 2)
        rest.wait(0.05)
    for index in range(request.batch_size * request.batch_count):
        drawn = io.BytesIO()
        Image.new("RGB", (request.width or 64, request.height or 64), (index, 100, 200)).save(drawn, "PNG")
        context.artifact(f"image-{index}", "image/png", drawn.getvalue(), {})
    return GenerateResult()


class Served:
    """The process, and what it says."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], stdin: str | None) -> None:
        self.process = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(environ),
        )
        if stdin is not None:
            assert self.process.stdin is not None
            self.process.stdin.write(stdin)
            self.process.stdin.close()
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors)),
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: object, kept: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]  # a text stream
            with self._changed:
                kept.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, pattern: str, *, after: int = 0, errors: bool = False) -> str:
        """The first line (of standard error: `errors`) in which a pattern is found."""
        found: list[str] = []
        lines = self.errors if errors else self.lines

        def look() -> bool:
            found[:] = [line for line in lines[after:] if re.search(pattern, line)]
            return bool(found) or not any(thread.is_alive() for thread in self._threads)

        with self._changed:
            assert self._changed.wait_for(look, PATIENCE_S), f"not said: {pattern}; said {self.lines}, {self.errors}"
        assert found, f"ended without saying {pattern}; said {self.lines}, {self.errors}"
        return found[0]

    def link(self, label: str = "owner") -> str:
        """The connection link that is shown for a label."""
        line = self.wait_for(rf"^Connection link \((guest )?{re.escape(label)}\)")
        return line[line.index("sfumato:?") :]

    @property
    def port(self) -> int:
        return int(self.wait_for("^Ready: ").rpartition(":")[2].partition("/")[0])

    @property
    def said(self) -> str:
        return "\n".join([*self.lines, *self.errors])

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and wait; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


def wait_until(found: Callable[[], T]) -> T:
    """What `found` gives as soon as that is something: for what another process does and nobody tells."""
    rest = threading.Event()
    for _ in range(int(PATIENCE_S / 0.05)):
        if answer := found():
            return answer
        rest.wait(0.05)
    raise AssertionError("it did not come")


def environment(data: Path, **more: str) -> dict[str, str]:
    """For the process and whatever it starts: our sources and this package, and no data folder but `data`."""
    path = os.pathsep.join((str(ROOT / "source"), str(ROOT)))
    return os.environ | {"PYTHONPATH": path, "SFUMATO_DATA": str(data), "PYTHONUNBUFFERED": "1", "COLUMNS": "200"} | more


@contextmanager
def served(data: Path, *flags: str, stdin: str | None = None, real: bool = False, **more: str) -> Iterator[Served]:
    """The process, with a port of its own unless `flags` say another; `real` has the real engine."""
    port = [] if "--port" in flags else ["--port", "0"]
    module = ["-m", "sfumato", "serve"] if real else ["-m", "tests.support.serving"]
    found = Served([sys.executable, *module, *port, *flags], environment(data, **more), stdin)
    try:
        yield found
    finally:
        found.close()


def main() -> int:
    """`sfumato serve` as `cli.py` runs it, with our kinds."""
    from sfumato import cli
    from sfumato.remote_options import serving_of
    from sfumato.serve import serve

    def run(options: argparse.Namespace, places: object) -> int:
        serve(serving_of(options), places, [REGISTRAR])  # type: ignore[arg-type]  # Places
        return cli.DONE

    cli._serve = run  # type: ignore[assignment]
    return cli.main(["serve", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
