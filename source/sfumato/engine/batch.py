"""One batch of pictures through all passes of a job: first pass and loops, then the highres pass.

Everything random belongs to one picture: its noise, its text, the draw of its encoding. So a batch is only a way to compute several at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sfumato.engine.beside import beside
from sfumato.engine.blending import Blend, Blended, Differential, Hard, Soft
from sfumato.engine.control.units import JobControl
from sfumato.engine.decoding import Pixels, decode
from sfumato.engine.encoding import encode_picture, stretched
from sfumato.engine.family import Model
from sfumato.engine.inputs.masks import latent_mask
from sfumato.engine.inputs.resizing import Size
from sfumato.engine.inputs.soft_inpainting import ChangeRule, changed_mask
from sfumato.engine.inversion import invert, mixed
from sfumato.engine.loopback import seed_of
from sfumato.engine.noise import ImageSeed, NoiseSource
from sfumato.engine.originals import Originals, Start
from sfumato.engine.passes import Pass
from sfumato.engine.plan import Models, Plan
from sfumato.engine.samplers import PairDenoiser
from sfumato.engine.sampling import begin, sample
from sfumato.engine.shortcuts import shortcuts_of
from sfumato.engine.telling import Telling
from sfumato.engine.tiled.grid import Grid, Tile
from sfumato.engine.tiled.noise import TileNoise
from sfumato.engine.tiled.painting import Averaged, Canvas, one_by_one
from sfumato.engine.upscalers.ways import Way
from sfumato.engine.voices import Voices
from sfumato.protocol.requests.generate import Generate

# A place of a differential mask that is at least this share white shows only what was painted.
_DIFFERENTIAL_PASTE = 8

K = TypeVar("K")
# A latent (1, C, h, w) -> pixels
QuickDecode = Callable[[Tensor], Pixels]


@dataclass(frozen=True)
class Scene:
    """What the batches of a job share."""

    request: Generate
    plan: Plan
    models: Models
    originals: Originals | None
    voices: Voices
    tell: Telling
    control: JobControl | None = None
    enlarge: Way | None = None
    quick: QuickDecode | None = None


class Batch:
    """The pictures `index`, `index` + 1, ... of a job."""

    def __init__(self, scene: Scene, seeds: Sequence[ImageSeed], index: int) -> None:
        self.seeds = seeds
        self.index = index
        self._scene = scene
        self._request = scene.request
        self._model = scene.models.first
        self._first_starts: list[Start] = []
        # Of the last pass: what each picture was painted over, the latents of that, and what came out; None where nothing was painted.
        self._starts: list[Start] = []
        self._originals: Tensor | None = None
        self._latents: Tensor | None = None
        # Pictures of the working size that need no VAE; `is_untouched`: nothing was done to the input but resizing.
        self._plain: list[Image.Image] = []
        self._is_untouched = False

    def run(self) -> Iterator[Image.Image]:
        """Paint; then the finished pictures, each decoded when it is asked for."""
        for each in self._scene.plan.first:
            self._paint_first(each)
        if self._scene.plan.second is not None:
            self._paint_second(self._scene.plan.second)
        return self._finished(self._scene.quick)

    # -- passes ------------------------------------------------------------------------------------

    def _paint_first(self, plan: Pass) -> None:
        originals = self._scene.originals
        if originals is None:
            self._paint(plan, None)
            return
        if plan.loop:
            self._starts = [originals.again(start, picture) for start, picture in zip(self._starts, list(self._finished()), strict=True)]
        else:
            self._starts = [originals.start(plan.size)] * len(self.seeds)
            self._first_starts = self._starts
        self._latents, self._plain, self._is_untouched = None, [], False
        if plan.runs:
            self._originals = self._encoded(self._starts, plan)
            self._paint(plan, self._filled(plan, self._originals))
        elif any(start.picture.size != start.size for start in self._starts):
            # Resized as a latent; nothing else is done to it.
            self._latents = self._originals = self._encoded(self._starts, plan)
        else:
            self._plain = [start.working for start in self._starts]
            self._is_untouched = True

    def _paint_second(self, plan: Pass) -> None:
        originals, base = self._scene.originals, self._enlarged(plan)
        self._model = self._scene.models.highres
        self._originals = None
        if originals is not None:
            self._starts = _once([(id(start), start) for start in self._starts], lambda start: originals.enlarged(start, plan.size))
            if plan.runs and self._starts[0].work is not None:
                self._originals = self._encoded(self._starts, plan)
        self._latents, self._is_untouched = base, False
        if plan.runs and base is not None:
            self._paint(plan, base)

    def _paint(self, plan: Pass, base: Tensor | None) -> None:
        """Run the pass over `base` (B, C, h, w), or from noise alone."""
        scene, request = self._scene, self._request
        noise = self._noise(plan)
        first = noise()
        extra = self._beside(plan, self._model)
        refiner = scene.models.refiner if scene.voices.is_refined(plan) else None
        refiner_extra = self._beside(plan, refiner) if refiner else None
        with torch.inference_mode():
            if plan.inverted:
                assert base is not None
                with self._seeking(plan, base, extra) as seek:
                    found = invert(seek, base, plan.inverted, request.alternative_sigma)
                first = mixed(found, first, request.alternative_randomness)
            x = begin(plan, first, None if plan.inverted else base)
            if plan.grid:
                self._latents = self._in_tiles(plan, plan.grid, x, base, noise, (extra, refiner_extra))
                return
            steering = scene.control.attachments(plan, self._model, self._starts) if scene.control else []
            told = scene.voices.denoiser(plan, extra, refiner_extra, [*steering, *shortcuts_of(request, self._model)])
            blend = self._blend(plan)
            with told as denoise, scene.tell.denoising(self._model, plan.steps.calls) as watched:
                x = sample(plan, watched(Blended(denoise, blend) if blend else denoise), x, noise)
            self._latents = blend.final(x) if blend else x

    @contextmanager
    def _seeking(self, plan: Pass, base: Tensor, extra: Tensor | None) -> Iterator[PairDenoiser]:
        """The denoiser by which noise is sought, watched."""
        voices = self._scene.voices
        with self._scene.tell.denoising(self._model, plan.inverted_calls) as watched:
            if plan.grid is None:
                with voices.inverting(plan, extra) as seek:
                    yield watched(seek)
                return
            canvas = Canvas(base)
            with voices.inverting_tiles(plan, extra) as of_tile:
                tiles = enumerate(plan.grid.tiles)
                yield Averaged(plan.grid, [watched(of_tile(number), partial(canvas.seen, tile)) for number, tile in tiles], canvas)

    def _in_tiles(self, plan: Pass, grid: Grid, x: Tensor, base: Tensor | None, noise: NoiseSource, extras: tuple[Tensor | None, Tensor | None]) -> Tensor:
        """The latents of a pass that starts from x, tile by tile (E80). `noise` goes on behind what is in x; `extras` are the model's and the refiner's."""
        scene = self._scene
        steering = scene.control.tile_attachments(plan, self._model, self._starts) if scene.control else [[] for _ in grid.tiles]
        blend, canvas = self._blend(plan), Canvas(x if base is None else base)
        shared = shortcuts_of(self._request, self._model)
        with scene.voices.tiles(plan, *extras, shared) as of_tile, scene.tell.denoising(self._model, plan.sampled_calls) as watched:

            def denoiser(number: int) -> PairDenoiser:
                tile = grid.tiles[number]
                denoise = of_tile(number, steering[number])
                return watched(Blended(denoise, blend.of(tile)) if blend else denoise, partial(canvas.seen, tile))

            if grid.method == "multidiffusion":
                x = sample(plan, Averaged(grid, [denoiser(number) for number in range(len(grid.tiles))], canvas), x, noise)
            else:
                x = one_by_one(grid, x, canvas, lambda number, own: sample(plan, denoiser(number), own, self._tile_noise(plan, grid.tiles[number])))
        return blend.final(x) if blend else x

    # -- what a pass starts from -------------------------------------------------------------------

    def _noise(self, plan: Pass) -> NoiseSource:
        model, seeds = self._model, [seed_of(seed, plan.loop) for seed in self.seeds]
        return NoiseSource(seeds, (model.latent.channels, *self._latent_size(plan.size)), model.device.torch, self._scene.plan.noise)

    def _tile_noise(self, plan: Pass, tile: Tile) -> TileNoise:
        """What a tile draws while it is painted."""
        noise = self._noise(plan)
        noise()  # is in the x it starts from
        return TileNoise(noise, tile)

    def _latent_size(self, size: Size) -> tuple[int, int]:
        """(h, w)."""
        factor = self._model.latent.factor
        return size[1] // factor, size[0] // factor

    def _encoded(self, starts: Sequence[Start], plan: Pass) -> Tensor:
        """Latents (B, C, h, w) of the starts; equal ones are encoded once."""
        draws = [seed.seed + plan.loop if self._request.encode_sample else None for seed in self.seeds]
        size = self._latent_size(plan.size)

        def encode(one: tuple[Start, int | None]) -> Tensor:
            self._scene.tell.check()
            return stretched(encode_picture(self._model, one[0].picture, one[1]), size)

        return torch.cat(_once([((id(start), draw), (start, draw)) for start, draw in zip(starts, draws, strict=True)], encode))

    def _filled(self, plan: Pass, latents: Tensor) -> Tensor:
        """The latents with the masked places emptied or filled with noise, if the request wants that; only in the first loop."""
        fill = self._request.mask_fill if self._request.mask else {"noise": "noise"}.get(self._request.outpaint_fill, "original")
        if plan.loop or self._starts[0].work is None or fill not in ("noise", "nothing"):
            return latents
        mask = self._mask(plan)
        # The first draw of generators that begin anew: the same numbers as the noise that is added.
        return latents * (1 - mask) + (self._noise(plan)() * mask if fill == "noise" else 0)

    def _mask(self, plan: Pass) -> Tensor:
        """(B, 1, h, w) in 0..1, 1 = repaint."""
        height, width = self._latent_size(plan.size)
        is_rounded = self._request.mask_round and self._request.mask_mode == "hard"
        works = [start.work for start in self._starts if start.work is not None]
        rows = _once([(id(work), work) for work in works], lambda work: torch.from_numpy(latent_mask(work.mask, (width, height), is_rounded)))
        return torch.stack(rows)[:, None].float().to(self._model.device.torch)

    def _blend(self, plan: Pass) -> Blend | None:
        if self._originals is None or not self._starts or self._starts[0].work is None:
            return None
        request, mask = self._request, self._mask(plan)
        match request.mask_mode:
            case "soft":
                return Soft(self._originals, mask, request.soft_power, request.soft_scale, request.soft_contrast)
            case "differential":
                return Differential(self._originals, mask, self._model.table, plan.steps.sigmas)
            case _:
                return Hard(self._originals, mask, plan.methods.sampler.mask_before)

    def _beside(self, plan: Pass, model: Model) -> Tensor | None:
        """(B, E, h, w): what the network sees beside the latent; None if nothing."""
        starts: list[Start | None] = list(self._starts) or [None] * len(self.seeds)
        made = _once([(id(start), start) for start in starts], lambda start: beside(model, start, plan.size, self._request))
        return None if made[0] is None else torch.cat([each for each in made if each is not None])

    # -- enlarging ---------------------------------------------------------------------------------

    def _enlarged(self, plan: Pass) -> Tensor | None:
        """Latents of the highres pass's size and model; None where pictures were enlarged and nothing will be painted."""
        highres, scene = self._scene.plan.highres, self._scene
        assert highres is not None
        upscaler, (cover, size) = highres.upscaler, (highres.enlargement.cover, highres.enlargement.size)
        target = scene.models.highres
        if upscaler.latent:
            latents = self._latents
            if latents is None:
                latents = torch.cat(_once([(id(each), each) for each in self._plain], lambda each: encode_picture(self._model, each)))
            factor = self._model.latent.factor
            with scene.tell.one("upscale", len(self.seeds)):
                return highres.enlargement.cut(upscaler.latents(latents, (cover[1] // factor, cover[0] // factor)), factor)
        way = scene.enlarge
        assert way is not None, "made with the plan"
        pictures = list(self._painted())
        with scene.tell.units("upscale", len(self.seeds) * way.count((scene.plan.width, scene.plan.height), cover)) as told:
            bigger = _once([(id(picture), picture) for picture in pictures], lambda picture: way.enlarge(picture, cover, told))
            if not plan.runs:
                left, top = (cover[0] - size[0]) // 2, (cover[1] - size[1]) // 2
                self._plain = [picture.crop((left, top, left + size[0], top + size[1])) for picture in bigger]
                return None

            def encode(picture: Image.Image) -> Tensor:
                scene.tell.check()
                return encode_picture(target, picture)

            latents = torch.cat(_once([(id(picture), picture) for picture in bigger], encode))
            return highres.enlargement.cut(latents, target.latent.factor)

    # -- what comes out ----------------------------------------------------------------------------

    def _painted(self, quick: QuickDecode | None = None) -> Iterator[Image.Image]:
        """The pictures of the last pass at the working size, as they were painted; decoded by `quick` instead of the VAE if it is given."""
        if self._latents is None:
            yield from self._plain
            return
        for latent in self._latents.split(1):
            with self._scene.tell.one("decode"):
                pixels = quick(latent) if quick else decode(self._model, latent)
            yield Image.fromarray(pixels)

    def _finished(self, quick: QuickDecode | None = None) -> Iterator[Image.Image]:
        """The pictures as they are sent: with the colours of the input if wanted, put back where they were cut from."""
        originals = self._scene.originals
        if originals is None:
            yield from self._painted(quick)
        elif self._is_untouched:
            yield from (start.untouched for start in self._starts)
        else:
            for number, painted in enumerate(self._painted(quick)):
                coloured = originals.coloured(painted, self._first_starts[number]) if self._request.color_correction else painted
                yield self._starts[number].put_back(coloured, self._paste_mask(self._starts[number], number))

    def _paste_mask(self, start: Start, number: int) -> Image.Image | None:
        """What of the painted picture is new, at the working size; None = as the mask says."""
        request = self._request
        if start.work is None or request.mask_mode == "hard":
            return None
        if request.mask_mode == "differential" or self._originals is None or self._latents is None:
            return start.work.mask.point(lambda grey: min(255, _DIFFERENTIAL_PASTE * grey))
        change = (self._latents[number] - self._originals[number]).norm(dim=0)
        height, width = change.shape
        rule = ChangeRule(request.soft_threshold, request.soft_difference, request.soft_influence)
        return changed_mask(np.asarray(change.cpu()), latent_mask(start.work.mask, (width, height), False), start.size, rule)


V = TypeVar("V")


def _once(items: Sequence[tuple[object, K]], make: Callable[[K], V]) -> list[V]:
    """`make` of every item, made once for equal keys."""
    made: dict[object, V] = {}
    for key, item in items:
        if key not in made:
            made[key] = make(item)
    return [made[key] for key, _ in items]
