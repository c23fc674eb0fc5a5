"""The job that empties everything the engine keeps between jobs; the next one reads its files anew (E112)."""

from __future__ import annotations

from sfumato.engine.memory import Loaded
from sfumato.jobs.context import JobContext
from sfumato.protocol.requests.clear_cache import ClearCache, ClearCacheResult


def run(request: ClearCache, context: JobContext) -> ClearCacheResult:
    """Let go of all that is shared between jobs and can be emptied; networks merged into weights give these back before the models go."""
    loaded = context.shared(Loaded)
    holders = [holder for holder in context.holders() if holder is not loaded]
    freed = sum(holder.nbytes for holder in (*holders, loaded, loaded.inputs, loaded.encodings))
    context.progress("clear", 0, 1)
    for holder in (*holders, loaded):
        holder.clear()
    context.progress("clear", 1, 1)
    return ClearCacheResult(freed_bytes=freed)
