"""Networks that come and go within a pass: schedules, alternation, networks of one part or of one picture of a batch. Rules: E88, E91, P40-P42.

Rows with other networks are evaluated in groups of their own. Before a group's evaluation its set has its turn: its changed weights, computed once, are laid
into the layers; or, where those of all sets would take too much memory, what the networks do is added to the outputs of the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sfumato.engine.attachments import NetworkCall, Residuals
from sfumato.engine.layouts.original import UNET
from sfumato.engine.networks.hypernetworks import HypernetworkPatch
from sfumato.engine.networks.shares import Acting, Change, Changes, Shares, changes_of
from sfumato.engine.networks.weights import Check, NetworkWeights, PatchedModule

if TYPE_CHECKING:
    from sfumato.engine.denoiser import Row
    from sfumato.engine.family import Model
    from sfumato.engine.networks.delta import Delta
    from sfumato.engine.networks.names import Target

_Added = Mapping[nn.Module, tuple[Change, ...]]


class ChangingNetworks:
    """An `Attachment` for the sets of networks that take turns in a pass.

    Args:
        weights: keeper of the process's weights.
        base: what is merged, a part of every set.
        sets: all that will be asked for.
        check: called before each tensor that is computed; may raise to stop.
    """

    def __init__(self, weights: NetworkWeights, base: Shares, sets: Sequence[Shares], check: Check) -> None:
        self._weights = weights
        self._base = base
        self._sets = tuple(dict.fromkeys(sets))
        self._check = check
        # Per set: what is laid into the layers, and what is added to their outputs.
        self._laid: dict[Shares, Changes] = {}
        self._added: dict[Shares, _Added] = {}
        self._acting: _Added = {}
        self._patched: PatchedModule | None = None

    @contextmanager
    def attached(self, model: Model) -> Iterator[None]:
        """While inside, sets can have their turn in the model's UNet; afterwards its weights and forwards are as found."""
        patched = self._patched = self._weights.of(model.unet)
        try:
            with ExitStack() as stack:
                with torch.inference_mode(False), torch.no_grad():
                    self._divide(model)
                for layer in {layer: None for added in self._added.values() for layer in added}:
                    stack.callback(layer.register_forward_hook(self._add).remove)
                yield
        finally:
            patched.forget_turns()
            self._patched, self._laid, self._added, self._acting = None, {}, {}, {}

    def prepare(self, rows: Sequence[Row], batch: int) -> Shares:
        """The set of these rows, which is the same for all."""
        return rows[0].networks.shares

    @contextmanager
    def around(self, prepared: Shares, call: NetworkCall) -> Iterator[Residuals | None]:
        # Weights stay as they are until another set's turn.
        assert self._patched is not None
        self._patched.turn((self._base, prepared), self._laid[prepared], self._check)
        self._acting = self._added[prepared]
        try:
            yield None
        finally:
            self._acting = {}

    def _divide(self, model: Model) -> None:
        """Decide for each set what is laid and what is added. What stands still is merged; only weights that differ from those are touched."""
        merged = changes_of(self._base, UNET)
        whole = {shares: changes_of(shares, UNET) for shares in self._sets}
        differing = {shares: {target: own for target, own in changes.items() if own != merged.get(target)} for shares, changes in whole.items()}
        sizes = {target: _parameter_bytes(model.unet, target) for changes in differing.values() for target in changes}
        fits = sum(sizes[target] for changes in differing.values() for target in changes) <= self._weights.turns_bytes
        moved: dict[Delta, Delta] = {}
        for shares, changes in differing.items():
            added = {} if fits else {target: more for target, own in changes.items() if (more := _more(model, target, own, merged.get(target, ()), moved))}
            self._laid[shares] = {target: own for target, own in changes.items() if target not in added}
            self._added[shares] = {model.unet.get_submodule(target.module): more for target, more in added.items()}

    def _add(self, layer: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        """A hook behind a layer."""
        for change in self._acting.get(layer, ()):
            added = change.delta.adds(layer, args[0], change.rank)
            assert added is not None  # tried before
            output = torch.add(output, added, alpha=change.factor)
        return output


def _more(model: Model, target: Target, own: Sequence[Change], merged: Sequence[Change], moved: dict[Delta, Delta]) -> tuple[Change, ...] | None:
    """The changes beside those that are merged, made ready to be added to the layer's output; None if one of them cannot be."""
    layer = model.unet.get_submodule(target.module)
    inputs = _trial_inputs(layer)
    if target.parameter != "weight" or inputs is None:
        return None
    more = list(own)
    for change in merged:
        more.remove(change)
    ready = []
    for change in more:
        if change.delta not in moved:
            moved[change.delta] = change.delta.moved(inputs.device, inputs.dtype)
        if moved[change.delta].adds(layer, inputs, change.rank) is None:
            return None
        ready.append(change._replace(delta=moved[change.delta]))
    return tuple(ready)


def _trial_inputs(layer: nn.Module) -> Tensor | None:
    """The least that goes through a layer; None for layers whose outputs nothing is added to."""
    if isinstance(layer, nn.Linear):
        return layer.weight.new_zeros((1, layer.in_features))
    if isinstance(layer, nn.Conv2d):
        return layer.weight.new_zeros((1, layer.in_channels, *layer.kernel_size))
    return None


def _parameter_bytes(unet: nn.Module, target: Target) -> int:
    parameter = getattr(unet.get_submodule(target.module), target.parameter, None)
    return parameter.nbytes if isinstance(parameter, Tensor) else 0


class ActingHypernetworks:
    """An `Attachment` for hypernetworks: those of a row's own set act on it."""

    def __init__(self) -> None:
        self._patch: HypernetworkPatch | None = None

    @contextmanager
    def attached(self, model: Model) -> Iterator[None]:
        with HypernetworkPatch(model.unet) as self._patch:
            try:
                yield
            finally:
                self._patch = None

    def prepare(self, rows: Sequence[Row], batch: int) -> Acting:
        return rows[0].networks

    @contextmanager
    def around(self, prepared: Acting, call: NetworkCall) -> Iterator[Residuals | None]:
        assert self._patch is not None
        self._patch.set(prepared.hypernetworks)
        try:
            yield None
        finally:
            self._patch.set(())
