"""DeepCache (Ma et al. 2023): between full evaluations only the first level down and the last level up are computed, on the deeper features of the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

from sfumato.engine.attachments import NetworkCall, Residuals

if TYPE_CHECKING:
    from sfumato.engine.denoiser import Row
    from sfumato.engine.family import Model


@dataclass(eq=False)
class _Features:
    """What each deep block gave, and at which call."""

    call: int = 0
    given: dict[nn.Module, Any] = field(default_factory=dict)


class DeepCache:
    """An `Attachment`.

    Args:
        interval: features serve so many calls, the one that computed them included.
        start, end: shares of the pass between which others are not.
    """

    def __init__(self, interval: int, start: float = 0.0, end: float = 1.0) -> None:
        self._interval = interval
        self._start = start
        self._end = end
        # Of the rows at hand; None outside of an evaluation.
        self._deep: _Features | None = None
        self._is_reusing = False

    @contextmanager
    def attached(self, model: Model) -> Iterator[None]:
        unet = model.unet
        deep = [*unet.down_blocks[1:], *([unet.mid_block] if unet.mid_block is not None else []), *unet.up_blocks[:-1]]
        before = {block: block.__dict__.get("forward") for block in deep}
        for block in deep:
            block.forward = self._standing_for(block, block.forward)
        try:
            yield
        finally:
            for block, own in before.items():
                if own is None:
                    del block.forward
                else:
                    block.forward = own

    def prepare(self, rows: Sequence[Row], batch: int) -> _Features:
        """Features of these rows, none yet."""
        return _Features()

    @contextmanager
    def around(self, prepared: _Features, call: NetworkCall) -> Iterator[Residuals | None]:
        moment = call.moment
        is_fresh = bool(prepared.given) and moment.call - prepared.call < self._interval
        self._deep, self._is_reusing = prepared, is_fresh and self._start <= moment.share <= self._end
        if not self._is_reusing:
            prepared.call = moment.call
            prepared.given.clear()
        try:
            yield None
        except BaseException:
            if not self._is_reusing:
                # Of half an evaluation: the call may begin anew, in less memory.
                prepared.given.clear()
            raise
        finally:
            self._deep, self._is_reusing = None, False

    def _standing_for(self, block: nn.Module, original: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*args: Any, **kwargs: Any) -> Any:
            if self._deep is None:
                return original(*args, **kwargs)
            if not self._is_reusing:
                self._deep.given[block] = original(*args, **kwargs)
            return self._deep.given[block]

        return forward
