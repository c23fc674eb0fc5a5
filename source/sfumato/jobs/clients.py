"""Who asks: the owner of a machine or a guest, and what each may run. One table for every way in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sfumato.jobs.registry import JobKind

Role = Literal["owner", "guest"]
# A guest's jobs never go before an owner's of the usual priority.
GUEST_PRIORITY = 0


@dataclass(frozen=True)
class Client:
    """One that sends commands and hears events.

    Attributes:
        name: of this client alone; jobs of different names take turns.
        identity: whose jobs they are: clients of one identity may go on with each other's.
        role: what they may run.
    """

    name: str
    identity: str
    role: Role = "owner"


@dataclass(frozen=True)
class JobCounts:
    """How many jobs a client has."""

    waiting: int = 0
    running: int = 0


# The only client of an endpoint that nobody shares.
LOCAL = Client("local", "local")


def may_run(client: Client, kind: JobKind) -> bool:
    """Whether `client`'s role allows `kind`: a guest runs nothing that writes, or does not say whether it does."""
    return client.role == "owner" or not kind.writes


def priority_of(client: Client, asked: int) -> int:
    """The priority that `client` gets when it asks for `asked`."""
    return asked if client.role == "owner" else min(asked, GUEST_PRIORITY)
