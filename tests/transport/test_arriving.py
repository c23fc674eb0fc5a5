"""Artifacts that are fetched in the background: whole and right, in their place among the events of their job, or told as lost."""

from __future__ import annotations

import hashlib

import pytest

from sfumato.protocol.messages import Artifact, Failed, Finished, JobEvent, Progress, Submit
from sfumato.transport.arriving import Arriving, Transfer

DATA = bytes(range(256)) * 100


def _named(seq: int = 1) -> Artifact:
    info = {"index": seq, "blob": {"size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}}
    return Artifact(job="a", seq=seq, name="image", media_type="image/png", blob=f"a.{seq}", info=info)


def _part(fetch: Submit, data: bytes) -> Artifact:
    return Artifact(job=fetch.job, seq=2, name="part", media_type="x", data=data)


def _deliver(arriving: Arriving, fetch: Submit, data: bytes) -> tuple[tuple[JobEvent, ...], tuple[Submit, ...]]:
    arriving.hear(_part(fetch, data))
    step = arriving.hear(Finished(job=fetch.job, seq=3))
    return step.tell, step.submit


@pytest.mark.rule("N50", "D161")
def test_parts_are_asked_for_behind_what_arrived_also_after_a_lost_line_and_the_ending_comes_last() -> None:
    transfers: list[Transfer] = []
    arriving = Arriving(transfers.append)
    (first,) = arriving.take(_named()).submit
    progress, ending = Progress(job="a", seq=2, stage="x"), Finished(job="a", seq=3)
    assert arriving.take(progress).tell == arriving.take(ending).tell == ()
    told, (second,) = _deliver(arriving, first, DATA[:10_000])
    assert told == () and second.params == {"blob": "a.1", "offset": 10_000}
    (third,) = arriving.on_line()
    assert third.params == second.params and third.job != second.job
    assert not arriving.is_fetch(second.job)
    told, _ = _deliver(arriving, third, DATA[10_000:])
    assert told[1:] == (progress, ending)
    assert isinstance(told[0], Artifact)
    assert (told[0].data, told[0].blob, told[0].info, told[0].seq) == (DATA, "", {"index": 1}, 1)
    assert [transfer.done for transfer in transfers] == [10_000, len(DATA)]
    assert arriving.is_empty


@pytest.mark.rule("N50")
def test_a_wrong_hash_is_fetched_once_more_and_then_told_in_place_of_the_ending() -> None:
    arriving = Arriving()
    (first,) = arriving.take(_named()).submit
    arriving.take(Finished(job="a", seq=2))
    told, (again,) = _deliver(arriving, first, bytes(len(DATA)))
    assert told == () and again.params["offset"] == 0
    told, _ = _deliver(arriving, again, bytes(len(DATA)))
    assert [event.seq for event in told] == [1, 2]
    assert isinstance(told[0], Progress) and isinstance(told[1], Failed)
    assert told[1].code == "checksum"
    assert arriving.is_empty
