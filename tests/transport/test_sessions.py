"""Sessions: whose they are, how long they last, and that they outlive the server."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sfumato.transport.sessions import Sessions, TooManySessions, id_of
from tests.support.relaying import GUEST, OTHER_GUEST, OWNER


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.rule("N31", "N40")
def test_a_key_has_128_bits_and_finds_its_session_for_its_identity_alone(clock: Clock) -> None:
    sessions = Sessions(clock=clock)
    key, session, displaced = sessions.open(GUEST)
    assert len(bytes.fromhex(key)) == 16
    assert not displaced
    assert sessions.find(key, GUEST) is session
    assert sessions.find(key, OWNER) is None
    assert sessions.find(key, OTHER_GUEST) is None
    assert sessions.find("", GUEST) is None
    assert sessions.find("0" * 32, GUEST) is None
    assert key not in session.id
    assert session.client.identity == GUEST.name


@pytest.mark.rule("N40")
def test_a_lost_session_ends_after_its_time_and_a_connected_one_does_not(clock: Clock) -> None:
    sessions = Sessions(session_s=3600, clock=clock)
    key, lost, _ = sessions.open(OWNER)
    _, here, _ = sessions.open(OWNER)
    for session in (lost, here):
        sessions.came(session)
    sessions.left(lost)
    clock.now += 3599
    assert sessions.take_expired() == []
    assert sessions.find(key, OWNER) is lost
    clock.now += 2
    assert sessions.find(key, OWNER) is None
    assert sessions.take_expired() == [lost]
    assert sessions.take_expired() == []
    assert list(sessions) == [here]


def test_an_identity_has_a_bounded_number_and_the_longest_lost_goes_first(clock: Clock) -> None:
    sessions = Sessions(per_identity=3, clock=clock)
    opened = [sessions.open(GUEST)[1] for _ in range(3)]
    for session in opened:
        sessions.came(session)
    with pytest.raises(TooManySessions):
        sessions.open(GUEST)
    for session in (opened[1], opened[0]):
        clock.now += 1
        sessions.left(session)
    assert sessions.open(GUEST)[2] == [opened[1]]
    sessions.open(OWNER)
    assert len(sessions) == 4


@pytest.mark.rule("N42")
def test_sessions_outlive_the_server_and_no_key_is_written(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "relay" / "sessions.json"
    before = Sessions(path, clock=clock)
    key, session, _ = before.open(GUEST)
    before.came(session)
    clock.now += 5000  # connected all the while
    before.write(before.snapshot())
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0  # identities are named by what their secrets became
    text = path.read_text()
    assert key not in text
    assert bytes.fromhex(key).hex() not in text.lower()
    clock.now += 60
    after = Sessions(path, clock=clock)
    found = after.find(key, GUEST)
    assert found is not None
    assert (found.id, found.client) == (session.id, session.client)
    assert not found.is_connected
    assert after.find(key, OWNER) is None
    clock.now += 3600
    assert [one.id for one in after.take_expired()] == [session.id]


def test_a_damaged_file_begins_anew(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "sessions.json"
    good = {"id": id_of("x"), "identity": "me", "role": "owner", "last_seen": clock.now + 1e9}
    for content in (b"", b"{", b"[]", b'{"sessions": 3}', b'{"sessions": [1, {"id": 2}, {"id": "x"}]}', b"\xff\xfe"):
        path.write_bytes(content)
        assert len(Sessions(path, clock=clock)) == 0
    path.write_text(json.dumps({"sessions": [good, {**good, "id": "short"}, {**good, "role": "god"}]}))
    sessions = Sessions(path, clock=clock)
    assert len(sessions) == 1
    # A time in the future does not make a session last for ever.
    clock.now += 3601
    assert len(sessions.take_expired()) == 1


def test_what_cannot_be_written_is_told_and_the_server_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    sessions = Sessions(tmp_path / "file" / "sessions.json")
    sessions.open(OWNER)
    sessions.write(sessions.snapshot())
    assert "were not written" in caplog.text
