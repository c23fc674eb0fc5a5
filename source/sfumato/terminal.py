"""One job, watched from a terminal: sends it to LocalInference or to another machine, draws its progress, writes its pictures here."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import stat
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBars

from sfumato.asked import Asked
from sfumato.imaging.encoding import FORMATS, suffix_of
from sfumato.imaging.writing import make_folder, replace_file, write_new
from sfumato.jobs.places import Places
from sfumato.library.outputs import folder_of, save_picture
from sfumato.protocol.errors import TRIED_AGAIN, EngineUnavailable, Invalid, NotWritable, Problem, SfumatoError, Stopped, retold
from sfumato.protocol.messages import Artifact, Cancel, Cancelled, Event, Failed, Finished, Hello, Progress, Submit
from sfumato.protocol.requests.download import Download
from sfumato.transport.endpoint import Endpoint, State
from sfumato.transport.link import Link
from sfumato.transport.local import LocalInference


@dataclass(frozen=True)
class Destination:
    """Where pictures go: a file the user named (the second picture gets "-2" before the ending), or the numbered outputs folder."""

    file: Path | None
    replace: bool
    kind: str = "generate"

    def check(self, count: int, form: str, places: Places) -> None:
        """Refuse before any work what could not be written after it; raises `Invalid` or `NotWritable`."""
        if self.file is None:
            folder = make_folder(folder_of(places.outputs, self.kind))
            if not os.access(folder, os.W_OK):
                raise NotWritable(str(folder))
            return
        if self.file.suffix.lower() not in FORMATS[form].suffixes:
            endings = " or ".join(FORMATS[form].suffixes)
            raise Invalid([Problem("output", f"'{self.file}' must end in {endings}; that is the format pictures are written in.")])
        folder = self.file.parent
        if not folder.is_dir():
            raise Invalid([Problem("output", f"The folder '{folder}' does not exist; create it or choose another.")])
        if not os.access(folder, os.W_OK):
            raise NotWritable(str(folder))
        for path in map(self._numbered, range(count)):
            self._check_name(path)

    def _check_name(self, path: Path) -> None:
        try:
            status = path.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            raise Invalid([Problem("output", f"No file can be written under the name '{path.name[:80]}' ({error.strerror}); choose another.")]) from error
        if stat.S_ISDIR(status.st_mode):
            raise Invalid([Problem("output", f"'{path}' is a folder; choose the name of a file.")])
        if not self.replace:
            raise Invalid([Problem("output", f"'{path}' exists already; choose another name or add --replace.")])

    def _numbered(self, index: int) -> Path:
        assert self.file is not None, "only a named file is numbered"
        return self.file if index == 0 else self.file.with_stem(f"{self.file.stem}-{index + 1}")

    def write(self, index: int, data: bytes, places: Places, beside: Mapping[str, str]) -> Path:
        """Write picture number `index`, and beside it the texts by ending that it had no room for; raises `DiskFull` or `NotWritable`."""
        if self.file is None:
            return save_picture(places.outputs, self.kind, data, pattern=places.naming, sidecars=places.sidecars, beside=beside)
        path = self._numbered(index)
        write = replace_file if self.replace else write_new
        try:
            for ending, text in beside.items():
                write(path.with_suffix(ending), text.encode("utf-8", "replace"))
            write(path, data)
        except FileExistsError as error:
            raise NotWritable(str(path.parent), f"another program made '{path.name}' meanwhile") from error
        return path


class _Interrupt:
    """Somebody pressed Ctrl+C."""


class _Listener:
    """Hands events and states of the endpoint's threads to this one."""

    def __init__(self) -> None:
        self.heard: queue.SimpleQueue[Event | State | _Interrupt] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[Event | State | _Interrupt]:
        while True:
            yield self.heard.get()


@contextmanager
def _inference(places: Places, link: Link | None) -> Iterator[tuple[Endpoint, _Listener]]:
    """The engine of this machine, or of the one that the link leads to."""
    listener = _Listener()
    endpoint: Endpoint
    if link is None:
        endpoint = LocalInference(places, on_state=listener.heard.put)
    else:
        from sfumato.remote_known import Asking  # late: most commands run here
        from sfumato.transport.remote import RemoteInference

        endpoint = RemoteInference(link, listener.heard.put, label=_label(), known=Asking(places.data))
    endpoint.open(listener.heard.put)
    try:
        yield endpoint, listener
    finally:
        endpoint.close()


def _label() -> str:
    """How this command is listed at the other machine."""
    return f"{socket.gethostname()}, command line"[:80]


def fetch_catalog(places: Places, link: Link | None = None) -> dict[str, Any]:
    """What the engine of this machine, or of the link's, offers; raises `EngineUnavailable`, or why the other machine is out of reach."""
    with _inference(places, link) as (_, listener):
        line = _Line()
        for heard in listener:
            if isinstance(heard, Hello):
                return heard.catalog
            if isinstance(heard, State):
                line.judge(heard)
    raise AssertionError("the listener never ends by itself")


class _Line:
    """Which states of an endpoint end the command, and which are only told."""

    def __init__(self, say: Callable[[str], None] = lambda sentence: None) -> None:
        self._say = say
        self._was_there = False
        self._is_away = False

    def judge(self, state: State) -> None:
        """Raise what ends the command: an engine that stays down, a machine that refuses us or was never reached."""
        if state.name == "failed":
            raise retold(EngineUnavailable.code, state.sentence)  # a job would wait for a reload that nobody here can ask for
        sentence = state.sentence.removesuffix(TRIED_AGAIN)  # what ends the command is tried once
        self._is_away = state.name == "reconnecting"
        if state.name == "refused" or (self._is_away and not self._was_there):
            raise retold("unreachable", sentence)
        if self._is_away and state.attempt == 1:
            self._say(f"{sentence} Trying again")
        self._was_there = self._was_there or state.name in ("starting", "ready")

    def tell_stopping(self) -> None:
        """Say what becomes of a job that was just cancelled."""
        if self._is_away:
            self._say("The other machine is out of reach; the job is stopped when it is there again. Ctrl+C once more ends now, and leaves the job to it")
        else:
            self._say("Stopping after the current step")


def run_generate(jobs: Iterable[Asked], places: Places, replace: bool, link: Link | None = None) -> bool:
    """Make the pictures of all jobs, one job after the other; False if Ctrl+C ended it early, raises what a job failed with.

    Ctrl+C cancels the running job and keeps the pictures that were finished; a second one ends at once. `replace` allows to write over files.
    With a `link` the jobs run on the machine it leads to; pictures are read and written here all the same.
    """
    waiting = iter(jobs)
    job = next(waiting, None)
    if job is None:
        return True
    _check(job, replace, places)
    with _inference(places, link) as (endpoint, listener), _Bars() as bars, _interrupts(listener):
        line = _Line(bars.say)
        while job is not None:
            if not _run(job, Destination(job.file, replace, job.kind), endpoint, listener, places, bars, line):
                return False
            job = next(waiting, None)
            if job is not None:
                _check(job, replace, places)
    return True


def _check(job: Asked, replace: bool, places: Places) -> None:
    Destination(job.file, replace, job.kind).check(job.count, job.form, places)


def _run(job: Asked, destination: Destination, endpoint: Endpoint, listener: _Listener, places: Places, bars: _Bars, line: _Line) -> bool:
    submit = Submit(job=uuid.uuid4().hex, kind=job.kind, params=job.request.model_dump(), blobs=dict(job.blobs))
    endpoint.send(submit)

    def stop() -> None:
        endpoint.send(Cancel(job=submit.job))
        line.tell_stopping()

    try:
        _Watch(destination, places, bars, line).until_ended(listener, stop)
    except Stopped:
        return False
    return True


def run_download(request: Download, places: Places, link: Link | None = None) -> bool:
    """Have this machine, or the one of the link, fetch a model file, and print its name; False if Ctrl+C ended it, raises what the job failed with."""
    submit = Submit(job=uuid.uuid4().hex, kind="download", params=request.model_dump())
    with _inference(places, link) as (endpoint, listener), _Bars() as bars, _interrupts(listener):
        line = _Line(bars.say)
        endpoint.send(submit)
        for heard in listener:
            if isinstance(heard, _Interrupt):
                endpoint.send(Cancel(job=submit.job))
                line.tell_stopping()
            elif isinstance(heard, State):
                if heard.name != "failed":  # files are fetched without the engine
                    line.judge(heard)
            elif isinstance(heard, Progress):
                bars.show(heard)
            elif isinstance(heard, Finished):
                bars.result(f"{heard.result.get('folder', '')}/{heard.result.get('name', '')}")
                return True
            elif isinstance(heard, Failed):
                raise retold(heard.code, heard.message, heard.path, heard.detail)
            elif isinstance(heard, Cancelled):
                return False
    raise AssertionError("the listener never ends by itself")


@contextmanager
def _interrupts(listener: _Listener) -> Iterator[None]:
    """While inside, the first Ctrl+C is heard in turn with the events, so that it never tears a picture that is being written; a second one ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        del number, frame
        signal.signal(signal.SIGINT, signal.default_int_handler)
        listener.heard.put(_Interrupt())

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Watch:
    """What the job has said so far; ends by returning, or by raising how it failed."""

    def __init__(self, destination: Destination, places: Places, bars: _Bars, line: _Line) -> None:
        self._destination = destination
        self._places = places
        self._bars = bars
        self._line = line
        self._count = 0
        self._trouble: SfumatoError | None = None

    def until_ended(self, listener: _Listener, stop: Callable[[], None]) -> None:
        for heard in listener:
            if isinstance(heard, _Interrupt):
                stop()
            elif isinstance(heard, Progress):
                self._bars.show(heard)
            elif isinstance(heard, Artifact):
                self._keep(heard)
            elif isinstance(heard, Finished):
                self._finish(heard)
                return
            elif isinstance(heard, Failed):
                raise retold(heard.code, heard.message, heard.path, heard.detail)
            elif isinstance(heard, Cancelled):
                raise Stopped
            elif isinstance(heard, State):
                self._line.judge(heard)

    def _keep(self, artifact: Artifact) -> None:
        try:
            path = self._destination.write(self._count, artifact.data, self._places, artifact.info.get("sidecars") or {})
        except SfumatoError as error:
            # The other pictures may still find room; the first trouble is told at the end.
            self._trouble = self._trouble or error
            self._rescue(artifact)
        else:
            self._bars.result(str(path))
        self._count += 1

    def _rescue(self, artifact: Artifact) -> None:
        """Put a picture that found no room into a folder of its own for temporary files; this process is the last that holds it."""
        try:
            path = Path(tempfile.mkdtemp(prefix="sfumato-")) / f"{self._count + 1}{suffix_of(artifact.media_type)}"
            write_new(path, artifact.data)
        except (SfumatoError, OSError):
            self._bars.say("A picture could be kept nowhere; it is lost.")
        else:
            self._bars.say("A picture was kept among the temporary files instead; move it before they are cleared.")
            self._bars.result(str(path))

    def _finish(self, finished: Finished) -> None:
        for warning in finished.result.get("warnings", []):
            self._bars.say(f"Note: {warning['message']}")
        if self._trouble is not None:
            raise self._trouble


class _Bars:
    """A progress bar on a terminal, silence in a pipe."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = ProgressBars(
            TextColumn("{task.description:<8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._stage = ""

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, progress: Progress) -> None:
        if self._task is None:
            self._task = self._bars.add_task(progress.stage, total=progress.total or None, rate="")
        if progress.stage != self._stage:
            self._stage = progress.stage
            self._bars.reset(self._task, description=progress.stage, total=progress.total or None)
        rate = f"{progress.rate:.1f} it/s" if progress.rate else ""
        self._bars.update(self._task, completed=progress.done, total=progress.total or None, rate=rate)
        if progress.note:
            self.say(progress.note)

    def say(self, sentence: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def result(self, line: str) -> None:
        """One line of output proper. A reader that left (`| head -1`) ends the telling, not the painting."""
        try:
            print(line, flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
