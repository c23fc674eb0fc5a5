"""One module per job kind: its request and its result. `Request` is what they share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """A validated, frozen job description; everything that matters for the result is in it, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Result(BaseModel):
    """What a finished job reports besides its artifacts; unknown fields of newer versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class JobWarning(BaseModel):
    """Something the person should know although the job went on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: str
    message: str
    path: str = ""
