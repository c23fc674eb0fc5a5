"""Previews: small pictures of what is being denoised, made beside the work and never in its way.

`linear` is one matrix per family from latent to colour, `full` the VAE itself. A thread of its own makes them from the denoised prediction; while it
is busy, and more often than ten times a second, nothing is made. They cannot change a bit of the result: they only read.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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

Colours = Callable[[Tensor], list[Image.Image]]
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
    """Latents (B, C, h, w) -> pictures, enlarged to the picture's size where that is small enough.

    No operation of torch: on the processor each thread that calls one gets a set of workers of its own, and two sets on one processor made the
    denoising loop three times slower.
    """
    weights = np.array(factors.weights, np.float32)[:, :, None, None]  # (3, C, 1, 1)
    bias = np.array(factors.bias, np.float32)[:, None, None]

    def colours(latents: Tensor) -> list[Image.Image]:
        return [picture(row) for row in latents.float().cpu().numpy()]

    def picture(latent: NDArray[np.float32]) -> Image.Image:
        small = np.nan_to_num((weights * latent).sum(axis=1) + bias)  # (3, h, w); numbers that are none are the job's to tell
        image = Image.fromarray(((small + 1) * 127.5).round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
        scale = min(factor, SIDE_LIMIT_PX / max(image.size))
        return image if scale <= 1 else image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)

    return colours


def vae_colours(model: Model) -> Colours:
    """Latents -> pictures by the VAE."""

    def colours(latents: Tensor) -> list[Image.Image]:
        rows = (model.vae.decode((row[None] / model.latent.scale).to(model.vae.dtype), return_dict=False)[0].float() for row in latents)
        return [Image.fromarray(to_pixels(row[0].nan_to_num(0.0))) for row in rows]

    return colours


def jpeg(image: Image.Image) -> bytes:
    """A JPEG of at most 512 px a side."""
    image.thumbnail((SIDE_LIMIT_PX, SIDE_LIMIT_PX))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


class _Here(Executor):
    """Does the work at once, on the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (RuntimeError, MemoryError) as error:
            future.set_exception(error)
        return future


class Previewer:
    """Makes previews on a thread of its own between `offer` and `take`; used by one job, closed at its end.

    Args:
        colours: latents to pictures; None makes nothing at all.
        every: offers between two previews.
        beside: on a thread of its own; False makes them on the caller's, which is quicker where they would fight for the same processor.
    """

    def __init__(self, colours: Colours | None, every: int = 1, clock: Clock = time.monotonic, beside: bool = True) -> None:
        self._colours = colours
        self._every = every
        self._clock = clock
        self._last = float("-inf")
        self._offers = 0
        self._running: Future[tuple[bytes, ...]] | None = None
        self._pool: Executor | None = None
        if colours:
            self._pool = ThreadPoolExecutor(1, "preview") if beside else _Here()

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
