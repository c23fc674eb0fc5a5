"""LocalInference: an endpoint whose jobs run in a supervised child process.

It starts the child, hears its heart, restarts it when it dies, and tells the dispatcher which job died with it. The parent never imports what the
child runs. One thread supervises and reads; one watches for silence.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from sfumato.jobs.builtin import REGISTRAR
from sfumato.jobs.clients import LOCAL, Client
from sfumato.jobs.context import AHEAD_LIMIT_BYTES, too_far_ahead
from sfumato.jobs.dispatcher import OnEvent
from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.jobs.runner import Listener, Work
from sfumato.protocol.codec import FrameReader
from sfumato.protocol.errors import BadFrame, EngineUnavailable, retold
from sfumato.protocol.messages import Command, Hello, Submit
from sfumato.transport import wire
from sfumato.transport.child import DEVICE_LOST, NAME, READ_BYTES
from sfumato.transport.endpoint import OnState, Sharing, State, StateName, new_session

log = logging.getLogger(__name__)

POLITE_S = 3.0
SILENCE_S = 120.0
UNANSWERED_S = 30.0
DEATHS_ALLOWED = 3
DEATHS_WITHIN_S = 300.0
LOG_LIMIT_BYTES = 5 << 20
SOURCE_FOLDER = Path(__file__).resolve().parents[2]
_SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "API_KEY")


class _ChildExecutor:
    """Words to one child process, written by a thread of its own: a child that reads nothing holds up nobody but itself.

    A child that is gone is noticed by the supervisor, not here.
    """

    def __init__(self, writer: wire.WordWriter, listener: Listener) -> None:
        self._writer = writer
        self._listener = listener
        self._words: SimpleQueue[wire.Word | None] = SimpleQueue()
        self._unwritten_bytes = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._write_all, name="words", daemon=True).start()

    def _write(self, word: wire.Word) -> None:
        self._words.put(word)

    def _write_all(self) -> None:
        while (word := self._words.get()) is not None:
            with contextlib.suppress(OSError):
                self._writer.write(word)
            if isinstance(word, wire.FeedWork):
                with self._lock:
                    self._unwritten_bytes -= len(word.data)

    def start(self, work: Work) -> None:
        self._write(wire.Start(job=work.job, kind=work.kind, params=work.params, blobs=dict(work.blobs), identity=work.identity))

    def cancel(self, job: str, *, is_abandoned: bool = False) -> None:
        del is_abandoned  # what paints keeps nothing half done
        self._write(wire.CancelWork(job=job))

    def feed(self, job: str, data: bytes, last: bool, offset: int | None = None) -> None:
        with self._lock:
            self._unwritten_bytes += len(data)
            is_too_much = self._unwritten_bytes > AHEAD_LIMIT_BYTES
            if is_too_much:
                self._unwritten_bytes -= len(data)
        if is_too_much:
            self._listener.failed(job, too_far_ahead())
            self.cancel(job)
        else:
            self._write(wire.FeedWork(job=job, data=data, last=last, offset=offset))

    def close(self) -> None:
        self._write(wire.Stop())

    def hang_up(self) -> None:
        """The child is gone, its pipe is about to be closed."""
        self._writer.close()
        self._words.put(None)


class LocalInference(Sharing):
    """Runs jobs in the child process LocalInference, and transfers on threads of this one.

    Args:
        places: folders of this installation.
        registrars: "module:function" names that fill the child's and our registry.
        on_state: told about the child's life, from a thread of ours.
        silence_s: a child not heard of for so long is taken for dead.
        unanswered_s: of one not heard of for so long that is said.
        kept_jobs: a file in which the waiting jobs of clients other than LOCAL outlive this process.
        kept_for: the identities whose jobs of an earlier process go on in this one; None: everybody's.
    """

    def __init__(
        self,
        places: Places,
        registrars: Sequence[str] = (REGISTRAR,),
        on_state: OnState | None = None,
        silence_s: float = SILENCE_S,
        unanswered_s: float = UNANSWERED_S,
        kept_jobs: Path | None = None,
        kept_for: Collection[str] | None = None,
    ) -> None:
        super().__init__(filled(registrars), places, kept_jobs, kept_for)
        self._registrars = tuple(registrars)
        self._on_state = on_state
        self._silence_s = silence_s
        self._unanswered_s = unanswered_s
        self._is_ready = False
        self._process: subprocess.Popen[bytes] | None = None
        self._executor: _ChildExecutor | None = None
        self._heard = 0.0
        self._reason = ""
        self._unready: EngineUnavailable | None = None
        self._reloading = False
        self._closing = False
        self._wake = threading.Event()
        self._quiet = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the living child."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def open(self, on_event: OnEvent) -> None:
        self.join(LOCAL, on_event)
        self._begin_transfers()
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch_silence, name="watchdog", daemon=True).start()

    def obey(self, client: Client, command: Command) -> None:
        super().obey(client, command)
        if isinstance(command, Submit) and self._unready is not None:
            self._dispatcher.fail_waiting(self._unready)

    def restart(self) -> None:
        """End the child (politely, then by force) and start another; the running job ends with `worker_died`, waiting ones stay."""
        self._reloading = True
        self._unready = None
        self._end_child("it was reloaded")
        self._wake.set()

    def close(self) -> None:
        self._closing = True
        self._dispatcher.close()
        self._quiet.set()
        self._wake.set()
        self._end_transfers()
        self._end_child("it was closed")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=POLITE_S + 2)
        self._tell("closed", "Closed")

    def _tell(self, name: StateName, sentence: str) -> None:
        log.info("%s: %s", name, sentence)
        if self._on_state is not None:
            self._on_state(State(name, sentence))

    # -- the child's life ------------------------------------------------------------------------

    def _supervise(self) -> None:
        deaths: deque[float] = deque(maxlen=DEATHS_ALLOWED)
        self._tell("starting", "Starting engine")
        while not self._closing:
            # Here and not before the rest: who asks between a death and the rest is heard as well.
            self._wake.clear()
            self._reason = ""
            try:
                cause = self._live()
            except OSError as error:
                cause = f"it could not be started: {error.strerror}"
            if self._closing:
                return
            reloaded, self._reloading = self._reloading, False
            if self._unready is not None and not reloaded:
                self._dispatcher.fail_waiting(self._unready)
                self._rest(self._unready.message)
                deaths.clear()
                continue
            if reloaded:
                self._tell("starting", "Starting engine")
                continue
            deaths.append(time.monotonic())
            if len(deaths) == DEATHS_ALLOWED and deaths[-1] - deaths[0] < DEATHS_WITHIN_S:
                self._rest(f"The engine stopped {DEATHS_ALLOWED} times in a short while ({cause}). Reload to try again.")
                deaths.clear()
                continue
            self._tell("restarting", f"The engine stopped ({cause}). Restarting")

    def _rest(self, sentence: str) -> None:
        """Stay down until somebody asks for a restart or for the end."""
        self._tell("failed", sentence)
        self._wake.wait()
        self._reloading = False
        if not self._closing:
            self._tell("starting", "Starting engine")

    def _live(self) -> str:
        """One life of the child, from birth to death; the cause of death in words."""
        with self._open_log() as output:
            process = self._spawn(output)
        assert process.stdin is not None
        assert process.stdout is not None
        self._heard = time.monotonic()
        executor = _ChildExecutor(wire.WordWriter(process.stdin.fileno()), self._dispatcher)
        with self._lock:
            self._process, self._executor = process, executor
        if self._closing:  # close() may have come between the birth and its registration
            process.kill()
        try:
            self._listen(process.stdout)
        except BadFrame as error:
            self._reason = f"it sent what cannot be understood: {error.message}"
            process.kill()
        except Exception:  # the supervisor's root: without it nobody would start the engine again, nor end the job that runs
            log.exception("what the engine said could not be passed on")
            self._reason = "what it said could not be passed on"
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=POLITE_S)
        if process.poll() is None:
            process.kill()
        code = process.wait()
        with self._lock:
            self._process = self._executor = None
            self._is_ready = False
        executor.hang_up()
        process.stdout.close()
        with contextlib.suppress(OSError):
            process.stdin.close()
        cause = self._reason or _cause(code)
        self._dispatcher.executor_lost(cause, detail=f"exit status {code}")
        return cause

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sfumato.transport.child", "--name", NAME, "--places", self._places.to_json()]
        for registrar in self._registrars:
            command += ["--register", registrar]
        environment = {key: value for key, value in os.environ.items() if not any(word in key.upper() for word in _SECRET_WORDS)}
        paths = [str(SOURCE_FOLDER), environment.get("PYTHONPATH", "")]
        environment |= {"PYTHONPATH": os.pathsep.join(path for path in paths if path), "PYTHONUTF8": "1"}
        no_window = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        return subprocess.Popen(  # our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, bufsize=0, env=environment, creationflags=no_window
        )

    def _open_log(self) -> IO[bytes]:
        """The child's log, moved aside when it has grown; a log that cannot be written never stops the engine."""
        path = self._places.logs / "engine.log"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
                path.replace(path.with_suffix(".old.log"))
            return path.open("ab")
        except OSError as error:
            log.warning("engine.log cannot be written: %s", error.strerror)
            return open(os.devnull, "ab")  # closed by the caller's with

    def _end_child(self, reason: str) -> None:
        with self._lock:
            process, executor = self._process, self._executor
        if process is None or process.poll() is not None:
            return
        self._reason = reason
        if executor is not None:
            executor.close()
        try:
            process.wait(timeout=POLITE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _watch_silence(self) -> None:
        """Tell of a child that stopped beating, later end it; time in which this machine slept does not count."""
        interval = min(1.0, self._silence_s / 4, self._unanswered_s / 4)
        last = time.monotonic()
        is_told = False
        while not self._quiet.wait(interval):
            now = time.monotonic()
            if now - last > 5 * interval + 1:
                self._heard = now
            last = now
            process = self._process
            if process is not None and process.poll() is None and now - self._heard > self._silence_s:
                self._reason = f"it did not answer for {self._silence_s:.0f} s"
                process.kill()
            elif self._is_ready and now - self._heard > self._unanswered_s and not is_told:
                is_told = True
                self._tell("silent", f"The engine is not responding (nothing heard for {self._unanswered_s:.0f} s)")
            elif is_told and now - self._heard <= self._unanswered_s:
                is_told = False
                if self._is_ready:
                    self._tell("ready", "Ready")

    # -- the child's words -----------------------------------------------------------------------

    def _listen(self, pipe: IO[bytes]) -> None:
        reader = FrameReader(wire.LIMIT_BYTES)
        while data := os.read(pipe.fileno(), READ_BYTES):
            self._heard = time.monotonic()
            for document in reader.feed(data):
                self._hear(wire.read_word(document, wire.TO_PARENT))

    def _hear(self, word: wire.Word) -> None:
        listener = self._dispatcher
        if isinstance(word, wire.ProgressWord):
            listener.progress(word.job, stage=word.stage, done=word.done, total=word.total, rate=word.rate, preview=word.preview, note=word.note)
        elif isinstance(word, wire.ArtifactWord):
            listener.artifact(word.job, name=word.name, media_type=word.media_type, data=word.data, info=word.info)
        elif isinstance(word, wire.FinishedWord):
            listener.finished(word.job, word.result)
        elif isinstance(word, wire.FailedWord):
            if word.ends:
                listener.attach(None)
            listener.failed(word.job, retold(word.code, word.message, word.path, word.detail))
        elif isinstance(word, wire.CancelledWord):
            listener.cancelled(word.job)
        elif isinstance(word, wire.Ready):
            listener.announce(Hello(session=new_session(), catalog=word.catalog))
            self._is_ready = True
            self._tell("ready", "Ready")
            listener.attach(self._executor)
        elif isinstance(word, wire.Unready):
            self._unready = EngineUnavailable(word.reason, detail=word.detail)


def _cause(code: int) -> str:
    """An exit status in words."""
    if code == DEVICE_LOST:
        return "the graphics driver stopped answering"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
        return f"it was ended by {name}{hint}"
    return f"it ended with status {code}"
