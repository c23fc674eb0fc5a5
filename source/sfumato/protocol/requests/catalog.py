"""Look again at what this machine has: files come and go while the engine runs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sfumato.protocol.requests import Request, Result


class Catalog(Request):
    """Takes nothing."""


class CatalogResult(Result):
    """`choices`: the lists of models, networks, upscalers and the like, as in the catalog of `Hello`."""

    choices: dict[str, Any] = Field(default_factory=dict[str, Any])
