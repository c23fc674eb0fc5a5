"""What passes between LocalInference and its child: the words of an executor, as framed BSON documents.

Parent to child: start, cancel, feed, stop. Child to parent: ready or unready, beat, and the `Listener` calls progress, artifact, finished, failed, cancelled.
Both ends are the same program version, yet the parent checks everything it hears: a broken child must not break the window.
"""

from __future__ import annotations

import errno
import os
import threading
from typing import Annotated, Any, Literal

import bson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sfumato.protocol.codec import EVENT_LIMIT_BYTES, document_of, frame
from sfumato.protocol.errors import BadFrame

LIMIT_BYTES = EVENT_LIMIT_BYTES
BEAT_S = 1.0


class Word(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Start(Word):
    type: Literal["start"] = "start"
    job: str
    kind: str
    params: dict[str, Any]
    blobs: dict[str, bytes] = {}
    identity: str = "local"


class CancelWork(Word):
    type: Literal["cancel"] = "cancel"
    job: str


class FeedWork(Word):
    type: Literal["feed"] = "feed"
    job: str
    data: bytes = b""
    last: bool = False
    offset: int | None = None


class Stop(Word):
    type: Literal["stop"] = "stop"


class Ready(Word):
    type: Literal["ready"] = "ready"
    catalog: dict[str, Any]


class Unready(Word):
    """The child cannot serve, and why; it ends itself."""

    type: Literal["unready"] = "unready"
    reason: str
    detail: str = ""


class Beat(Word):
    type: Literal["beat"] = "beat"


class ProgressWord(Word):
    type: Literal["progress"] = "progress"
    job: str
    stage: str
    done: int
    total: int
    rate: float | None = None
    preview: tuple[bytes, ...] = ()
    note: str = ""


class ArtifactWord(Word):
    type: Literal["artifact"] = "artifact"
    job: str
    name: str
    media_type: str
    data: bytes
    info: dict[str, Any] = {}


class FinishedWord(Word):
    type: Literal["finished"] = "finished"
    job: str
    result: dict[str, Any]


class FailedWord(Word):
    """`ends`: the child ends itself now, and takes no further job."""

    type: Literal["failed"] = "failed"
    job: str
    code: str
    message: str
    path: str = ""
    detail: str = ""
    ends: bool = False


class CancelledWord(Word):
    type: Literal["cancelled"] = "cancelled"
    job: str


TO_CHILD: TypeAdapter[Any] = TypeAdapter(Annotated[Start | CancelWork | FeedWork | Stop, Field(discriminator="type")])
TO_PARENT: TypeAdapter[Any] = TypeAdapter(
    Annotated[Ready | Unready | Beat | ProgressWord | ArtifactWord | FinishedWord | FailedWord | CancelledWord, Field(discriminator="type")]
)


def read_word(document: bytes, adapter: TypeAdapter[Any]) -> Word:
    """Decode one document; raises `BadFrame`."""
    try:
        word: Word = adapter.validate_python(document_of(document, LIMIT_BYTES))
    except ValidationError as error:
        raise BadFrame(error.errors()[0]["msg"]) from error
    return word


class WordWriter:
    """Writes words to a file descriptor, whole and one at a time, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_closed = False
        self._lock = threading.Lock()

    def write(self, word: Word) -> None:
        """Blocks while the pipe is full; raises `OSError` when the other end is gone or this one was closed."""
        data = memoryview(frame(bson.encode(word.model_dump(mode="python"))))
        with self._lock:
            if self._is_closed:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
            while data:
                data = data[os.write(self._descriptor, data) :]

    def close(self) -> None:
        """Write nothing more; called before the descriptor is closed, whose number may then be another file's."""
        with self._lock:
            self._is_closed = True
