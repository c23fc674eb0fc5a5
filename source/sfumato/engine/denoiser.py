"""From a network's raw output to the seam of this engine: every side of every image denoised at (x, sigma), in as few evaluations as shapes allow.

Coordinates are variance exploding, x = picture + sigma * noise, float32; only the network itself runs in the model's number format. A `Row` is one side of
one image; `prepare` turns rows into an `Evaluation` once, which then serves many calls. Guidance makes the samplers' `(x, sigma) -> denoised` of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from sfumato.engine.attachments import BEGINNING, Attachment, Moment, NetworkCall, summed
from sfumato.engine.conditioning import Conditioning
from sfumato.engine.family import Model, Prediction, SizeName, Variant
from sfumato.engine.networks.shares import NOTHING, Acting
from sfumato.engine.patches.freeu import FreeU, FreeUSettings
from sfumato.engine.patches.negative_values import NegativeValues
from sfumato.engine.patches.pag import own_values
from sfumato.engine.patches.seg import blurred_queries
from sfumato.engine.patches.self_attention import Answer, SelfAttentionPatch
from sfumato.engine.workplace import Work
from sfumato.protocol.requests.generate import Generate

# (x, output, sigma) -> denoised
_Wrapping = Callable[[Tensor, Tensor, float], Tensor]

# Ways to perturb the network for a row, by name.
PERTURBATIONS: dict[str, Answer] = {"pag": own_values, "seg": blurred_queries}


@dataclass(frozen=True, eq=False)
class Row:
    """One side of one image.

    Attributes:
        image: its place in the batch.
        conditioning: what the network reads.
        is_negative: told the numbers of the negative side.
        is_blind: sees nothing in place of the picture that an instruct-pix2pix model changes.
        perturbation: of `PERTURBATIONS`, "" for none.
        networks: that act on it, those in the weights included.
    """

    image: int
    conditioning: Conditioning
    is_negative: bool = False
    is_blind: bool = False
    perturbation: str = ""
    networks: Acting = NOTHING


@dataclass(frozen=True)
class Told:
    """The numbers told to networks that want them: pixels of the current pass, and aesthetic scores of both sides."""

    numbers: Mapping[SizeName, float] = field(default_factory=dict)
    negative: Mapping[SizeName, float] = field(default_factory=dict)


def told_of(request: Generate, width: int, height: int, part: tuple[int, int, int, int] | None = None) -> Told:
    """The request's numbers; what it leaves open is the size of the pass, in pixels.

    Args:
        part: (left, top, right, bottom) of the pass's picture that the network is shown: cut from there, and so large.
    """
    left, top, right, bottom = part or (0, 0, width, height)

    def chosen(wanted: int | None, own: int) -> float:
        return float(own if wanted is None else wanted)

    numbers: dict[SizeName, float] = {
        "original_height": chosen(request.original_height, height),
        "original_width": chosen(request.original_width, width),
        "crop_top": float(request.crop_top + top),
        "crop_left": float(request.crop_left + left),
        "target_height": chosen(request.target_height, bottom - top),
        "target_width": chosen(request.target_width, right - left),
        "aesthetic": request.aesthetic,
    }
    return Told(numbers, {**numbers, "aesthetic": request.negative_aesthetic})


@dataclass(frozen=True, eq=False)
class NetworkInputs:
    """What a pass gives the network beside x and the texts.

    Attributes:
        told: numbers for the vector of SDXL and its refiner.
        extra: (B or 1, K, h, w) channels behind those of x: mask and masked latent of inpainting models, the unscaled latent of pix2pix models.
    """

    told: Told = Told()
    extra: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Group:
    """Rows evaluated together: their contexts are equally long, none is padded to another's, and the same networks act on them.

    Attributes:
        rows: places (R,) in the list of rows; None if the group is all of it, in order.
        images: whose x each row starts from, (R,); None if it is the whole batch `repeats` times.
        context: (R, tokens, width) in the network's number format.
        added: the vector's parts, if the network wants one.
        signs, extra: as in `Conditioning` and `NetworkInputs`, one for each row, or None.
        perturbed: places in the group of the rows of each perturbation.
        attached: what each attachment made ready for these rows.
    """

    rows: Tensor | None
    images: Tensor | None
    repeats: int
    context: Tensor
    added: dict[str, Tensor] | None
    signs: Tensor | None
    extra: Tensor | None
    perturbed: dict[str, Tensor]
    attached: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Rows made ready: `count` of them in `groups`; the `rows` themselves, over a `batch` of so many images."""

    groups: tuple[Group, ...]
    count: int
    rows: tuple[Row, ...] = ()
    batch: int = 1


class Network(Protocol):
    """Evaluates rows."""

    def prepare(self, rows: Sequence[Row], batch: int) -> Any:
        """Make rows over a batch of so many images ready for calls."""
        ...

    def __call__(self, x: Tensor, sigma: float, evaluation: Any, moment: Moment = BEGINNING) -> Tensor:
        """x (B, C, h, w) float32 -> the denoised of each row, (rows, C, h, w) float32."""
        ...


def _from_eps(x: Tensor, output: Tensor, sigma: float) -> Tensor:
    return torch.sub(x, output, alpha=sigma)


def _from_v(x: Tensor, output: Tensor, sigma: float) -> Tensor:
    variance = sigma**2 + 1
    return torch.sub(x / variance, output, alpha=sigma / math.sqrt(variance))


# Channels beside x, for a latent of so many.
_CHANNELS: dict[Variant, Callable[[int], int]] = {"base": lambda latent: 0, "inpainting": lambda latent: latent + 1, "pix2pix": lambda latent: latent}

_WRAPPINGS: dict[Prediction, _Wrapping] = {"eps": _from_eps, "v": _from_v}


def _fitting_inputs(model: Model, inputs: NetworkInputs | None) -> NetworkInputs:
    inputs = inputs or NetworkInputs()
    wanted = _CHANNELS[model.variant](model.latent.channels)
    given = 0 if inputs.extra is None else inputs.extra.shape[1]
    if given != wanted:
        raise ValueError(f"A network of variant '{model.variant}' takes {wanted} more channels beside x, not {given}.")
    return inputs


class UNetNetwork:
    """A diffusers UNet with text cross-attention. `patched` must be entered for attachments and for rows with perturbations or signs."""

    def __init__(self, model: Model, inputs: NetworkInputs | None = None, attachments: Sequence[Attachment] = ()) -> None:
        self._unet = model.unet
        self._model = model
        self._inputs = _fitting_inputs(model, inputs)
        self._attachments = tuple(attachments)
        self._entered_late: tuple[Attachment, ...] = ()
        self._table = model.table
        self._dtype = model.device.dtype
        self._wrap = _WRAPPINGS[model.prediction]
        self._freeu: FreeU | None = None
        self._turning: NegativeValues | None = None
        self._perturbing: dict[str, SelfAttentionPatch] = {}
        # Evaluations in smaller groups, of those that were prepared: where memory ran out.
        self._smaller: dict[tuple[Evaluation, int], Evaluation] = {}

    @contextmanager
    def patched(self, perturbations: Sequence[str] = (), freeu: FreeUSettings | None = None, turns_values: bool = False) -> Iterator[None]:
        """While inside, the network can do what these need; it is itself again afterwards."""
        with ExitStack() as stack:
            self._freeu = stack.enter_context(FreeU(self._unet, freeu)) if freeu is not None and not freeu.is_off else None
            self._perturbing = {name: stack.enter_context(SelfAttentionPatch(self._unet, PERTURBATIONS[name])) for name in perturbations}
            self._turning = stack.enter_context(NegativeValues(self._unet)) if turns_values else None
            for attachment in self._attachments:
                stack.enter_context(attachment.attached(self._model))
            try:
                yield
            finally:
                self._perturbing, self._turning, self._freeu = {}, None, None

    def seeing(self, inputs: NetworkInputs, attachments: Sequence[Attachment]) -> UNetNetwork:
        """The same network under the same patches, shown other inputs, for as long as `patched` lasts.

        Args:
            attachments: that act beside those of this one, and are entered for each call, so that the model carries one set of them at a time.
        """
        other = copy(self)
        other._inputs = _fitting_inputs(self._model, inputs)
        other._attachments = (*self._attachments, *attachments)
        other._entered_late = tuple(attachments)
        other._smaller = {}
        return other

    def prepare(self, rows: Sequence[Row], batch: int) -> Evaluation:
        """Group rows by the length of their contexts and by their networks, as tensors on the device."""
        alike: dict[tuple[int, Acting], list[int]] = {}
        for place, row in enumerate(rows):
            alike.setdefault((row.conditioning.length, row.networks), []).append(place)
        return self._model.workplace.attempt("denoise", lambda: self._prepared(rows, list(alike.values()), batch), len(rows), batch)

    def _prepared(self, rows: Sequence[Row], alike: Sequence[list[int]], batch: int) -> Evaluation:
        """With groups as large as the workplace allows."""
        most = self._model.workplace.rows_at_once or len(rows)
        groups = [places[start : start + most] for places in alike for start in range(0, len(places), most)]
        return Evaluation(tuple(self._group(rows, places, batch) for places in groups), len(rows), tuple(rows), batch)

    def _fitting(self, evaluation: Evaluation) -> Evaluation:
        """The evaluation, or what it is in groups as large as the workplace allows by now."""
        most = self._model.workplace.rows_at_once
        if not most or all(len(group.context) <= most for group in evaluation.groups):
            return evaluation
        key = evaluation, most
        if key not in self._smaller:
            self._smaller[key] = self.prepare(evaluation.rows, evaluation.batch)
        return self._smaller[key]

    def _group(self, rows: Sequence[Row], places: list[int], batch: int) -> Group:
        device = self._model.device.torch
        own = [rows[place] for place in places]
        images = [row.image for row in own]
        repeats = len(own) // batch
        is_whole = images == list(range(batch)) * repeats
        kinds = {row.perturbation for row in own} - {""}
        return Group(
            rows=None if len(places) == len(rows) else torch.tensor(places, device=device),
            images=None if is_whole else torch.tensor(images, device=device),
            repeats=repeats if is_whole else 0,
            context=torch.cat([row.conditioning.context for row in own]).to(device, self._dtype),
            added=self._added(own),
            signs=self._signs(own),
            extra=self._extra(own),
            perturbed={kind: torch.tensor([place for place, row in enumerate(own) if row.perturbation == kind], device=device) for kind in kinds},
            attached=tuple(attachment.prepare(own, batch) for attachment in self._attachments),
        )

    def _added(self, rows: list[Row]) -> dict[str, Tensor] | None:
        rule = self._model.vector
        if rule is None:
            return None
        told = self._inputs.told
        numbers = [[(told.negative if row.is_negative else told.numbers)[name] for name in rule.names] for row in rows]
        device = self._model.device.torch
        pooled = torch.cat([row.conditioning.pooled for row in rows if row.conditioning.pooled is not None]).to(device, self._dtype)
        return {"text_embeds": pooled, "time_ids": torch.tensor(numbers, dtype=torch.float32, device=device)}

    def _signs(self, rows: list[Row]) -> Tensor | None:
        if all(row.conditioning.signs is None for row in rows):
            return None
        signs = [torch.ones_like(row.conditioning.context) if row.conditioning.signs is None else row.conditioning.signs for row in rows]
        return torch.cat(signs).to(self._model.device.torch, self._dtype)

    def _extra(self, rows: list[Row]) -> Tensor | None:
        extra = self._inputs.extra
        if extra is None:
            return None
        shown = [extra[row.image if extra.shape[0] > 1 else 0] * (0.0 if row.is_blind else 1.0) for row in rows]
        return torch.stack(shown).to(self._model.device.torch, self._dtype)

    def __call__(self, x: Tensor, sigma: float, evaluation: Evaluation, moment: Moment = BEGINNING) -> Tensor:
        """x (B, C, h, w) float32 -> the denoised of each row (R, C, h, w) float32. Where memory runs out it begins anew, in less (E111)."""
        act = partial(self._denoised, x, sigma, evaluation, moment)
        with ExitStack() as stack:
            for attachment in self._entered_late:
                stack.enter_context(attachment.attached(self._model))
            return self._model.workplace.attempt("denoise", act, evaluation.count, evaluation.batch)

    def _denoised(self, x: Tensor, sigma: float, evaluation: Evaluation, moment: Moment) -> Tensor:
        evaluation = self._fitting(evaluation)
        scaled = (x / math.sqrt(sigma**2 + 1)).to(self._dtype)
        # Filled on the device: a copied tensor would wait for everything queued there.
        t = torch.full((1,), self._table.t(sigma), dtype=torch.float32, device=x.device)
        denoised: Tensor | None = None
        for group in evaluation.groups:
            made = self._evaluate(x, scaled, sigma, t, group, moment)
            if group.rows is None:
                return made
            if denoised is None:
                denoised = x.new_empty((evaluation.count, *x.shape[1:]))
            denoised[group.rows] = made
        assert denoised is not None
        return denoised

    def _pixels(self, x: Tensor) -> tuple[int, int]:
        """(width, height) of the picture."""
        return x.shape[-1] * self._model.latent.factor, x.shape[-2] * self._model.latent.factor

    @contextmanager
    def _armed(self, group: Group) -> Iterator[None]:
        """Let the patches act on this group's evaluation, and on no other of the same network."""
        if self._turning is not None:
            self._turning.signs = group.signs
        if self._freeu is not None:
            self._freeu.is_on = True
        for name, patch in self._perturbing.items():
            patch.rows = group.perturbed.get(name)
        try:
            yield
        finally:
            if self._turning is not None:
                self._turning.signs = None
            if self._freeu is not None:
                self._freeu.is_on = False
            for patch in self._perturbing.values():
                patch.rows = None

    def _evaluate(self, x: Tensor, scaled: Tensor, sigma: float, t: Tensor, group: Group, moment: Moment) -> Tensor:
        """The denoised of a group's rows (R, C, h, w)."""
        if group.images is None:
            batched = scaled if group.repeats == 1 else torch.cat([scaled] * group.repeats)
        else:
            batched = scaled.index_select(0, group.images)
        call = NetworkCall(batched, t, group.context, group.added, moment, sigma)
        if group.extra is not None:
            batched = torch.cat([batched, group.extra], dim=1)
        with self._armed(group), ExitStack() as stack:
            stack.enter_context(self._model.workplace.using(self._unet, Work("denoise", self._pixels(x), len(batched))))
            told = [stack.enter_context(each.around(ready, call)) for each, ready in zip(self._attachments, group.attached, strict=True)]
            output = self._unet(batched, t, encoder_hidden_states=group.context, added_cond_kwargs=group.added, **summed(told), return_dict=False)[0]
            output = output.to(x.dtype)
        if group.images is None:
            return self._wrap(x, output.unflatten(0, (group.repeats, -1)), sigma).flatten(0, 1)
        return self._wrap(x.index_select(0, group.images), output, sigma)
