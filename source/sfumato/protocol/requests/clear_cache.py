"""Give back the memory that the engine keeps only to be quicker."""

from __future__ import annotations

from sfumato.protocol.requests import Request, Result


class ClearCache(Request):
    """Takes nothing: all loaded models, encoded texts and pictures, network files, control models and upscalers are let go."""


class ClearCacheResult(Result):
    """`freed_bytes`: what all of it took, on the device and in ordinary memory."""

    freed_bytes: int = 0
