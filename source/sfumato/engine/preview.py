"""Previews: small pictures of what is being denoised, made beside the work and never in its way.

`linear` is one matrix per family from latent to colour, `full` the VAE itself. A thread of its own makes them from the denoised prediction; while it
is busy, and more often than ten times a second, nothing is made. They cannot change a bit of the result: they only read.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from sfumato.engine.decoding import to_pixels
from sfumato.engine.family import Model, PreviewFactors

log = logging.getLogger(__name__)

SIDE_LIMIT_PX = 512
JPEG_QUALITY = 80
INTERVAL_S = 0.1
# Widths of the VAE that every published SD1 has; the families' factors are measured on it.
_STANDARD_WIDTHS = (128, 256, 512, 512)
_SAMPLES = 24

Colours = Callable[[Tensor], Tensor]
Clock = Callable[[], float]


def factors_of(model: Model) -> PreviewFactors:
    """The family's factors for a standard VAE, else factors measured on this one."""
    if tuple(model.vae.config["block_out_channels"]) == _STANDARD_WIDTHS:
        return model.family.preview
    return fit_factors(model)


def fit_factors(model: Model) -> PreviewFactors:
    """Least squares from latent to mean colour, over smooth random latents that the VAE decodes. A few hundredths of a second for a small VAE."""
    device = model.device.torch
    generator = torch.Generator("cpu").manual_seed(0)
    coarse = torch.randn((_SAMPLES, model.latent.channels, 2, 2), generator=generator) * 1.2
    latents = functional.interpolate(coarse, size=(8, 8), mode="bilinear").to(device)
    with torch.inference_mode():
        pictures = model.vae.decode((latents / model.latent.scale).to(model.vae.dtype), return_dict=False)[0].float()
        colours = functional.adaptive_avg_pool2d(pictures.clamp(-1, 1), (8, 8))
    inputs = latents.permute(0, 2, 3, 1).reshape(-1, model.latent.channels).double().cpu()
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1, dtype=torch.float64)], dim=1)
    wanted = colours.permute(0, 2, 3, 1).reshape(-1, 3).double().cpu()
    if not bool(wanted.isfinite().all()):
        return model.family.preview
    found = torch.linalg.lstsq(inputs, wanted).solution.T.tolist()  # (3, channels + 1)
    red, green, blue = (row[-1] for row in found)
    return PreviewFactors(tuple(tuple(row[:-1]) for row in found), (red, green, blue))


def linear_colours(factors: PreviewFactors, factor: int) -> Colours:
    """Latents (B, C, h, w) -> pictures (B, 3, H, W) in -1..1, enlarged to the picture's size where that is small enough."""
    weights = torch.tensor(factors.weights, dtype=torch.float32)[:, :, None, None]
    bias = torch.tensor(factors.bias, dtype=torch.float32)

    def colours(latents: Tensor) -> Tensor:
        small = functional.conv2d(latents.float().cpu(), weights, bias)
        longest = max(small.shape[-2:])
        scale = min(factor, SIDE_LIMIT_PX / longest)
        if scale <= 1:
            return small
        size = [round(side * scale) for side in small.shape[-2:]]
        return functional.interpolate(small, size=size, mode="bicubic", align_corners=False)

    return colours


def vae_colours(model: Model) -> Colours:
    """Latents -> pictures by the VAE."""

    def colours(latents: Tensor) -> Tensor:
        rows = [model.vae.decode((row[None] / model.latent.scale).to(model.vae.dtype), return_dict=False)[0].float() for row in latents]
        return torch.cat(rows).nan_to_num(0.0)

    return colours


def jpeg(picture: Tensor) -> bytes:
    """(3, H, W) in -1..1 -> a JPEG of at most 512 px a side."""
    image = Image.fromarray(to_pixels(picture))
    image.thumbnail((SIDE_LIMIT_PX, SIDE_LIMIT_PX))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


class Previewer:
    """Makes previews on a thread of its own between `offer` and `take`; used by one job, closed at its end.

    Args:
        colours: latents to pictures; None makes nothing at all.
        every: offers between two previews.
    """

    def __init__(self, colours: Colours | None, every: int = 1, clock: Clock = time.monotonic) -> None:
        self._colours = colours
        self._every = every
        self._clock = clock
        self._last = float("-inf")
        self._offers = 0
        self._running: Future[tuple[bytes, ...]] | None = None
        self._pool = ThreadPoolExecutor(1, "preview") if colours else None

    def __enter__(self) -> Previewer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def offer(self, denoised: Tensor) -> None:
        """Make a preview of this prediction, unless it is not due or the last one is not done."""
        if self._pool is None:
            return
        self._offers += 1
        now = self._clock()
        if self._running is not None or self._offers % self._every or now - self._last < INTERVAL_S:
            return
        self._last = now
        self._running = self._pool.submit(self._make, denoised, self._mark(denoised))

    def take(self, wait_s: float = 0.0) -> tuple[bytes, ...]:
        """The finished preview, once, one JPEG for each picture of the batch; empty if there is none within `wait_s`."""
        if self._running is None:
            return ()
        if wait_s > 0:
            wait_for([self._running], wait_s)
        if not self._running.done():
            return ()
        finished, self._running = self._running, None
        try:
            return finished.result()
        except (RuntimeError, MemoryError):  # torch's out of memory is a RuntimeError; a picture never fails for its preview
            log.warning("a preview could not be made", exc_info=True)
            return ()

    @staticmethod
    def _mark(denoised: Tensor) -> torch.cuda.Event | None:
        """On CUDA a mark in the queue of work, so that the thread waits for the prediction and the loop for nothing."""
        if denoised.device.type != "cuda":
            return None
        event = torch.cuda.Event()
        event.record()
        return event

    def _make(self, denoised: Tensor, ready: torch.cuda.Event | None) -> tuple[bytes, ...]:
        assert self._colours is not None
        with torch.inference_mode():
            if ready is None:
                pictures = self._colours(denoised)
            else:
                stream = torch.cuda.Stream(denoised.device)
                stream.wait_event(ready)
                denoised.record_stream(stream)
                with torch.cuda.stream(stream):
                    pictures = self._colours(denoised)
                stream.synchronize()
            return tuple(jpeg(picture) for picture in pictures)
