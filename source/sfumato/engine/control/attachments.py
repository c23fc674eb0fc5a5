"""ControlNets and T2I-Adapters as attachments of a pass: evaluated for the rows they act on, and added to what the network finds there.

A ControlNet is evaluated at every call in which it acts. An adapter reads nothing but the picture, so its features are made once. Rules: E81 to E83.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from diffusers import ControlNetModel, ControlNetUnionModel
from torch import Tensor

from sfumato.engine.attachments import NetworkCall, Residuals
from sfumato.engine.control.steering import Acted, Steering, masked
from sfumato.engine.denoiser import Row
from sfumato.engine.family import Model
from sfumato.engine.workplace import PLAIN, Workplace

_NOTHING: AbstractContextManager[Residuals | None] = nullcontext(None)


class Steered(ABC):
    """What all kinds of control have in common: they leave the model as it is, and act on some rows at some calls."""

    def __init__(self, steering: Steering, device: torch.device) -> None:
        self._steering = steering
        self._device = device

    def attached(self, model: Model) -> AbstractContextManager[None]:
        return nullcontext()

    def prepare(self, rows: Sequence[Row], batch: int) -> Acted | None:
        return Acted.of(rows, self._steering, self._device)

    def around(self, prepared: Acted | None, call: NetworkCall) -> AbstractContextManager[Residuals | None]:
        if prepared is None or not self._steering.acts(call.moment):
            return _NOTHING
        return nullcontext(self.residuals(prepared, call))

    @abstractmethod
    def residuals(self, acted: Acted, call: NetworkCall) -> Residuals:
        """What is added to the network's features for these rows, at a call where they are acted on."""

    def _mask(self, acted: Acted) -> Tensor | None:
        mask = self._steering.mask
        return None if mask is None else acted.of_images(mask)


class ControlNetSteering(Steered):
    """A ControlNet over one pass.

    Args:
        features: of the picture, by the net's own encoder, (B or 1, C, h, w).
        workplace: where the net is computed.
        union_type: for a union model, which of its kinds the picture is; None for others.
        is_pooled: only the mean of each of its features acts (shuffled pictures), on the positive side.
    """

    def __init__(
        self,
        net: ControlNetModel | ControlNetUnionModel,
        features: Tensor,
        steering: Steering,
        workplace: Workplace = PLAIN,
        union_type: int | None = None,
        is_pooled: bool = False,
    ) -> None:
        super().__init__(steering, features.device)
        self._net = net
        self._features = features
        self._workplace = workplace
        self._union_type = union_type
        self._is_pooled = is_pooled

    def residuals(self, acted: Acted, call: NetworkCall) -> Residuals:
        latents = acted.taken(call.latents)
        added = None if call.added is None else {name: acted.taken(each) for name, each in call.added.items()}
        with self._workplace.using(self._net):
            down, middle = self._evaluate(latents, call, acted.taken(call.context), acted.of_images(self._features), added)
        made = [*down, middle]
        mask = self._mask(acted)
        steered = []
        for feature, factor in zip(made, self._steering.control_net_factors(len(made)), strict=True):
            size = feature.shape[2:]
            pooled = feature.mean(dim=(2, 3), keepdim=True) if self._is_pooled else feature
            steered.append(acted.spread(masked(pooled * factor if factor != 1 else pooled, mask, size)))
        return Residuals(tuple(steered[:-1]), steered[-1])

    def _evaluate(
        self, latents: Tensor, call: NetworkCall, context: Tensor, features: Tensor, added: dict[str, Tensor] | None
    ) -> tuple[Sequence[Tensor], Tensor]:
        arguments: dict[str, Any] = {"encoder_hidden_states": context, "return_dict": False}
        if self._net.config["addition_embed_type"] is not None:
            arguments["added_cond_kwargs"] = added
        if self._union_type is None:
            return self._net(latents, call.time, controlnet_cond=features, **arguments)
        types = latents.new_zeros((latents.shape[0], self._net.config["num_control_type"]))
        types[:, self._union_type] = 1
        told = {"controlnet_cond": [features], "control_type": types, "control_type_idx": [self._union_type]}
        return self._net(latents, call.time, **told, **arguments)


class AdapterSteering(Steered):
    """A T2I-Adapter over one pass.

    Args:
        features: one for each level, (B or 1, C, h, w).
    """

    def __init__(self, features: Sequence[Tensor], steering: Steering) -> None:
        super().__init__(steering, features[0].device)
        self._features = features

    def residuals(self, acted: Acted, call: NetworkCall) -> Residuals:
        mask = self._mask(acted)
        factors = self._steering.adapter_factors(len(self._features))
        steered = [masked(acted.of_images(each) * factor, mask, each.shape[2:]) for each, factor in zip(self._features, factors, strict=True)]
        return Residuals(within=tuple(acted.spread(each) for each in steered))
