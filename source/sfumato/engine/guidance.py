"""Guidance: how the sides of the images of a batch become one prediction each, `(x, sigma) -> denoised`. Used so:

    settings = guidance_settings(request)                    # or guidance_settings(request, guidance=request.hr_guidance)
    inputs = NetworkInputs(told_of(request, width_px, height_px), extra_channels)
    with guiding(model, script, settings, inputs) as denoise:
        sample(..., denoise, ...)                            # denoise(x, sigma), denoise.pair(x, sigma), denoise.calls

In one call: the sides that are needed are evaluated, the parts of a prompt composed, the rule of `guidance_rules.RULES` applied, then image guidance,
perturbations, limits and rescaling. A pass that takes over in mid-run (a refiner) continues the count: `denoise.calls = other.calls`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from sfumato.engine.attachments import Attachment, Moment
from sfumato.engine.compiling import compiled
from sfumato.engine.conditioning import Conditioning
from sfumato.engine.denoiser import Network, NetworkInputs, Row, UNetNetwork
from sfumato.engine.family import Model
from sfumato.engine.guidance_rules import RULES, GuidanceSettings, Sides, rescaled
from sfumato.engine.networks.shares import Acting
from sfumato.engine.patches.freeu import FreeUSettings
from sfumato.engine.script import ImageState, Script, State, Voice
from sfumato.engine.tiled.grid import Tile
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests.generate import Generate


def guidance_settings(request: Generate, guidance: float | None = None) -> GuidanceSettings:
    """The request's own, at another guidance scale if one is given."""
    values = {name: getattr(request, name) for name in GuidanceSettings.__dataclass_fields__}
    return GuidanceSettings(**{**values, **({} if guidance is None else {"guidance": guidance})})


# More states than this come from nested schedules, where each is met once.
_LAYOUTS_KEPT = 32


@contextmanager
def guiding(
    model: Model,
    script: Script,
    settings: GuidanceSettings,
    inputs: NetworkInputs | None = None,
    planned: int | None = None,
    attachments: Sequence[Attachment] = (),
    compiles: bool = False,
    others: Sequence[Script] = (),
) -> Iterator[GuidedDenoiser]:
    """The denoiser of one pass; the network carries the patches it needs while inside, and is itself again afterwards. Raises `Invalid`.

    Args:
        planned: calls of the pass, of which the settings name shares; None = the script's, which from a picture counts calls that are not run.
        attachments: what acts while the network is evaluated.
        compiles: run the network's blocks compiled, where nothing stands in them.
        others: scripts that tiles of the picture have of their own.
    """
    changes_picture = model.variant == "pix2pix"
    if (
        changes_picture
        and settings.image_guidance != 1
        and any(len(image.positive) > 1 for each in (script, *others) for state in each.states for image in state.images)
    ):
        raise Invalid([Problem("prompt", "AND cannot be used with image guidance: set image guidance to 1, or write the prompt without AND.")])
    network = UNetNetwork(model, inputs, attachments)
    freeu = FreeUSettings(settings.freeu_b1, settings.freeu_b2, settings.freeu_s1, settings.freeu_s2)
    turns_values = any(each.turns_values for each in (script, *others))
    is_bare = not attachments and not settings.perturbations and freeu.is_off and not turns_values and model.workplace.is_settled
    translated = compiled(model.unet) if compiles and is_bare else nullcontext()
    with translated, network.patched([name for name, _ in settings.perturbations], freeu, turns_values):
        yield GuidedDenoiser(network, script, settings, settings.image_guidance if changes_picture else 1.0, planned)


@dataclass(frozen=True, eq=False)
class Part:
    """What is told of one tile of the picture.

    Attributes:
        tile: where it is in the latents.
        inputs: of the tile.
        attachments: that act on it alone, made for its size.
        script: None = the same as all.
    """

    tile: Tile
    inputs: NetworkInputs
    attachments: Sequence[Attachment] = ()
    script: Script | None = None


@dataclass(frozen=True, eq=False)
class _Slot:
    """One side of some images, a run of rows.

    Attributes:
        rows: its run.
        images: places in the batch (n,), None for all of them.
        weight: of each image (n, 1, 1, 1), or one for all.
        mask: where it acts, None is everywhere.
    """

    rows: slice
    images: Tensor | None
    weight: Tensor | float
    mask: Tensor | None

    @property
    def is_plain(self) -> bool:
        return self.images is None and self.mask is None and isinstance(self.weight, float)


@dataclass(frozen=True, eq=False)
class _Layout:
    """What is evaluated for a state, made ready by the network, and where each side lies among the rows."""

    evaluation: object
    positive: tuple[_Slot, ...]
    negative: tuple[_Slot, ...]
    blind: tuple[_Slot, ...]
    empty: _Slot | None
    perturbed: dict[str, _Slot]


@dataclass(frozen=True)
class _Wanted:
    """The sides that a call needs beside the positive ones."""

    negative: bool
    blind: bool
    empty: bool


class GuidedDenoiser:
    """The samplers' denoiser of one pass, in float32. It counts its calls, from which everything that changes with time follows.

    Args:
        network: evaluates the sides.
        image_guidance: of instruct-pix2pix models; at 1 the picture is guidance like any other.
        planned: as for `guiding`.
        tile: the part of the picture that it denoises; None = all of it.
    """

    def __init__(
        self,
        network: Network,
        script: Script,
        settings: GuidanceSettings,
        image_guidance: float = 1.0,
        planned: int | None = None,
        tile: Tile | None = None,
    ) -> None:
        self.calls = 0
        self._tile = tile
        self._planned = planned or script.span.calls
        self._network = network
        self._script = script
        self._settings = settings
        self._rule = RULES[settings.guidance_rule]
        self._image_guidance = image_guidance
        self._perturbations = settings.perturbations
        self._layouts: dict[tuple[State, _Wanted], _Layout] = {}
        self._momentum: Tensor | None = None

    def of(self, part: Part) -> GuidedDenoiser:
        """A denoiser of a tile, with a count of its own; for as long as this one's patches last."""
        assert isinstance(self._network, UNetNetwork)
        network = self._network.seeing(part.inputs, part.attachments)
        return GuidedDenoiser(network, part.script or self._script, self._settings, self._image_guidance, self._planned, part.tile)

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        """x (B, C, h, w) -> D (B, C, h, w)."""
        return self._guide(x, sigma, needs_negative=False)[0]

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """(D, U): the prediction, and the negative side alone; where that is skipped, the prediction twice."""
        return self._guide(x, sigma, needs_negative=True)

    def _guide(self, x: Tensor, sigma: float, needs_negative: bool) -> tuple[Tensor, Tensor]:
        call, settings, rule = self.calls, self._settings, self._rule
        self.calls += 1
        state = self._script.at(call)
        is_guided = self._is_guided(call, sigma)
        wanted = self._wanted(state, is_guided, needs_negative)
        layout = self._layout(state, wanted, x)
        rows = self._network(x, sigma, layout.evaluation, Moment(call, self._planned))
        first = rows[layout.positive[0].rows]
        negative = _average(rows, layout.negative, x) if wanted.negative else None
        empty = rows[layout.empty.rows] if layout.empty else None
        around = negative if not rule.around_empty else empty
        positive = _composed(rows, layout.positive, around, first)
        sides = Sides(positive, negative, empty)
        if around is None:
            denoised = positive
        else:
            denoised, self._momentum = rule.combine(sides, settings, self._momentum)
            if wanted.blind and negative is not None:
                denoised = denoised + (self._image_guidance - 1) * (negative - _average(rows, layout.blind, x))
        for name, scale in self._perturbations:
            denoised = torch.add(denoised, first - rows[layout.perturbed[name].rows], alpha=scale)
        if around is not None and rule.limit is not None:
            denoised = rule.limit(denoised, sides, settings)
        if settings.cfg_rescale and (around is not None or self._perturbations):
            reference = first if len(layout.positive) == 1 and layout.positive[0].mask is None else positive
            denoised = rescaled(denoised, reference, x, sigma, settings.cfg_rescale)
        return denoised, denoised if negative is None else negative

    def _is_guided(self, call: int, sigma: float) -> bool:
        """Whether the negative side acts at this call at all."""
        settings, share = self._settings, call / self._planned
        if share < settings.cfg_start or (share >= settings.cfg_end and settings.cfg_end < 1):
            return False
        if settings.skip_early and share <= settings.skip_early:
            return False
        is_late = 0 < sigma < settings.s_min_uncond
        return not (is_late and self._image_guidance == 1 and (settings.ngms_all or call % 2))

    def _wanted(self, state: State, is_guided: bool, needs_negative: bool) -> _Wanted:
        if not is_guided:
            return _Wanted(negative=False, blind=False, empty=False)
        blind = self._image_guidance != 1
        cancels = all(self._cancels(image) for image in state.images)
        return _Wanted(needs_negative or blind or not cancels, blind, self._rule.around_empty)

    def _cancels(self, image: ImageState) -> bool:
        """Whether an image's prediction is its positive side, whatever the negative one is."""
        voice = image.positive[0]
        return len(image.positive) == 1 and voice.mask is None and self._rule.cancels(voice.weight, self._settings.guidance)

    def _layout(self, state: State, wanted: _Wanted, x: Tensor) -> _Layout:
        key = state, wanted
        if key not in self._layouts:
            if len(self._layouts) == _LAYOUTS_KEPT:
                self._layouts.pop(next(iter(self._layouts)))
            perturbations = [name for name, _ in self._perturbations]
            self._layouts[key] = _Arrangement(state, wanted, perturbations, x.device, self._tile).laid_out(self._network)
        return self._layouts[key]


class _Arrangement:
    """Collects the rows of a state."""

    def __init__(self, state: State, wanted: _Wanted, perturbations: list[str], device: torch.device, tile: Tile | None) -> None:
        self._images = state.images
        self._wanted = wanted
        self._perturbations = perturbations
        self._device = device
        self._tile = tile
        self._rows: list[Row] = []

    def laid_out(self, network: Network) -> _Layout:
        images, wanted = self._images, self._wanted
        negative = self._slots([image.negative for image in images if wanted.negative], is_negative=True)
        positive = self._slots([image.positive for image in images])
        blind = self._slots([image.negative for image in images if wanted.blind], is_negative=True, is_blind=True)
        empty = None
        if wanted.empty:
            told = [(image.empty, image.networks) for image in images]
            shared = len(negative) == 1 and all(
                one is image.negative[0].conditioning and networks == image.negative[0].networks for (one, networks), image in zip(told, images, strict=True)
            )
            empty = negative[0] if shared else self._all(told, is_negative=True)
        first = [(image.positive[0].conditioning, image.positive[0].networks) for image in images]
        perturbed = {name: self._all(first, perturbation=name) for name in self._perturbations}
        return _Layout(network.prepare(self._rows, len(images)), positive, negative, blind, empty, perturbed)

    def _slots(self, voices: list[tuple[Voice, ...]], is_negative: bool = False, is_blind: bool = False) -> tuple[_Slot, ...]:
        """A slot for each number of a part, over the images that have so many; none for no images."""
        slots = []
        for number in range(max(map(len, voices), default=0)):
            having = [image for image, own in enumerate(voices) if number < len(own)]
            told = [voices[image][number] for image in having]
            start = len(self._rows)
            self._rows += [Row(image, voice.conditioning, is_negative, is_blind, networks=voice.networks) for image, voice in zip(having, told, strict=True)]
            weights = [voice.weight for voice in told]
            slots.append(
                _Slot(
                    slice(start, len(self._rows)),
                    None if len(having) == len(voices) else torch.tensor(having, device=self._device),
                    float(weights[0]) if len(set(weights)) == 1 else torch.tensor(weights, device=self._device)[:, None, None, None],
                    self._mask(told[0].mask),  # areas are the request's, the same for all images
                )
            )
        return tuple(slots)

    def _mask(self, mask: Tensor | None) -> Tensor | None:
        return mask if mask is None or self._tile is None else self._tile.of(mask)

    def _all(self, told: Sequence[tuple[Conditioning | None, Acting]], is_negative: bool = False, perturbation: str = "") -> _Slot:
        start = len(self._rows)
        for image, (conditioning, networks) in enumerate(told):
            assert conditioning is not None
            self._rows.append(Row(image, conditioning, is_negative, perturbation=perturbation, networks=networks))
        return _Slot(slice(start, len(self._rows)), None, 1.0, None)


def _composed(rows: Tensor, slots: tuple[_Slot, ...], around: Tensor | None, first: Tensor) -> Tensor:
    """The positive side at guidance 1: `around + sum of w M (C - around)`; without anything to go around, around the first part."""
    if around is None:
        if len(slots) == 1:
            return first
        return _summed(rows, slots[1:], first)
    if len(slots) == 1 and slots[0].is_plain and slots[0].weight == 1:
        return first
    return _summed(rows, slots, around)


def _summed(rows: Tensor, slots: tuple[_Slot, ...], around: Tensor) -> Tensor:
    total = around.clone()
    for slot in slots:
        part = rows[slot.rows]
        change = (part - (around if slot.images is None else around.index_select(0, slot.images))) * slot.weight
        if slot.mask is not None:
            change = change * slot.mask
        if slot.images is None:
            total += change
        else:
            total.index_add_(0, slot.images, change)
    return total


def _average(rows: Tensor, slots: tuple[_Slot, ...], x: Tensor) -> Tensor:
    """The negative side: its parts averaged by weight; evenly where the weights cancel each other."""
    first = rows[slots[0].rows]
    if len(slots) == 1:
        return first
    total, weights = torch.zeros_like(x), x.new_zeros((x.shape[0], 1, 1, 1))
    plain, count = torch.zeros_like(x), x.new_zeros((x.shape[0], 1, 1, 1))
    for slot in slots:
        images = slot.images if slot.images is not None else torch.arange(x.shape[0], device=x.device)
        part = rows[slot.rows]
        weight = x.new_ones((len(images), 1, 1, 1)) * slot.weight
        total.index_add_(0, images, part * weight)
        weights.index_add_(0, images, weight)
        plain.index_add_(0, images, part)
        count.index_add_(0, images, torch.ones_like(weight))
    return torch.where(weights.abs() > 1e-6, total / torch.where(weights == 0, 1.0, weights), plain / count)
