"""What the journal keeps and what it lets go."""

from __future__ import annotations

import pytest

from sfumato.jobs.clients import Client
from sfumato.jobs.journal import Journal
from sfumato.protocol.messages import Accepted, Artifact, Finished, Progress

ME = Client("me", "me")


def test_only_the_latest_progress_keeps_its_pictures() -> None:
    journal = Journal()
    record = journal.open(ME, "a")
    for seq in range(1, 6):
        journal.add(record, Progress(job="a", seq=seq, stage="denoise", done=seq, total=5, preview=(b"x" * 1000,)))
    assert [len(event.preview) for event in record.events if isinstance(event, Progress)] == [0, 0, 0, 0, 1]
    assert [event.seq for event in record.events] == [1, 2, 3, 4, 5]


@pytest.mark.rule("R86")
def test_memory_stays_bounded_over_ten_thousand_jobs_and_running_jobs_are_never_forgotten() -> None:
    journal = Journal(limit_bytes=1_000_000, limit_jobs=200)
    running = journal.open(ME, "running")
    journal.add(running, Accepted(job="running", seq=1))
    for number in range(10_000):
        job = f"job-{number}"
        record = journal.open(ME, job)
        journal.add(record, Artifact(job=job, seq=1, name="image-0", media_type="image/png", data=b"x" * 20_000))
        journal.add(record, Finished(job=job, seq=2))
    kept = [number for number in range(10_000) if journal.get("me", f"job-{number}")]
    assert len(kept) <= 50
    assert kept[-1] == 9999
    assert journal.get("me", "running") is running


@pytest.mark.rule("R86")
def test_a_job_that_says_more_than_fits_keeps_its_newest_words_in_order() -> None:
    journal = Journal(limit_bytes=1_000_000)
    record = journal.open(ME, "long")
    for seq in range(1, 20_000, 2):
        journal.add(record, Progress(job="long", seq=seq, stage="denoise", done=seq, total=20_000))
        journal.add(record, Artifact(job="long", seq=seq + 1, name=f"image-{seq}", media_type="image/png", data=b"x" * 1_000))
    assert record.size_bytes <= 1_000_000
    kept = [event.seq for event in record.events]
    assert kept == sorted(kept)
    assert kept[-1] == 20_000
    assert sum(isinstance(event, Artifact) for event in record.events) > 100


def test_a_flood_of_little_jobs_costs_nobody_else_what_was_kept_for_it() -> None:
    journal = Journal(limit_jobs=20)
    mine = journal.open(ME, "mine")
    journal.add(mine, Artifact(job="mine", seq=1, name="image-0", media_type="image/png", data=b"x" * 100_000))
    journal.add(mine, Finished(job="mine", seq=2))
    guest = Client("guest", "guest", "guest")
    for number in range(100):
        record = journal.open(guest, f"job-{number}")
        journal.add(record, Accepted(job=record.job, seq=1))
        journal.add(record, Finished(job=record.job, seq=2))
    assert journal.get("me", "mine") is mine
    assert journal.get("guest", "job-99") is not None
    assert journal.get("guest", "job-0") is None
