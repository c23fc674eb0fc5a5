"""Networks that are on the device only while they work: whole, or piece by piece while they are being called.

Weights wait in ordinary memory and keep their values and their objects; what is copied to the device is let go after use, never copied back. So whoever changes
a weight between calls (networks of the prompt) changes the one that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Offload = Literal["none", "components", "blocks", "sequential"]

HOST = torch.device("cpu")
# Pieces of a network are at most this share of it, where it has modules that small.
_BLOCK_SHARE = 1 / 12


def nbytes(network: nn.Module) -> int:
    """What a network's weights take."""
    return sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))


def place_of(network: nn.Module) -> torch.device | None:
    """Where a network's weights are; None if it has none."""
    return next((tensor.device for tensor in (*network.parameters(), *network.buffers())), None)


def bring(network: nn.Module, device: torch.device) -> None:
    """Move a whole network, unless it is there. Where memory runs out, what was moved goes back."""
    before = place_of(network)
    if before is None or before.type == device.type:
        return
    with torch.inference_mode(False):
        try:
            network.to(device)
        except BaseException:
            network.to(before)
            raise


def put(owner: nn.Module, name: str, tensor: Tensor) -> None:
    """Let a weight or a buffer of a module have these numbers, at their place; the object that others may hold stays, where torch can do that."""
    held = owner._parameters.get(name)
    if held is None:
        owner._buffers[name] = tensor
    elif type(held.data) is torch.Tensor and type(tensor) is torch.Tensor:
        held.data = tensor
    else:
        owner._parameters[name] = nn.Parameter(tensor, requires_grad=False)


@dataclass(eq=False)
class _Weight:
    """One weight or buffer of a module and, while it is on the device, what waits for its return."""

    owner: nn.Module
    name: str
    waiting: Tensor | None = None

    @property
    def now(self) -> Tensor:
        held = self.owner._parameters.get(self.name)
        found = self.owner._buffers[self.name] if held is None else held
        assert found is not None
        return found

    def arrive(self, device: torch.device, beside: bool) -> Tensor | None:
        """Go to the device; gives the copy, None if it is there already."""
        if self.waiting is not None or self.now.device.type == device.type:
            return None
        return self._replace(self.now.data.to(device, non_blocking=beside))

    def cast(self, dtype: torch.dtype) -> None:
        """Have other numbers in the meantime: the same in another format."""
        self._replace(self.now.data.to(dtype))

    def _replace(self, copy: Tensor) -> Tensor:
        held = self.now
        # The object itself where it will be replaced, else its numbers.
        self.waiting = held.data if type(copy) is torch.Tensor and type(held.data) is torch.Tensor else held
        put(self.owner, self.name, copy)
        return copy

    def leave(self) -> None:
        waiting, self.waiting = self.waiting, None
        if waiting is None:
            return
        if isinstance(waiting, nn.Parameter):
            self.owner._parameters[self.name] = waiting
        else:
            put(self.owner, self.name, waiting)


def weights_below(module: nn.Module, deep: bool = True) -> list[_Weight]:
    """The weights and buffers of a module, with those of its children if `deep`."""
    found = []
    for owner in module.modules() if deep else [module]:
        found += [_Weight(owner, name) for name, held in (*owner._parameters.items(), *owner._buffers.items()) if held is not None]
    return found


@dataclass(eq=False)
class _Piece:
    """A module that comes and goes as one."""

    module: nn.Module
    weights: list[_Weight]
    copies: list[Tensor] = field(default_factory=list)
    ready: Any = None  # a torch.cuda.Event once its copies are under way beside the work

    @property
    def nbytes(self) -> int:
        return sum(weight.now.nbytes for weight in self.weights)


def _pieces(module: nn.Module, limit: int) -> Iterator[_Piece]:
    """The largest modules of at most `limit` bytes, and every leaf; containers are never called, so their members come each on their own."""
    children = list(module.children())
    is_container = isinstance(module, nn.ModuleList | nn.ModuleDict) or not children
    if (not is_container and nbytes(module) <= limit) or not children:
        weights = weights_below(module)
        if weights:
            yield _Piece(module, weights)
        return
    for child in children:
        yield from _pieces(child, limit)


def largest_piece(network: nn.Module, block_share: float = _BLOCK_SHARE) -> int:
    """Bytes of the largest of a network's pieces."""
    return max((piece.nbytes for piece in _pieces(network, int(nbytes(network) * block_share))), default=0)


class Pieces:
    """A network whose pieces are on the device while they are called. Entered for a job; afterwards all is in ordinary memory, without a hook.

    Args:
        network: in ordinary memory.
        block_share: largest piece as a share of the network; 0 = every module without children by itself.
        beside: copy the next piece while one works, by a stream of its own.
        pinned: keep weights in memory the device can read by itself.
    """

    def __init__(self, network: nn.Module, device: torch.device, block_share: float = _BLOCK_SHARE, beside: bool = False, pinned: bool = False) -> None:
        self._network = network
        self._device = device
        self._pieces = list(_pieces(network, int(nbytes(network) * block_share)))
        own = {id(weight.owner) for piece in self._pieces for weight in piece.weights}
        # What belongs to modules that are not called as one piece stays for the time of the job; it is a few vectors at most.
        self._settled = [weight for weight in weights_below(network) if id(weight.owner) not in own]
        self._beside = beside
        self._stream = torch.cuda.Stream(device) if beside else None
        self._handles: list[RemovableHandle] = []
        self._next: dict[int, _Piece] = {}
        self._last: _Piece | None = None
        if pinned:
            self._pin()

    def install(self) -> None:
        """Let pieces come when they are called."""
        try:
            with torch.inference_mode(False):
                for weight in self._settled:
                    weight.arrive(self._device, beside=False)
            self._handles.append(self._network.register_forward_pre_hook(self._begin))
            self._handles.append(self._network.register_forward_hook(self._end, always_call=True))
            for piece in self._pieces:
                self._handles.append(piece.module.register_forward_pre_hook(self._before(piece)))
                self._handles.append(piece.module.register_forward_hook(self._after(piece), always_call=True))
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Everything back, no hook left."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        with torch.inference_mode(False):
            for piece in self._pieces:
                self._leave(piece)
            for weight in self._settled:
                weight.leave()

    def rest(self) -> None:
        """Take off the device what was brought beforehand."""
        with torch.inference_mode(False):
            for piece in self._pieces:
                self._leave(piece)
        self._last = None

    def _pin(self) -> None:
        # The system may grant less than is free; what is not pinned is copied all the same, only more slowly.
        with torch.inference_mode(False), suppress(RuntimeError):
            for piece in self._pieces:
                for weight in piece.weights:
                    if not weight.now.is_pinned():
                        put(weight.owner, weight.name, weight.now.data.pin_memory())

    def _begin(self, *_: object) -> None:
        # What comes first is not brought when the call before ends: between calls weights may be given other numbers.
        self._last = None

    def _end(self, *_: object) -> None:
        # Nor does anything stay that was brought for a piece which this call then left out.
        self.rest()

    def _before(self, piece: _Piece) -> Callable[..., None]:
        def before(*_: object) -> None:
            with torch.inference_mode(False):
                self._arrive(piece)
                if piece.ready is not None:
                    torch.cuda.current_stream(self._device).wait_event(piece.ready)
                if self._last is not None and self._last is not piece:
                    self._next[id(self._last)] = piece
                self._last = piece
                if self._beside and (following := self._next.get(id(piece))) is not None and following is not piece:
                    self._arrive(following)

        return before

    def _after(self, piece: _Piece) -> Callable[..., None]:
        def after(*_: object) -> None:
            with torch.inference_mode(False):
                self._leave(piece)

        return after

    def _arrive(self, piece: _Piece) -> None:
        if piece.copies:
            return
        with torch.cuda.stream(self._stream) if self._stream is not None else nullcontext():
            for weight in piece.weights:
                copy = weight.arrive(self._device, self._beside)
                if copy is not None:
                    piece.copies.append(copy)
            if self._stream is not None:
                piece.ready = torch.cuda.Event()
                piece.ready.record(self._stream)

    def _leave(self, piece: _Piece) -> None:
        for weight in piece.weights:
            weight.leave()
        if self._stream is not None:
            for copy in piece.copies:
                # Their memory was asked for on the other stream: it may be used again only when the work here is done.
                copy.record_stream(torch.cuda.current_stream(self._device))
        piece.copies.clear()
        piece.ready = None
