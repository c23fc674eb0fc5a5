"""The child process LocalInference: runs jobs for its parent over two private pipes and dies with it.

Started as `python -m sfumato.transport.child`; the parent's words come on standard input, ours leave on a private copy of standard output.
Whatever a job prints goes to the log instead, so nothing it does can break the stream.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.jobs.runner import ThreadExecutor, Work
from sfumato.protocol.codec import FrameReader
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.redaction import Redactor, install
from sfumato.transport import wire
from sfumato.transport.endpoint import describe

NAME = "LocalInference"
READ_BYTES = 1 << 18
# Exit status of a child whose device cannot be reached any more.
DEVICE_LOST = 75
log = logging.getLogger(__name__)


class _Mouth:
    """The executor's listener: every call becomes a word for the parent. A parent that is gone ends the process."""

    def __init__(self, writer: wire.WordWriter) -> None:
        self._writer = writer

    def say(self, word: wire.Word) -> None:
        try:
            self._writer.write(word)
        except OSError:
            os._exit(0)  # nobody is left to work for; a running job must not hold the process

    def progress(self, job: str, *, stage: str, done: int, total: int, rate: float | None, preview: tuple[bytes, ...], note: str) -> None:
        self.say(wire.ProgressWord(job=job, stage=stage, done=done, total=total, rate=rate, preview=preview, note=note))

    def artifact(self, job: str, *, name: str, media_type: str, data: bytes, info: Mapping[str, Any]) -> None:
        self.say(wire.ArtifactWord(job=job, name=name, media_type=media_type, data=data, info=dict(info)))

    def finished(self, job: str, result: dict[str, Any]) -> None:
        self.say(wire.FinishedWord(job=job, result=result))

    def failed(self, job: str, error: SfumatoError) -> None:
        ends = error.ends_engine
        self.say(wire.FailedWord(job=job, code=error.code, message=error.message, path=error.path, detail=error.detail, ends=ends))
        if ends:
            # Every further call of the device would fail; the parent starts another process, which finds it anew.
            log.error("ending this process: %s", error.detail or error.message)
            os._exit(DEVICE_LOST)

    def cancelled(self, job: str) -> None:
        self.say(wire.CancelledWord(job=job))


def _private_pipes() -> tuple[int, int]:
    """Take standard input and output for ourselves; from now on `print` goes where errors go."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    if sys.platform == "win32":
        import msvcrt  # exists on Windows only

        for descriptor in (incoming, outgoing):
            msvcrt.setmode(descriptor, os.O_BINARY)
    return incoming, outgoing


def _take_name() -> None:
    """Be LocalInference in `ps` and `top`, where the system has names for processes."""
    if sys.platform == "linux":
        pr_set_name = 15
        ctypes.CDLL(None).prctl(pr_set_name, NAME.encode(), 0, 0, 0)


def _beat(mouth: _Mouth) -> None:
    rest = threading.Event()
    while not rest.wait(wire.BEAT_S):
        mouth.say(wire.Beat())


def _obey(incoming: int, executor: ThreadExecutor) -> None:
    """Read the parent's words until it says stop or its end of the pipe closes."""
    reader = FrameReader(wire.LIMIT_BYTES)
    while data := os.read(incoming, READ_BYTES):
        for document in reader.feed(data):
            word = wire.read_word(document, wire.TO_CHILD)
            if isinstance(word, wire.Start):
                executor.start(Work(word.job, word.kind, word.params, word.blobs, word.identity))
            elif isinstance(word, wire.CancelWork):
                executor.cancel(word.job)
            elif isinstance(word, wire.FeedWork):
                executor.feed(word.job, word.data, word.last, word.offset)
            elif isinstance(word, wire.Stop):
                return


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=NAME)
    parser.add_argument("--name", default=NAME, help="shown in process lists")
    parser.add_argument("--places", required=True)
    parser.add_argument("--register", action="append", default=[])
    options = parser.parse_args(arguments)
    # Inside a job nothing may reach for a model hub, whatever library it calls.
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal reaches the whole group; the parent decides
    incoming, outgoing = _private_pipes()
    _take_name()
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    install(Redactor())
    mouth = _Mouth(wire.WordWriter(outgoing))
    threading.Thread(target=_beat, args=(mouth,), name="beat", daemon=True).start()
    places = Places.from_json(options.places)
    try:
        registry = filled(options.register)
        catalog = describe(registry, places)
    except Exception as error:  # whatever a driver or a half-installed package raises, the parent is told in words
        log.exception("cannot start")
        mouth.say(wire.Unready(reason=f"{type(error).__name__}: {error}", detail=traceback.format_exc()))
        return
    executor = ThreadExecutor(registry, places, mouth)
    mouth.say(wire.Ready(catalog=catalog))
    _obey(incoming, executor)
    # Not through interpreter shutdown: a job deep in native code would hold it, and there is nothing left to save.
    os._exit(0)


if __name__ == "__main__":
    main()
