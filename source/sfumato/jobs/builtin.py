"""The job kinds that come with the program, registered by the same call a plugin uses."""

from __future__ import annotations

from sfumato.jobs.registry import JobKind, Registry
from sfumato.protocol.requests.annotate import Annotate, AnnotateResult
from sfumato.protocol.requests.catalog import Catalog, CatalogResult
from sfumato.protocol.requests.clear_cache import ClearCache, ClearCacheResult
from sfumato.protocol.requests.convert import Convert, ConvertResult
from sfumato.protocol.requests.download import Download
from sfumato.protocol.requests.fetch import Fetch, FetchResult
from sfumato.protocol.requests.fetch_model import FetchedModel, FetchModel
from sfumato.protocol.requests.generate import Generate, GenerateResult
from sfumato.protocol.requests.upload import Stored, Upload
from sfumato.protocol.requests.upscale import Upscale, UpscaleResult

REGISTRAR = "sfumato.jobs.builtin:register"


def register(registry: Registry) -> None:
    registry.add(JobKind("generate", "Generate", Generate, GenerateResult, "sfumato.engine.tasks.generate:run", writes=False))
    registry.add(JobKind("upscale", "Upscale", Upscale, UpscaleResult, "sfumato.engine.tasks.upscale:run", writes=False))
    registry.add(JobKind("annotate", "Annotate", Annotate, AnnotateResult, "sfumato.engine.tasks.annotate:run", writes=False))
    registry.add(JobKind("convert", "Convert", Convert, ConvertResult, "sfumato.engine.tasks.convert:run"))
    # No file is written, but what is let go of was kept for everybody: a guest could make each job of the owner load its model anew.
    registry.add(JobKind("clear_cache", "Clear cache", ClearCache, ClearCacheResult, "sfumato.engine.tasks.clear_cache:run"))
    registry.add(JobKind("catalog", "Look for models", Catalog, CatalogResult, "sfumato.engine.tasks.catalog:run", writes=False))
    registry.add(JobKind("fetch", "Fetch a result", Fetch, FetchResult, "sfumato.jobs.fetching:run", writes=False, lane="journal"))
    registry.add(JobKind("upload", "Upload", Upload, Stored, "sfumato.library.transfers.upload:run", lane="transfer"))
    registry.add(JobKind("download", "Download", Download, Stored, "sfumato.library.transfers.download:run", lane="transfer"))
    registry.add(JobKind("fetch_model", "Fetch model", FetchModel, FetchedModel, "sfumato.library.transfers.fetch_model:run", lane="transfer"))
    registry.add_catalog("sfumato.engine.catalog:describe")
