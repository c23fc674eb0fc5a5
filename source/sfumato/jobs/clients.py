"""Who asks: the owner of a machine or a guest, and what each may run. One table for every way in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["owner", "guest"]


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


# The only client of an endpoint that nobody shares.
LOCAL = Client("local", "local")
