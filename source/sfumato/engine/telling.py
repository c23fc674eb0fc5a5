"""What a running job says of itself: stages with totals known beforehand, speed, previews, and how long each stage took."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from torch import Tensor

from sfumato.engine.family import Model
from sfumato.engine.preview import Previewer
from sfumato.engine.samplers import PairDenoiser
from sfumato.jobs.context import JobContext

# A preview may hold the loop up for this share of a call, no more.
_PREVIEW_SHARE = 0.01
_RATE_WINDOW = 12
# Reports that only say "still loading" come no more often than this.
_LOAD_REPORT_S = 0.05


class Rate:
    """Calls a second over the last few, by the wall clock."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_RATE_WINDOW)

    def tick(self) -> float | None:
        self._times.append(time.perf_counter())
        if len(self._times) < 2 or self._times[-1] <= self._times[0]:
            return None
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])


class Watched:
    """A denoiser that asks before each call whether to stop, and afterwards tells what was done."""

    def __init__(self, denoise: PairDenoiser, check: Callable[[], None], told: Callable[[Tensor], None]) -> None:
        self._denoise = denoise
        self._check = check
        self._told = told

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        self._check()
        denoised = self._denoise(x, sigma)
        self._told(denoised)
        return denoised

    def pair(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        self._check()
        denoised, negative = self._denoise.pair(x, sigma)
        self._told(denoised)
        return denoised, negative


class Watching(Protocol):
    """Makes a denoiser watched."""

    def __call__(self, denoise: PairDenoiser, shown: Callable[[Tensor], Tensor] = ..., /) -> Watched:
        """`shown`: of a prediction, what is to be seen of it."""
        ...


def _itself(denoised: Tensor) -> Tensor:
    return denoised


class Totals:
    """How much there will be of each stage, over the whole job."""

    def __init__(self, calls: int, decodes: int, upscales: int, images: int) -> None:
        self.of = {"denoise": calls, "decode": decodes, "upscale": upscales, "save": images}


class Telling:
    """Reports for one job.

    Args:
        previewer: makes the previews of a model.
    """

    def __init__(self, context: JobContext, previewer: Callable[[Model], Previewer]) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._context = context
        self._previewer = previewer
        self._totals: dict[str, int] = {}
        self._done: defaultdict[str, int] = defaultdict(int)
        self._last_load = float("-inf")
        self._now = ("load", 0, 0)

    def check(self) -> None:
        """Raise `Stopped` if the job was cancelled."""
        self._context.check()

    def expect(self, totals: Totals) -> None:
        self._totals = totals.of

    def note(self, sentence: str) -> None:
        """Tell the user something beside the stage at hand, whose numbers stay."""
        self._context.progress(*self._now, note=sentence)

    def mark(self) -> dict[str, int]:
        """What is done of each stage, for `rewind`."""
        return dict(self._done)

    def rewind(self, done: Mapping[str, int]) -> None:
        """Work since the mark begins anew."""
        self._done = defaultdict(int, done)

    def _progress(self, stage: str, done: int, total: int, rate: float | None = None, preview: tuple[bytes, ...] = ()) -> None:
        self._now = stage, done, total
        self._context.progress(stage, done, total, rate, preview)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started

    # -- load and encode ---------------------------------------------------------------------------

    def loading(self, done: int, total: int) -> None:
        """Before each tensor that is read."""
        self.check()
        if time.monotonic() - self._last_load >= _LOAD_REPORT_S:
            self._last_load = time.monotonic()
            self._progress("load", done, total)

    def loaded(self) -> None:
        self._progress("load", 1, 1)

    def encoding(self, done: int, total: int) -> None:
        """Before each chunk of text, and at the end."""
        self.check()
        self._progress("encode", done, total)

    # -- stages that are counted over the job ------------------------------------------------------

    @contextmanager
    def one(self, stage: str, count: int = 1) -> Iterator[None]:
        """`count` units of a stage are done inside."""
        total = self._totals[stage]
        with self.timed(stage):
            self._progress(stage, self._done[stage], total)
            self.check()
            yield
            self._done[stage] += count
            self.check()
            self._progress(stage, self._done[stage], total)

    @contextmanager
    def units(self, stage: str, count: int) -> Iterator[Callable[[], None]]:
        """`count` units of a stage are done inside, one after the other; gives what is called before each."""
        total, end = self._totals[stage], self._done[stage] + count

        def begin() -> None:
            self.check()
            self._progress(stage, self._done[stage], total)
            # What takes more units than were foretold, in smaller pieces, stays at the last of them.
            self._done[stage] = min(self._done[stage] + 1, end - 1)

        with self.timed(stage):
            yield begin
            self._done[stage] = end
            self.check()
            self._progress(stage, end, total)

    @contextmanager
    def denoising(self, model: Model, calls: int) -> Iterator[Watching]:
        """A pass of so many calls happens inside; gives what makes denoisers watched."""
        before, total = self._done["denoise"], self._totals["denoise"]
        previewer, rate = self._previewer(model), Rate()

        def told(denoised: Tensor) -> None:
            # A sampler that decides its calls itself may need more than were foretold; the total stays.
            self._done["denoise"] = min(self._done["denoise"] + 1, before + calls)
            speed = rate.tick()
            previewer.offer(denoised)
            previews = previewer.take(_PREVIEW_SHARE / speed if speed else 0.0)
            self._progress("denoise", self._done["denoise"], total, speed, previews)

        with self.timed("denoise"):
            if before == 0:
                self._progress("denoise", 0, total)
            yield lambda denoise, shown=_itself: Watched(denoise, self.check, lambda denoised: told(shown(denoised)))
            if self._done["denoise"] < before + calls:
                self._done["denoise"] = before + calls
                self._progress("denoise", before + calls, total)
