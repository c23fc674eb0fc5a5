"""The documents of a relay's connection beside commands and events: who comes, who is welcome, how the engine is.

A client's first document is `Enter`; the server's first is `Welcome` or `TurnedAway`. After that commands go one way, events and `EngineIs` the other.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import bson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sfumato.protocol.codec import document_of
from sfumato.protocol.errors import BadFrame
from sfumato.protocol.messages import PROTOCOLS, JobId

SessionKey = Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")]
Delivery = Literal["inline", "on_demand"]


class RelayWord(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Enter(RelayWord):
    """`session` is the key of an earlier connection that was lost, "" for a new one; `label` is how the client wants to be listed."""

    type: Literal["enter"] = "enter"
    protocols: tuple[int, int] = PROTOCOLS
    session: SessionKey = ""
    artifacts: Delivery = "inline"
    label: Annotated[str, Field(max_length=80)] = ""


ATTACH_BYTES = 1 << 20


class Attach(RelayWord):
    """The next part of an input, `name`, of a job that will be submitted over this connection (see `attached.py`)."""

    type: Literal["attach"] = "attach"
    job: JobId
    name: Annotated[str, Field(max_length=200)]
    data: Annotated[bytes, Field(max_length=ATTACH_BYTES)] = b""


class Welcome(RelayWord):
    """`continues`: the session was known and its jobs can be resumed. `limits` are told in seconds and bytes (`session_s`, `upload_bytes` ...)."""

    type: Literal["welcome"] = "welcome"
    protocol: int
    protocols: tuple[int, int] = PROTOCOLS
    session: SessionKey
    continues: bool = False
    role: str = "owner"
    monitored: bool = False
    limits: dict[str, Any] = {}


class TurnedAway(RelayWord):
    """An authenticated client that cannot be served, and why in one sentence; the connection closes."""

    type: Literal["turned_away"] = "turned_away"
    code: str
    message: str


class EngineIs(RelayWord):
    """The engine's state behind the relay, as a `State` says it; `Hello` follows when it is ready."""

    type: Literal["engine_is"] = "engine_is"
    name: str
    sentence: str = ""


FROM_CLIENT: TypeAdapter[Enter] = TypeAdapter(Enter)
FROM_SERVER: TypeAdapter[Welcome | TurnedAway | EngineIs] = TypeAdapter(Annotated[Welcome | TurnedAway | EngineIs, Field(discriminator="type")])


def encode_word(word: RelayWord) -> bytes:
    """The BSON document of `word`."""
    return bson.encode(word.model_dump(mode="python"))


def read_enter(document: bytes, limit_bytes: int) -> Enter:
    """A client's first document; raises `BadFrame`."""
    try:
        return FROM_CLIENT.validate_python(document_of(document, limit_bytes))
    except ValidationError as error:
        raise BadFrame("it is not the word of a client that enters") from error


# How the document of an `Attach` begins: its type stands first.
_ATTACH = b"\x02type\x00\x07\x00\x00\x00attach\x00"


def read_attach(document: bytes) -> Attach | None:
    """A part of an input, or None if the document is something else; raises `BadFrame`."""
    if document[4 : 4 + len(_ATTACH)] != _ATTACH:
        return None
    try:
        return Attach.model_validate(document_of(document, 2 * ATTACH_BYTES))
    except ValidationError as error:
        raise BadFrame("it is not a part of an input") from error
