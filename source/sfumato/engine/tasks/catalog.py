"""The job that looks through the models folders again; only what is new is opened, and no weights are read (D122)."""

from __future__ import annotations

from sfumato.engine.catalog import describe
from sfumato.jobs.context import JobContext
from sfumato.protocol.requests.catalog import Catalog, CatalogResult


def run(request: Catalog, context: JobContext) -> CatalogResult:
    """The choice lists as they are now; files whose turn did not come are listed by name, and get theirs at the next look."""
    del request
    context.progress("look", 0, 1)
    choices = describe(context.places)["choices"]
    context.progress("look", 1, 1)
    return CatalogResult(choices=choices)
