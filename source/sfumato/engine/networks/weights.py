"""Networks in the weights of loaded models: merged for as long as jobs ask for the same, or taking turns from one call to the next. Rules: E88, E105, R132.

A weight becomes W + sum of factor * dW(W), summed in float32 from the original W whatever else is merged, and rounded once. No file is read to change a
strength, and the originals are always kept: taking a network out is putting bits back.

In ordinary memory a layer is given another tensor for its changed weight, and its own one back when the job ends; what was computed is kept for the next job.
On a graphics card, where memory is dear and recorded graphs know their tensors by address, merged weights are written into the layers' own tensors while
the originals wait in ordinary memory, until another set is asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn

from sfumato.engine.networks.shares import NO_SHARES, Change, Changes, Shares, changes_of
from sfumato.engine.offload import put

if TYPE_CHECKING:
    from sfumato.engine.networks.names import Target

Check = Callable[[], None]

# Changed weights kept for sets that take turns within a pass; beyond it they are computed again when their turn comes.
TURNS_BYTES = 2 << 30
# Number formats that a sum can be rounded to; weights in smaller ones are changed by what their layers put out.
MERGEABLE = frozenset({torch.float32, torch.float16, torch.bfloat16})


class NetworkWeights:
    """The patched modules of a process, each with what it was; entries go with their modules.

    Args:
        turns_bytes: see `TURNS_BYTES`.
    """

    def __init__(self, turns_bytes: int = TURNS_BYTES) -> None:
        self.turns_bytes = turns_bytes
        self._patched: WeakKeyDictionary[nn.Module, PatchedModule] = WeakKeyDictionary()

    def of(self, module: nn.Module) -> PatchedModule:
        """The keeper of a module's weights, always the same one."""
        found = self._patched.get(module)
        if found is None:
            found = self._patched[module] = PatchedModule(module, self.turns_bytes)
        return found

    def rest(self) -> None:
        """At the end of a job: layers get their own tensors back; what was merged into these stays for the next job."""
        for held in self._patched.values():
            held.rest()

    def restore(self, modules: Iterable[nn.Module] | None = None) -> None:
        """Give modules (None: all) their own weights back, and let go of everything kept for them."""
        for module in list(self._patched) if modules is None else modules:
            if (held := self._patched.get(module)) is not None:
                held.restore()

    def clear(self) -> None:
        """Let go of what only saves time; modules in use keep what is merged into them. May be called in the middle of a job."""
        for held in list(self._patched.values()):
            held.clear()

    @property
    def nbytes(self) -> int:
        """What is kept beside the weights in use."""
        return sum(held.nbytes for held in self._patched.values())


class PatchedModule:
    """One module (UNet or text tower) and what networks do to its weights.

    Attributes:
        merged: the set that was merged last.
    """

    def __init__(self, module: nn.Module, turns_bytes: int = TURNS_BYTES) -> None:
        self.merged: Shares = NO_SHARES
        self._module = ref(module)
        self._layers: dict[str, nn.Module] = {}
        self._turns_bytes = turns_bytes
        # Of what is merged: originals of weights that were written into, or tensors that stand in for weights.
        self._originals: dict[Target, Tensor] = {}
        self._merged_tensors: dict[Target, Tensor] = {}
        # Of sets that take turns.
        self._turns: OrderedDict[Hashable, dict[Target, Tensor]] = OrderedDict()
        # The layers' own tensors, of those that were given another one, and that one.
        self._own: dict[Target, Tensor] = {}
        self._laid: dict[Target, Tensor] = {}
        self._is_used = False

    @property
    def nbytes(self) -> int:
        kept = (*self._originals.values(), *self._merged_tensors.values(), *(tensor for turn in self._turns.values() for tensor in turn.values()))
        return sum(tensor.nbytes for tensor in kept)

    def merge(self, shares: Shares, part: str, check: Check) -> None:
        """Bring the weights to exactly these networks; little is done if they were merged last.

        Args:
            part: of the model that the module is.
            check: called before each tensor; what it raises leaves the module with its own weights.
        """
        if shares == self.merged and self._is_used and not self._turns:
            return
        self.rest()
        if shares != self.merged or self._has_moved():
            self.forget_turns()
            wanted = changes_of(shares, part)
            try:
                if self._is_in_place():
                    self._merged_tensors = {}
                    self._write(wanted, check)
                else:
                    # Those of the set before are written over: memory that was never used is slow to come by.
                    before = self._merged_tensors
                    self.restore()
                    self._merged_tensors = self._computed(wanted, check, before)
            except BaseException:
                self.restore()
                raise
            self.merged = shares
        self._lay(self._merged_tensors)
        self._is_used = True

    def rest(self) -> None:
        """Give the layers their own tensors back; what was merged into these stays."""
        self._lay({})
        self._is_used = False

    def clear(self) -> None:
        """Let go of what can be computed again."""
        if not self._is_used:
            self.restore()
        for key in [key for key, turn in self._turns.items() if not any(self._laid.get(target) is tensor for target, tensor in turn.items())]:
            del self._turns[key]

    def restore(self) -> None:
        """Give the module its own weights back, bit for bit, and let go of everything kept."""
        self.forget_turns()
        self.rest()
        with _plainly():
            for target, original in self._originals.items():
                if (parameter := self._parameter(target)) is not None:
                    parameter.copy_(original)
        self._originals, self._merged_tensors, self.merged = {}, {}, NO_SHARES

    # -- taking turns ------------------------------------------------------------------------------

    def turn(self, key: Hashable, changes: Changes, check: Check) -> None:
        """Let a set of networks have its turn, until the next `turn`, `end_turns`, `merge` or `rest`.

        Args:
            key: equal keys are equal changes, as long as nothing else is merged.
            changes: of the weights that differ from the merged ones, by all networks that are to act on them.
            check: called before each tensor that must be computed; what it raises leaves the layers as they are.
        """
        if key not in self._turns:
            self._turns[key] = self._computed(changes, check)
        self._turns.move_to_end(key)
        while len(self._turns) > 1 and sum(tensor.nbytes for held in self._turns.values() for tensor in held.values()) > self._turns_bytes:
            self._turns.popitem(last=False)
        self._lay({**self._merged_tensors, **self._turns[key]})

    def forget_turns(self) -> None:
        """Back to what is merged; what was computed for turns is let go."""
        if self._turns:
            self._lay(self._merged_tensors)
            self._turns.clear()

    # -- tensors -----------------------------------------------------------------------------------

    def _is_in_place(self) -> bool:
        module = self._module()
        return module is not None and next(module.parameters()).device.type != "cpu"

    def _has_moved(self) -> bool:
        """Whether the module is elsewhere than when tensors were made to stand in for its weights."""
        return any((parameter := self._parameter(target)) is None or parameter.device != tensor.device for target, tensor in self._merged_tensors.items())

    def _parameter(self, target: Target) -> nn.Parameter | None:
        """None where the module has no such layer, or its layer no such parameter, or one that sums cannot be rounded to."""
        if not self._layers and (module := self._module()) is not None:
            self._layers = dict(module.named_modules())
            del self._layers[""]  # which would keep itself alive
        layer = self._layers.get(target.module)
        parameter = None if layer is None else layer._parameters.get(target.parameter)
        return parameter if parameter is not None and parameter.dtype in MERGEABLE else None

    def _original(self, target: Target, parameter: nn.Parameter) -> Tensor:
        """A weight as it is without any network."""
        if target in self._originals:
            return self._originals[target]
        return self._own[target] if target in self._own else parameter.detach()

    def _computed(self, changes: Changes, check: Check, free: Mapping[Target, Tensor] = MappingProxyType({})) -> dict[Target, Tensor]:
        """Changed weights, beside the originals; `free` are tensors that may be written over."""
        found: dict[Target, Tensor] = {}
        with _plainly():
            for target, own in changes.items():
                check()
                if (parameter := self._parameter(target)) is not None:
                    original, into = self._original(target, parameter).to(parameter.device), free.get(target)
                    is_fit = into is not None and (into.device, into.dtype, into.stride()) == (original.device, torch.float32, original.stride())
                    weight = changed(original, own, into if is_fit else None)
                    # Laid out as the layer's own tensor is.
                    found[target] = weight.to(original.dtype) if weight.stride() == original.stride() else torch.empty_like(original).copy_(weight)
        return found

    def _write(self, wanted: Changes, check: Check) -> None:
        """Into the layers' own tensors; each original is kept before anything is written over it."""
        with _plainly():
            for target in [*wanted, *(target for target in self._originals if target not in wanted)]:
                check()
                parameter = self._parameter(target)
                if parameter is None:
                    continue
                if target not in self._originals:
                    self._originals[target] = parameter.detach().to("cpu", copy=True)
                original = self._originals[target].to(parameter.device)
                parameter.copy_(changed(original, wanted[target]) if target in wanted else original)
        self._originals = {target: original for target, original in self._originals.items() if target in wanted}

    def _lay(self, tensors: dict[Target, Tensor]) -> None:
        """Let layers hold these tensors, and all others their own."""
        for target in [target for target in self._own if target not in tensors]:
            self._put(target, self._own.pop(target))
            self._laid.pop(target, None)
        for target, tensor in tensors.items():
            if self._laid.get(target) is tensor or (parameter := self._parameter(target)) is None:
                continue
            self._own.setdefault(target, parameter.data)
            self._put(target, tensor)
            self._laid[target] = tensor

    def _put(self, target: Target, tensor: Tensor) -> None:
        """Wherever the module is by now: it may have been taken elsewhere, and what was laid into it with it."""
        parameter = self._parameter(target)
        if parameter is not None:
            with _plainly():
                put(self._layers[target.module], target.parameter, tensor.to(parameter.device))


@contextmanager
def _plainly() -> Iterator[None]:
    """Without gradients, and not in inference mode, whose tensors could not become a parameter's."""
    with torch.inference_mode(False), torch.no_grad():
        yield


def changed(original: Tensor, changes: Sequence[Change], into: Tensor | None = None) -> Tensor:
    """A weight with all changes (at least one) added, float32; in `into`, or a new tensor."""
    total = weight = original.float()
    for number, change in enumerate(changes, 1):
        total = change.delta.added(total, weight, change.factor, change.rank, into if number == len(changes) else None)
    return total
