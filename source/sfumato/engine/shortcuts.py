"""Shortcuts: less work for nearly the same picture, each off unless the request asks for it (E114). A new one is a row of `_SHORTCUTS`."""

from __future__ import annotations

from collections.abc import Callable

from sfumato.engine.attachments import Attachment
from sfumato.engine.family import Model
from sfumato.engine.patches.deepcache import DeepCache
from sfumato.engine.patches.hypertile import HyperTile
from sfumato.engine.patches.token_merging import TokenMerging
from sfumato.protocol.requests.generate import Generate


def _deepcache(request: Generate, model: Model) -> Attachment | None:
    if request.deepcache < 2:
        return None
    return DeepCache(request.deepcache, request.deepcache_start, request.deepcache_end)


def _token_merging(request: Generate, model: Model) -> Attachment | None:
    return TokenMerging(request.token_merging) if request.token_merging else None


def _hypertile(request: Generate, model: Model) -> Attachment | None:
    return HyperTile(max(1, request.hypertile // model.latent.factor)) if request.hypertile else None


_SHORTCUTS: tuple[Callable[[Generate, Model], Attachment | None], ...] = (_deepcache, _token_merging, _hypertile)


def shortcuts_of(request: Generate, model: Model) -> tuple[Attachment, ...]:
    """The shortcuts a request asks for, made anew for each pass of a model."""
    return tuple(made for row in _SHORTCUTS if (made := row(request, model)) is not None)
