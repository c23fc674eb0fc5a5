"""The conversation: four commands, seven events, two closed unions.

Commands refuse unknown fields, events ignore them, so that an older window understands a newer engine. `seq` counts the events of one job from 1.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

PROTOCOL = 1
# The oldest and the newest version that is understood.
PROTOCOLS = (1, 1)

JobId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")]
JsonObject = dict[str, Any]


class Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Submit(Command):
    """Run `kind` with `params`. The client makes the job id; sending it twice is one job. Higher `priority` goes first."""

    type: Literal["submit"] = "submit"
    job: JobId
    kind: Annotated[str, Field(min_length=1, max_length=64)]
    params: JsonObject = {}
    blobs: dict[str, bytes] = {}
    priority: Annotated[int, Field(ge=-100, le=100)] = 0


class Cancel(Command):
    """End a job: at once while it waits, within one denoising step while it runs. Repeating it changes nothing."""

    type: Literal["cancel"] = "cancel"
    job: JobId


class Feed(Command):
    """Upload one part (at most 1 MiB) into a job that reads parts; `last` closes the upload.

    With `offset`, the place of the part in the whole, a part that arrived before is not taken twice, and one behind a gap not at all.
    """

    type: Literal["feed"] = "feed"
    job: JobId
    offset: Annotated[int | None, Field(ge=0)] = None
    data: Annotated[bytes, Field(max_length=1 << 20)] = b""
    last: bool = False


class Resume(Command):
    """Send again every event of the job with a `seq` above `after`."""

    type: Literal["resume"] = "resume"
    job: JobId
    after: Annotated[int, Field(ge=0)] = 0


class Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Hello(Event):
    """First word of an endpoint that is ready: what it is and what it offers.

    `protocols` is the range it understands, `protocol` the one that is spoken. `monitored`: the owner of the machine sees the results of guests.
    """

    type: Literal["hello"] = "hello"
    protocol: int = PROTOCOL
    protocols: tuple[int, int] = PROTOCOLS
    role: str = "owner"
    session: str = ""
    monitored: bool = False
    limits: JsonObject = {}
    catalog: JsonObject = {}


class JobEvent(Event):
    job: JobId
    seq: Annotated[int, Field(ge=1)]


class Accepted(JobEvent):
    """The job is in the queue; `position` jobs are before it."""

    type: Literal["accepted"] = "accepted"
    position: int = 0


class Progress(JobEvent):
    """`done` of `total` units of `stage`; `rate` in units per second; `preview` holds one JPEG per picture of the running batch, or nothing."""

    type: Literal["progress"] = "progress"
    stage: str
    done: int = 0
    total: int = 0
    rate: float | None = None
    preview: tuple[bytes, ...] = ()
    note: str = ""


class Artifact(JobEvent):
    """A result: its bytes, or the name of a blob to fetch. `info` says what it is (seed, size, infotext ...)."""

    type: Literal["artifact"] = "artifact"
    name: str
    media_type: str
    data: bytes = b""
    blob: str = ""
    info: JsonObject = {}


class Finished(JobEvent):
    type: Literal["finished"] = "finished"
    result: JsonObject = {}


class Failed(JobEvent):
    """`message` is the sentence for a person, `path` the field it is about (several joined by commas), `detail` for the curious."""

    type: Literal["failed"] = "failed"
    code: str
    message: str
    path: str = ""
    detail: str = ""


class Cancelled(JobEvent):
    type: Literal["cancelled"] = "cancelled"


AnyCommand = Annotated[Submit | Cancel | Feed | Resume, Field(discriminator="type")]
AnyEvent = Annotated[Hello | Accepted | Progress | Artifact | Finished | Failed | Cancelled, Field(discriminator="type")]
ENDINGS = (Finished, Failed, Cancelled)

COMMANDS: TypeAdapter[Submit | Cancel | Feed | Resume] = TypeAdapter(AnyCommand)
EVENTS: TypeAdapter[Hello | Accepted | Progress | Artifact | Finished | Failed | Cancelled] = TypeAdapter(AnyEvent)
