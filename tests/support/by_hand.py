"""An executor whose jobs a test runs by hand."""

from __future__ import annotations

from sfumato.jobs.runner import Work


class Recorder:
    """An executor that remembers; a test says by hand what the job does."""

    def __init__(self) -> None:
        self.works: list[Work] = []
        self.cancelled: list[str] = []
        self.fed: list[bytes] = []

    @property
    def started(self) -> list[str]:
        return [work.job.split("/")[0] for work in self.works]

    def named(self, job: str) -> str:
        """The latest work of that job."""
        return next(work.job for work in reversed(self.works) if work.job.split("/")[0] == job)

    def start(self, work: Work) -> None:
        self.works.append(work)

    def cancel(self, job: str, *, is_abandoned: bool = False) -> None:
        self.cancelled.append(job.split("/")[0])

    def feed(self, job: str, data: bytes, last: bool, offset: int | None = None) -> None:
        self.fed.append(data)

    def close(self) -> None:
        self.works.clear()
