"""The queue's file: what it holds after a kill, in which order, and what is removed with the jobs."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sfumato.jobs.queue_store import ENDED_KEPT, FILE, QueueStore, StoredJob
from sfumato.protocol.errors import NotWritable

SOURCE = Path(__file__).resolve().parents[2] / "source"


def job(name: str, **values: object) -> StoredJob:
    return StoredJob(name, "generate", {"prompt": f"picture {name}", "seed": 7}, **values)  # type: ignore[arg-type]  # a test's shorthand


def opened(folder: Path) -> QueueStore:
    store = QueueStore(folder)
    store.load()
    return store


def loaded(folder: Path) -> list[tuple[str, str]]:
    store = QueueStore(folder)
    found = [(row.id, row.state) for row in store.load().jobs]
    store.close()
    return found


@pytest.mark.rule("D84", "R72", "R137")
def test_what_ran_comes_back_interrupted_and_first_and_the_rest_in_order(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add([(job("a"), {}, 0), (job("b"), {}, 1), (job("c"), {}, 2)])
    store.add([(job("first"), {}, -5)])
    store.begin("b", 1)
    store.pictured("b", 2)
    store.begin("c", 1)
    store.end(["c"], "finished")
    # No close: the process is gone.
    again = QueueStore(tmp_path).load()
    assert [(row.id, row.state, row.pictures) for row in again.jobs] == [
        ("b", "interrupted", 2),
        ("first", "waiting", 0),
        ("a", "waiting", 0),
        ("c", "finished", 0),
    ]
    assert again.jobs[0].params == {"prompt": "picture b", "seed": 7}


@pytest.mark.rule("D84")
def test_every_change_answered_before_sigkill_is_there_afterwards(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from sfumato.jobs.queue_store import QueueStore, StoredJob\n"
        "store = QueueStore(Path(sys.argv[1])); store.load()\n"
        "number = 0\n"
        "while True:\n"
        "    store.add([(StoredJob(f'{number:06}', 'generate', {}), {'image': b'%d' % number}, number)])\n"
        "    print(number, flush=True); number += 1\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(SOURCE)})
    assert process.stdout is not None
    answered = -1
    while answered < 25:
        answered = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = [int(line) for line in process.stdout.read().split()]
    process.wait()
    process.stdout.close()
    answered = max([answered, *rest])

    store = QueueStore(tmp_path)
    rows = store.load().jobs
    assert [row.id for row in rows][: answered + 1] == [f"{number:06}" for number in range(answered + 1)]
    assert store.blobs.read(rows[answered].blobs["image"]) == b"%d" % answered


def test_commits_wait_for_the_disk(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store._connection is not None
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,), "FULL: power may go after an answer"
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.rule("D85", "R69")
def test_a_picture_is_stored_once_by_content_and_goes_with_the_last_job_that_needs_it(tmp_path: Path) -> None:
    store = opened(tmp_path)
    first, second = job("a"), job("b")
    store.add([(first, {"x": b"same"}, 0), (second, {"y": b"same", "z": b"other"}, 1)])
    names = {hashlib.sha256(data).hexdigest() for data in (b"same", b"other")}
    assert {path.name for path in (tmp_path / "blobs").iterdir()} == names
    assert store.begin("b", 1) == {"y": b"same", "z": b"other"}
    store.remove(["b"])
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [hashlib.sha256(b"same").hexdigest()]
    store.remove(["a"])
    assert list((tmp_path / "blobs").iterdir()) == []


@pytest.mark.slow
@pytest.mark.rule("R69")
def test_a_thousand_jobs_with_pictures_leave_a_bounded_store(tmp_path: Path) -> None:
    now = [0.0]
    store = QueueStore(tmp_path, clock=lambda: now.__setitem__(0, now[0] + 1) or now[0])
    store.load()
    for start in range(0, 1000, 50):
        names = [f"{start + offset:04}" for offset in range(50)]
        store.add([(job(name), {"image": name.encode()}, 0) for name in names])
        store.end(names, "finished")
    assert len(list((tmp_path / "blobs").iterdir())) == ENDED_KEPT
    assert len(store.load().jobs) == ENDED_KEPT


def test_ended_jobs_can_wait_again_and_places_can_change(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add([(job("a"), {}, 0), (job("b"), {}, 1), (job("c"), {}, 2)])
    store.end(["a"], "failed", "It did not work.")
    assert loaded(tmp_path) == [("b", "waiting"), ("c", "waiting"), ("a", "failed")]
    store.retry("a", 3, 0)
    store.place([("c", -1)])
    store.edit("b", {"prompt": "new"})
    assert loaded(tmp_path) == [("c", "waiting"), ("b", "waiting"), ("a", "waiting")]
    assert QueueStore(tmp_path).load().jobs[1].params == {"prompt": "new"}
    store.put_back("b", -9, 1)
    row = QueueStore(tmp_path).load().jobs[0]
    assert (row.id, row.deaths) == ("b", 1)


@pytest.mark.rule("D84")
def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(random.Random(1).randbytes(8192))
    found = QueueStore(tmp_path).load()
    assert found.jobs == [] and "set aside" in found.complaint
    assert len(list(tmp_path.glob("queue.damaged-*.sqlite"))) == 1


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "queue").write_text("a file")
    with pytest.raises(NotWritable):
        QueueStore(tmp_path / "queue").load()


@pytest.mark.rule("D87")
def test_five_thousand_waiting_jobs_load_in_half_a_second(tmp_path: Path) -> None:
    from sfumato.protocol.requests.generate import Generate

    store = opened(tmp_path)
    params = Generate(prompt="a red circle on white, " * 8).model_dump(mode="json")
    store.add([(StoredJob(f"{number:05}", "generate", {**params, "seed": number}), {}, number) for number in range(5000)])
    store.close()
    best = min(_load_seconds(tmp_path) for _ in range(3))
    assert best < 0.5, f"{best * 1000:.0f} ms"


def _load_seconds(folder: Path) -> float:
    store = QueueStore(folder)
    began = time.perf_counter()
    assert len(store.load().jobs) == 5000
    taken = time.perf_counter() - began
    store.close()
    return taken


def test_parameters_come_back_as_they_were_however_different_they_are(tmp_path: Path) -> None:
    store = opened(tmp_path)
    wanted = [
        {"steps": 5, "prompt": "a"},
        {"steps": 5},
        {"prompt": "b", "list": [1, {"x": None}]},
        {f"n{k}": k for k in range(40)},
        {},
        {"steps": 5.0, "on": True},
    ]
    for number, params in enumerate(wanted):
        store.add([(StoredJob(str(number), "generate", dict(params)), {}, number)])
    store.edit("1", {"steps": 9, "prompt": "z"})
    store.remove(["3"])
    store.add([(StoredJob("6", "generate", {"last": 1}), {}, 6)])
    wanted[1] = {"steps": 9, "prompt": "z"}
    found = {row.id: row.params for row in QueueStore(tmp_path).load().jobs}
    assert found == {**{str(number): params for number, params in enumerate(wanted) if number != 3}, "6": {"last": 1}}


def test_names_of_stored_pictures_never_leave_the_folder(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for name in ("../queue.sqlite", "", "A" * 64, "/etc/passwd"):
        with pytest.raises(ValueError, match="names no stored picture"):
            store.blobs.read(name)


def test_a_change_of_an_unopened_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotWritable):
        QueueStore(tmp_path).remove(["a"])


def test_a_failed_change_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add([(job("a"), {}, 0)])
    with pytest.raises((NotWritable, sqlite3.Error, TypeError)):
        store.add([(job("b"), {}, 1), (StoredJob("c", "generate", {"x": object()}), {}, 2)])
    assert loaded(tmp_path) == [("a", "waiting")]


@pytest.mark.rule("D84")
@pytest.mark.parametrize("damage", ["UPDATE jobs SET params = '{'", "DELETE FROM bases", "ALTER TABLE jobs DROP COLUMN deaths"])
def test_rows_that_nobody_understands_are_set_aside_with_their_file(tmp_path: Path, damage: str) -> None:
    store = opened(tmp_path)
    store.add([(job("a"), {}, 0)])
    store.close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute(damage)
    connection.close()
    again = QueueStore(tmp_path)
    found = again.load()
    assert not found.jobs and "set aside" in found.complaint
    assert len(list(tmp_path.glob("queue.damaged-*.sqlite"))) == 1
    again.add([(job("b"), {}, 0)])
    again.close()
    assert loaded(tmp_path) == [("b", "waiting")]


def test_a_file_that_is_locked_is_not_taken_for_damaged(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NotWritable):
            QueueStore(tmp_path).load()
        other.execute("ROLLBACK")
    other.close()
    assert not list(tmp_path.glob("queue.damaged-*"))
