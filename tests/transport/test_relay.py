"""The relay as a client meets it: greeting, sessions, commands and events, many clients, ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from sfumato.protocol.messages import Accepted, Artifact, Finished, Hello, Submit
from sfumato.transport.channel import Reason
from sfumato.transport.keys import Identity
from sfumato.transport.limits import RelayLimits
from sfumato.transport.relay import Relay
from sfumato.transport.relay_words import Enter, TurnedAway
from tests.support.relaying import GUEST, OWNER, SALT, RawClient, ScriptedShared, client_of, job, relay_before


@pytest.fixture
def shared() -> ScriptedShared:
    return ScriptedShared()


@pytest.fixture
def relay(shared: ScriptedShared) -> Iterator[Relay]:
    with relay_before(shared) as opened:
        yield opened


@pytest.mark.rule("N3", "N4", "N31")
def test_a_client_is_greeted_welcomed_and_told_what_is_offered(relay: Relay) -> None:
    with RawClient(relay.port) as client:
        assert client.greeting.startswith(b"SFMT")
        assert len(client.greeting) <= 256
        welcome = client.enter(label="my window")
        assert (welcome.role, welcome.continues, welcome.protocol) == ("owner", False, 1)
        assert len(welcome.session) == 32
        assert welcome.limits["session_s"] == 3600
        hello = client.hear()
        assert isinstance(hello, Hello)
        assert (hello.session, hello.role, hello.monitored) == (welcome.session, "owner", False)


def test_commands_reach_the_endpoint_and_events_come_back(relay: Relay, shared: ScriptedShared) -> None:
    with RawClient(relay.port) as client:
        welcome = client.enter()
        client.tell(job("a"))
        shared.wait(lambda it: it.told)
        who, command = shared.told[0]
        assert who == client_of(welcome.session, OWNER)
        assert isinstance(command, Submit)
        shared.say(who, Accepted(job="a", seq=1))
        shared.say(who, Artifact(job="a", seq=2, name="image", media_type="image/png", data=bytes(300_000)))
        shared.say(who, Finished(job="a", seq=3))
        client.ending_of("a")
        assert [event.seq for event in client.of("a")] == [1, 2, 3]
        picture = client.of("a")[1]
        assert isinstance(picture, Artifact)
        assert picture.data == bytes(300_000)


def test_a_wrong_secret_is_closed_without_a_reason(relay: Relay, shared: ScriptedShared) -> None:
    with pytest.raises(ConnectionClosed) as closed:
        RawClient(relay.port, bytes(32))
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "")
    assert not shared.joined


@pytest.mark.rule("N40")
def test_a_session_key_continues_and_takes_over(relay: Relay, shared: ScriptedShared) -> None:
    with RawClient(relay.port) as first:
        key = first.enter().session
        first.hear()
        with RawClient(relay.port) as second:
            welcome = second.enter(session=key)
            assert welcome.continues
            assert welcome.session == key
            assert first.hear_the_end() == Reason.TAKEN_OVER
            second.tell(job("a"))
            shared.wait(lambda it: it.told)
            assert client_of(key, OWNER) not in shared.left
    shared.wait(lambda it: it.left == [client_of(key, OWNER)])


@pytest.mark.rule("N63", "R95")
def test_versions_that_have_nothing_in_common_are_told_whom_to_update(relay: Relay) -> None:
    for theirs, word in (((2, 3), "on the server"), ((0, 0), "on this computer")):
        with RawClient(relay.port) as client:
            client.tell(Enter(protocols=theirs))
            answer = client.hear()
            assert isinstance(answer, TurnedAway)
            assert answer.code == "protocol"
            assert word in answer.message
            assert client.hear_the_end() == Reason.DONE


def test_close_says_goodbye_to_everybody(shared: ScriptedShared) -> None:
    with relay_before(shared) as relay:
        client, guest = RawClient(relay.port), RawClient(relay.port, GUEST.psk)
        client.enter()
        guest.enter()
        relay.close()
        assert client.hear_the_end() == Reason.SHUTTING_DOWN
        assert guest.hear_the_end() == Reason.SHUTTING_DOWN
        client.close()
        guest.close()
    assert len(shared.left) == 2


def test_a_relay_that_cannot_begin_says_so(shared: ScriptedShared) -> None:
    relay = Relay(shared, lambda: [OWNER], salt=SALT, port=70_000)
    with pytest.raises(OverflowError):
        relay.open()
    relay.close()


def test_secrets_that_cannot_be_looked_up_end_nothing(shared: ScriptedShared, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("sfumato.transport.reception.RECHECK_S", 0.0)
    is_broken, asked = threading.Event(), threading.Event()

    def known() -> list[Identity]:
        if is_broken.is_set():
            asked.set()
            raise OSError("unreadable")
        return [OWNER]

    relay = Relay(shared, known, salt=SALT, port=0, limits=RelayLimits(session_s=0.1))
    relay.open()
    try:
        with RawClient(relay.port) as stays, RawClient(relay.port) as goes:
            stays.enter()
            key = goes.enter().session
            is_broken.set()
            assert asked.wait(30)
            goes.close()
            shared.wait(lambda it: any(client == client_of(key, OWNER) for client, _ in it.forgotten))
            with pytest.raises(ConnectionClosed):
                RawClient(relay.port)
            is_broken.clear()
            with RawClient(relay.port) as later:
                later.enter()
    finally:
        relay.close()
    assert "could not be looked up" in caplog.text
    assert "could not be let in" in caplog.text
