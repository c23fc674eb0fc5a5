"""When previews are made: on a thread of its own from the denoised prediction, never while one is being made, and never so often that the work feels it."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

log = logging.getLogger(__name__)

SIDE_LIMIT_PX = 512
JPEG_QUALITY = 80
INTERVAL_S = 0.1
# Share of the time that previews may take together, where a person did not ask for them at certain steps; with what they cost besides, a twentieth.
SHARE = 0.04

Colours = Callable[[Tensor], list[Image.Image]]
Clock = Callable[[], float]


@dataclass
class Price:
    """What the last preview of a mode cost, in seconds for each number of the latents; 0 = not known yet."""

    seconds: float = 0.0


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
        every: offers from one preview to the next. At 1, which is the default, they are made as often as `SHARE` of the time allows.
        beside: on a thread of its own; False makes them on the caller's, which is quicker where they would fight for the same processor.
        price: what one costs, as earlier jobs found; kept up to date.
    """

    def __init__(self, colours: Colours | None, every: int = 1, clock: Clock = time.monotonic, beside: bool = True, price: Price | None = None) -> None:
        self._colours = colours
        self._every = every
        self._clock = clock
        self._last = float("-inf")
        self._offers = 0
        self._began: float | None = None
        self._spent = 0.0
        self._price = price or Price()
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
        self._began = now if self._began is None else self._began
        if self._running is not None or self._offers % self._every or now - self._last < INTERVAL_S or not self._is_affordable(denoised, now - self._began):
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

    def _is_affordable(self, denoised: Tensor, elapsed: float) -> bool:
        """Whether one more, at the price of the last, stays within the share. The first of all is made to learn the price."""
        return self._every > 1 or self._spent + self._price.seconds * denoised.numel() <= SHARE * elapsed

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
            if ready is not None:
                ready.synchronize()  # waiting for the prediction is no work
            began = self._clock()
            if ready is None:
                pictures = self._colours(denoised)
            else:
                stream = torch.cuda.Stream(denoised.device)
                denoised.record_stream(stream)
                with torch.cuda.stream(stream):
                    pictures = self._colours(denoised)
                stream.synchronize()
            made = tuple(jpeg(picture) for picture in pictures)
        cost = self._clock() - began
        self._spent += cost
        self._price.seconds = cost / denoised.numel()
        return made
