"""Self-attention over changed tokens: something is done to them before, and undone behind, while the module between knows nothing of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from sfumato.engine.attachments import NetworkCall, Residuals

if TYPE_CHECKING:
    from sfumato.engine.denoiser import Row
    from sfumato.engine.family import Model

Undo = Callable[[Tensor], Tensor]
_LEVELS = 4


class AroundSelfAttention(ABC):
    """An `Attachment` that stands around every self-attention of a UNet."""

    def __init__(self) -> None:
        self._call: NetworkCall | None = None
        self._undoing: list[tuple[nn.Module, Undo]] = []

    @abstractmethod
    def change(self, hidden: Tensor, grid: tuple[int, int], level: int, call: NetworkCall) -> tuple[Tensor, Undo] | None:
        """Other tokens for these, and the way back for what is answered; None leaves them alone.

        Args:
            hidden: (R, h * w, width), row by row of the grid.
            grid: (h, w).
            level: 0 has a token for each latent pixel, each further one a quarter of that.
        """

    @contextmanager
    def attached(self, model: Model) -> Iterator[None]:
        places = [module for name, module in model.unet.named_modules() if name.endswith(".attn1")]
        handles: list[Any] = []
        for place in places:
            handles += [place.register_forward_pre_hook(self._before, with_kwargs=True), place.register_forward_hook(self._behind)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def prepare(self, rows: Sequence[Row], batch: int) -> None:
        """The rows need nothing made ready."""
        return None  # noqa: RET501  a whole method, not a forgotten one

    @contextmanager
    def around(self, prepared: None, call: NetworkCall) -> Iterator[Residuals | None]:
        self._call = call
        try:
            yield None
        finally:
            self._call = None
            self._undoing.clear()

    def _before(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        call = self._call
        if call is None:
            return None
        hidden = args[0] if args else kwargs["hidden_states"]
        found = _grid(hidden.shape[1], call.latents.shape[-2:])
        changed = self.change(hidden, *found, call) if found else None
        if changed is None:
            return None
        self._undoing.append((module, changed[1]))
        return ((changed[0], *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": changed[0]})

    def _behind(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        if not self._undoing or self._undoing[-1][0] is not module:
            return None
        return self._undoing.pop()[1](output)


def _grid(tokens: int, latent: Sequence[int]) -> tuple[tuple[int, int], int] | None:
    """The grid (h, w) of so many tokens, and its level; halves are rounded up, as the networks do it."""
    height, width = latent
    for level in range(_LEVELS):
        if height * width == tokens:
            return (height, width), level
        height, width = (height + 1) // 2, (width + 1) // 2
    return None
