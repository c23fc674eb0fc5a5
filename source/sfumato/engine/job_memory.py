"""The memory of one job: its networks kept where they fit, its work tried again in less when memory runs out, and what it learned kept for the next."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from sfumato.engine.budget import Budget, Size, shape_key
from sfumato.engine.device import Device, free_caches
from sfumato.engine.family import Model
from sfumato.engine.host_memory import free_host_bytes
from sfumato.engine.kept_parts import KeptTensors
from sfumato.engine.ladder import RUNGS, Measures, is_out_of_memory
from sfumato.engine.offload import HOST, Offload, Pieces, bring, nbytes, place_of
from sfumato.engine.vae_tiling import TILE_PX
from sfumato.engine.workplace import Stage, Work, Workplace
from sfumato.protocol.errors import OutOfMemory

if TYPE_CHECKING:
    from sfumato.engine.plan import Plan

T = TypeVar("T")

# From tightest to loosest demands on the device.
_ORDER: tuple[Offload, ...] = ("none", "components", "blocks", "sequential")
_PIECEWISE: tuple[Offload, ...] = ("blocks", "sequential")
# Pinned copies are made where the machine has so many times their size left.
_PIN_ROOM = 3


@dataclass
class Learned:
    """What jobs of this process found out; `context.shared` keeps it in `Loaded`.

    Attributes:
        measures: shape of a job -> what it needed, and the bytes that were free then.
        formats: VAE's file and format -> the wider format its numbers need.
    """

    budget: Budget = field(default_factory=Budget)
    measures: dict[Hashable, tuple[Measures, int]] = field(default_factory=dict)
    formats: dict[Hashable, torch.dtype] = field(default_factory=dict)

    def clear(self) -> None:
        self.budget.measured.clear()
        self.measures.clear()
        self.formats.clear()


@dataclass(frozen=True)
class Wishes:
    """What a request says of memory; names are those of the request."""

    offload: str = "auto"
    vae_tiling: str = "auto"
    memory_limit: float = 0.0
    deterministic: bool = False

    @property
    def limit_bytes(self) -> int:
        return int(self.memory_limit * 2**30)


class JobMemory(Workplace):
    """One job's. Closed when it ends, whatever happens.

    Args:
        note: tells the user a sentence.
        check: raises `Stopped` on cancel.
        let_others_go: empties caches and lets go of models that are not the job's.
    """

    def __init__(
        self,
        device: Device,
        wishes: Wishes,
        learned: Learned,
        inputs: KeptTensors,
        note: Callable[[str], None],
        check: Callable[[], None],
        let_others_go: Callable[[], None],
    ) -> None:
        self.device = device
        self.climbed: list[str] = []
        self._wishes = wishes
        self._learned = learned
        self._inputs = inputs
        self._note = note
        self._check = check
        self._let_others_go = let_others_go
        wanted = wishes.offload if wishes.offload in _ORDER and not device.kind.is_host else "none"
        self._measures = Measures(offload=wanted)  # type: ignore[arg-type]  looked up above
        self._models: tuple[Model, ...] = ()
        self._size: Size = (0, 0)
        self._seen: Size = (0, 0)
        self._shape: Hashable = None
        self._pieces: dict[int, Pieces] = {}
        self._in_use: list[nn.Module] = []
        self._known: dict[int, nn.Module] = {}
        self._evaluated = (0, 1)

    # -- the plan ----------------------------------------------------------------------------------

    @property
    def measures(self) -> Measures:
        return self._measures

    @property
    def loads_to_host(self) -> bool:
        """Whether networks are read into ordinary memory, from where they are brought when they are needed."""
        return self._measures.offload != "none"

    def expect(self, models: Sequence[Model], size: Size, rows: int, seen: Size | None = None) -> None:
        """Choose how to keep the networks of a job.

        Args:
            size: of the largest pass, in pixels.
            rows: that the network will evaluate together.
            seen: how much of a picture the network sees at once, where that is not all.
        """
        self._models, self._size, self._seen = tuple(models), size, seen or size
        self._known |= {id(network): network for model in models for network in networks_of(model)}
        self._shape = (tuple(model.checkpoint.identity for model in models), self.device, size, self._seen, rows, self._wishes)
        free = self._free()
        known = self._learned.measures.get(self._shape)
        if known is not None and free <= known[1] * 1.1:
            self._measures = known[0]
        elif self._wishes.offload == "auto" and not self.device.kind.is_host:
            way = self._fitting(rows, free)
            if way != "none" and self.let_go():
                way = self._fitting(rows, self._free())
            self.keep(way)

    def _fitting(self, rows: int, free: int) -> Offload:
        ways: list[Offload] = [self._learned.budget.needs(model, self._seen, rows).fitting(free) for model in self._models]
        return max(ways, key=_ORDER.index)

    def _free(self) -> int:
        """What the job's networks and its work may take together."""
        held = sum(nbytes(network) for network in self._known.values() if self._is_here(network))
        return self._learned.budget.free_bytes(self.device, self._wishes.limit_bytes) + (0 if self.device.kind.is_host else held)

    # -- Workplace ---------------------------------------------------------------------------------

    @property
    def rows_at_once(self) -> int:  # type: ignore[override]  read only here
        return self._measures.rows

    @property
    def is_settled(self) -> bool:  # type: ignore[override]  read only here
        return self._measures.offload == "none"

    def check(self) -> None:
        self._check()

    def attempt(self, stage: Stage, act: Callable[[], T], rows: int = 0, batch: int = 1) -> T:
        """Raises `OutOfMemory` when no rung is left."""
        if rows:
            self._evaluated = rows, batch
        spent: set[str] = set()
        while True:
            try:
                return act()
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                trouble = str(error)
            # Out here: the failed call's frames are gone, and what they held.
            self._rest()
            rung = next((rung for rung in RUNGS if rung.name not in spent and rung.helps(stage) and rung.climb(self)), None)
            if rung is None:
                raise self.exhausted(trouble)
            if rung.is_once:
                spent.add(rung.name)
            self.climbed.append(rung.name)
            self._note(rung.note)
            self._remember()

    @contextmanager
    def using(self, network: nn.Module, work: Work | None = None) -> Iterator[None]:
        self._known.setdefault(id(network), network)
        self._in_use.append(network)
        try:
            self._make_ready(network)
            with self._measured(network, work):
                yield
        finally:
            self._in_use.pop()

    @contextmanager
    def _measured(self, network: nn.Module, work: Work | None) -> Iterator[None]:
        """Keep what a network took beside its weights, which are all on the device; where the device tells."""
        kind, measured = self.device.kind, self._learned.budget.measured
        model = next((model for model in self._models if network in (model.unet, model.vae)), None)
        if work is None or model is None or id(network) in self._pieces or (key := shape_key(model, work)) in measured:
            yield
            return
        if kind.begin_peak is None or kind.peak_bytes is None or kind.used_bytes is None:
            yield
            return
        kind.begin_peak()
        before = kind.used_bytes()
        yield
        measured[key] = kind.peak_bytes() - before

    def tile_px(self, size: Size, is_decoding: bool) -> int:
        wanted = self._wishes.vae_tiling
        side = self._measures.tile_px or (TILE_PX if wanted == "on" else 0)
        if not side and wanted == "auto" and self._models:
            needed = self._learned.budget.work(self._models[0], Work("decode" if is_decoding else "encode", size))
            # Where networks come piece by piece memory is dear: a whole picture would undo what that saves.
            side = TILE_PX if self._measures.offload in _PIECEWISE or needed > self._free_now() else 0
        return side if side and max(size) > side else 0

    def wider(self, vae: nn.Module) -> torch.dtype | None:
        # Bits of a deterministic job must not tell what earlier jobs met.
        return None if self._wishes.deterministic else self._learned.formats.get(self._format_key(vae))

    def found_wider(self, vae: nn.Module, dtype: torch.dtype) -> None:
        self._learned.formats[self._format_key(vae)] = dtype

    def encoded(self, key: Hashable, make: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        return self._inputs.get((key, self._wishes.deterministic), make)

    # -- rungs -------------------------------------------------------------------------------------

    def let_go(self) -> bool:
        """Empty caches and let go of what is not this job's."""
        self._let_others_go()
        gc.collect()
        free_caches(self.device.torch)
        return True

    def tile(self, side_px: int) -> bool:
        if self._wishes.vae_tiling == "off" or max(self._size) <= side_px or 0 < self._measures.tile_px <= side_px:
            return False
        self._measures = replace(self._measures, tile_px=side_px)
        return True

    def separate(self) -> bool:
        rows, batch = self._evaluated
        now = self._measures.rows or rows
        if now <= batch or rows <= batch:
            return False
        self._measures = replace(self._measures, rows=batch)
        return True

    def halve(self) -> bool:
        now = self._measures.rows or self._evaluated[0]
        if now <= 1:
            return False
        self._measures = replace(self._measures, rows=now // 2)
        return True

    def keep(self, way: Offload) -> bool:
        """Keep networks so from now on; False where they are kept so already, or more tightly, or where it gains nothing."""
        if self.device.kind.is_host or _ORDER.index(way) <= _ORDER.index(self._measures.offload):
            return False
        self._measures = replace(self._measures, offload=way)
        self._unpack()
        for network in self._known.values():
            bring(network, HOST)
        free_caches(self.device.torch)
        return True

    def exhausted(self, trouble: str) -> OutOfMemory:
        """The error when nothing is left to do, with what would fit."""
        free = self._free()
        what = f"{self._size[0]}x{self._size[1]}" if all(self._size) else "this model"
        needed, fits = 0, None
        if self._models and all(self._size):
            budget = self._learned.budget
            needed = max(budget.needs(model, self._seen, 1).least for model in self._models)
            fits = budget.fitting_size(self._models[0], self._size, min(free, int(needed * 0.9)))
        return OutOfMemory(what, needed_bytes=needed, free_bytes=free, would_fit=fits, memory=self.device.kind.memory, detail=trouble)

    # -- end ---------------------------------------------------------------------------------------

    def close(self) -> None:
        """Every network without hooks, its weights whole; they stay where they are for the next job."""
        self._unpack()
        self._in_use.clear()

    # -- inside ------------------------------------------------------------------------------------

    def _is_here(self, network: nn.Module) -> bool:
        place = place_of(network)
        return place is not None and place.type == self.device.torch.type

    def _free_now(self) -> int:
        return self._learned.budget.free_bytes(self.device, self._wishes.limit_bytes)

    def _make_ready(self, network: nn.Module) -> None:
        if self.device.kind.is_host:
            return
        way = self._measures.offload
        if way != "none":
            for other in self._known.values():
                if all(other is not used for used in self._in_use):
                    if id(other) in self._pieces:
                        self._pieces[id(other)].rest()
                    else:
                        bring(other, HOST)
        if way in ("none", "components") or (way == "blocks" and self._is_text(network)):
            bring(network, self.device.torch)
        elif id(network) not in self._pieces:
            bring(network, HOST)
            self._pieces[id(network)] = self._installed(network, way)

    def _installed(self, network: nn.Module, way: Offload) -> Pieces:
        beside = way == "blocks" and self.device.kind.copies_beside
        pinned = beside and free_host_bytes() > _PIN_ROOM * nbytes(network)
        share = {} if way == "blocks" else {"block_share": 0.0}
        pieces = Pieces(network, self.device.torch, **share, beside=beside, pinned=pinned)
        pieces.install()
        return pieces

    def _is_text(self, network: nn.Module) -> bool:
        return any(encoder.tower is network for model in self._models for encoder in model.encoders)

    def _rest(self) -> None:
        for pieces in self._pieces.values():
            pieces.rest()

    def _unpack(self) -> None:
        for pieces in self._pieces.values():
            pieces.remove()
        self._pieces.clear()

    def _remember(self) -> None:
        if self._shape is not None:
            self._learned.measures[self._shape] = self._measures, self._free()

    def _format_key(self, vae: nn.Module) -> Hashable:
        for model in self._models:
            if model.vae is vae:
                files = {str(stored.file) for stored in model.checkpoint.parts["vae"].values()}
                return tuple(entry for entry in model.checkpoint.identity if entry[0] in files), next(vae.parameters()).dtype
        return id(vae)


def networks_of(model: Model) -> tuple[nn.Module, ...]:
    """All that is called of a model."""
    return (model.unet, model.vae, *(encoder.tower for encoder in model.encoders))


def largest_size(plan: Plan) -> Size:
    """Of all passes of a job, in pixels."""
    return _largest([each.size for each in plan.passes] or [(plan.width, plan.height)])


def largest_seen(plan: Plan) -> Size:
    """The most that a network sees at once: of passes in tiles no more than the VAE, which has tiles of its own."""
    return _largest([(max(each.seen[0], min(each.size[0], TILE_PX)), max(each.seen[1], min(each.size[1], TILE_PX))) for each in plan.passes])


def _largest(sizes: Sequence[Size]) -> Size:
    return max(sizes, key=lambda size: size[0] * size[1])
