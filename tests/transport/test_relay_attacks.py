"""Attacks on a live relay: each ends refused, and another client is served all the while."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import bson
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.frames import Opcode

from sfumato.protocol.codec import encode
from sfumato.protocol.messages import Accepted, Artifact, Cancel, Finished, Hello
from sfumato.transport.channel import Reason
from sfumato.transport.limits import RelayLimits
from sfumato.transport.relay import Relay
from sfumato.transport.relay_words import Enter, TurnedAway, encode_word
from tests.support.hostile_frames import UPGRADE, Thrower, frame, plain_line
from tests.support.relaying import GUEST, OWNER, PATIENCE_S, RawClient, ScriptedShared, client_of, job, relay_before


@pytest.fixture
def shared() -> ScriptedShared:
    return ScriptedShared(answer=lambda client, command: [Accepted(job=command.job, seq=1), Finished(job=command.job, seq=2)])


@pytest.fixture
def relay(shared: ScriptedShared) -> Iterator[Relay]:
    with relay_before(shared) as opened:
        yield opened


@pytest.fixture
def good(relay: Relay) -> Iterator[RawClient]:
    """A client of the owner's that is served before, and must be served after."""
    with RawClient(relay.port, source="127.0.9.9") as client:
        client.enter(label="good")
        client.until(lambda word: isinstance(word, Hello))
        yield client
        assert_served(client, "at the end")


def assert_served(client: RawClient, when: str) -> None:
    name = when.replace(" ", "-")
    client.tell(job(name))
    assert isinstance(client.ending_of(name), Finished)


def wait_until(wanted: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not wanted():
        assert time.monotonic() < ends, "it did not come to be"
        pause.wait(0.01)


def greeted_line(port: int, source: str = "127.0.0.1") -> socket.socket:
    """An upgraded connection that has heard the greeting."""
    line = plain_line(port, source)
    heard = b""
    while b"SFMT" not in heard or len(heard) < heard.index(b"SFMT") + heard[heard.index(b"SFMT") - 1]:
        part = line.recv(4096)
        assert part, heard
        heard += part
    return line


def until_closed(line: socket.socket) -> bytes:
    """All that the server said until it closed."""
    heard = b""
    with suppress(ConnectionResetError):
        while part := line.recv(65536):
            heard += part
    return heard


# -- 8: what is no message ---------------------------------------------------------------------------


NO_MESSAGES: dict[str, bytes] = {
    "text": frame(Opcode.TEXT, b"hello"),
    "empty": frame(Opcode.BINARY, b""),
    "too short": frame(Opcode.BINARY, bytes(47)),
    "zeros": frame(Opcode.BINARY, bytes(48)),
    "a low-order point": frame(Opcode.BINARY, b"\x01" + bytes(47)),
    "not a point": frame(Opcode.BINARY, b"\xff" * 48),
    "65 bytes": frame(Opcode.BINARY, bytes(65)),
    "65535 bytes": frame(Opcode.BINARY, bytes(65535)),
    "65536 bytes": frame(Opcode.BINARY, bytes(65536)),
    "a GiB announced": struct.pack(">BBQ", 0x82, 0xFF, 1 << 30) + bytes(4),
    "more than there is": struct.pack(">BBQ", 0x82, 0xFF, 1 << 63) + bytes(4),
    "fragments that are too long": frame(Opcode.BINARY, bytes(40000), fin=False) + frame(Opcode.CONT, bytes(40000), fin=False),
    "a continuation of nothing": frame(Opcode.CONT, b"x"),
    "unmasked": b"\x82\x30" + bytes(48),
    "compressed": b"\xc2\x80" + bytes(4),
    "unknown opcode": b"\x83\x80" + bytes(4),
    "text that is none": frame(Opcode.TEXT, b"\xff\xfe"),
}


@pytest.mark.rule("N2", "N20", "N21", "R107")
def test_every_refusal_before_authentication_looks_alike(relay: Relay, good: RawClient, shared: ScriptedShared) -> None:
    lines = {name: greeted_line(relay.port, f"127.0.6.{number}") for number, name in enumerate(NO_MESSAGES, 1)}
    try:
        for name, line in lines.items():
            line.sendall(NO_MESSAGES[name])
        heard = {name: until_closed(line) for name, line in lines.items()}
    finally:
        for line in lines.values():
            line.close()
    for name, said in heard.items():
        # One close frame, 1008 and no reason, whatever was wrong; or nothing, where the system threw it away with what was not read.
        assert said == b"\x88\x02\x03\xf0" or (not said and len(NO_MESSAGES[name]) > 60_000), name
    assert len(shared.joined) == 1


def test_a_fragment_without_end_is_cut_off(relay: Relay, good: RawClient) -> None:
    line = plain_line(relay.port)
    try:
        with suppress(ConnectionError):
            line.sendall(frame(Opcode.BINARY, b"", fin=False))
            for _ in range(1000):
                line.sendall(frame(Opcode.CONT, b"", fin=False) * 10)
        until_closed(line)
    finally:
        line.close()


def test_pings_of_the_websocket_that_nobody_reads_take_a_bounded_memory(shared: ScriptedShared) -> None:
    with relay_before(shared, limits=RelayLimits(handshake_s=2.0)) as relay:
        line = greeted_line(relay.port)
        line.settimeout(1.0)
        flood = frame(Opcode.PING, bytes(125)) * 500
        before = psutil.Process().memory_info().rss
        try:
            # The system's own buffers may stand still before ours are full; the server ends it in either case.
            with suppress(ConnectionError, TimeoutError):
                for _ in range(1000):
                    line.sendall(flood)
                pytest.fail("65 MB of pings were taken")
            assert psutil.Process().memory_info().rss - before < 48 << 20
            wait_until(lambda: relay.unproven == 0)
        finally:
            line.close()


@pytest.mark.rule("N6")
@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"\x05\x00\x00\x00\x00", id="an empty document"),
        pytest.param(bson.encode({"type": "submit"}), id="fields missing"),
        pytest.param(bson.encode({"type": "destroy", "job": "a"}), id="an unknown command"),
        pytest.param(bson.encode({"type": "cancel", "job": "../../etc/passwd"}), id="a job's name that is none"),
        pytest.param(bson.encode({"type": "cancel", "job": "a", "more": 1}), id="an unknown field"),
        pytest.param(bson.encode({"type": "resume", "job": "a", "after": -1}), id="a negative number"),
        pytest.param(bson.encode({"type": "resume", "job": "a", "after": 2**62}) + b"", id="far ahead"),
        pytest.param(bson.encode({"type": "feed", "job": "a", "data": bytes((1 << 20) + 1)}), id="a part that is too long"),
        pytest.param(struct.pack("<i", 100) + b"\x02" + bytes(94) + b"\x00", id="lying inner lengths"),
    ],
)
def test_what_is_no_command_ends_the_connection_with_a_sentence(relay: Relay, good: RawClient, document: bytes) -> None:
    with RawClient(relay.port, GUEST.psk) as client:
        client.enter()
        client.tell_document(document)
        client.tell(Cancel(job="marker"))
        word = client.until(lambda word: isinstance(word, TurnedAway) or getattr(word, "job", "") == "marker")
        if isinstance(word, TurnedAway):
            assert word.code == "bad_frame"
            assert client.hear_the_end() == Reason.DONE
        else:
            assert b"resume" in document  # a number that is too high is no mistake


@pytest.mark.rule("R107")
def test_a_document_over_the_limit_ends_the_connection(relay: Relay, good: RawClient) -> None:
    with RawClient(relay.port, GUEST.psk) as client:
        client.enter()
        assert client.channel is not None
        client.line.send(client.channel.part(1, struct.pack("<i", (2 << 20) + 1) + bytes(1000), False))
        assert client.hear_the_end() is None


@pytest.mark.rule("R107")
def test_sixty_five_open_streams_end_the_connection(relay: Relay, good: RawClient) -> None:
    with RawClient(relay.port, GUEST.psk) as client:
        client.enter()
        assert client.channel is not None
        with suppress(ConnectionClosed):
            for stream in range(65):
                client.line.send(client.channel.part(stream, struct.pack("<i", 1000) + bytes(96), False))
        assert client.hear_the_end() is None


def test_a_first_word_that_is_not_enter_is_turned_away(relay: Relay, good: RawClient, shared: ScriptedShared) -> None:
    with RawClient(relay.port, GUEST.psk) as client:
        client.tell(Cancel(job="a"))
        word = client.hear()
        assert isinstance(word, TurnedAway)
        assert word.code == "bad_frame"
    assert len(shared.joined) == 1


# -- 9: the slow, the many, the deaf -----------------------------------------------------------------


@pytest.mark.rule("N20", "N21")
@pytest.mark.parametrize("sent", [b"", UPGRADE[:40], UPGRADE], ids=["tcp", "upgrade", "handshake"])
def test_two_hundred_silent_connections_keep_nobody_waiting(relay: Relay, sent: bytes) -> None:
    with ExitStack() as stack:
        lines: list[socket.socket] = []
        for number in range(200):
            with suppress(ConnectionError):
                line = socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE_S, source_address=(f"127.0.1.{1 + number // 4}", 0))
                stack.callback(line.close)
                lines.append(line)
                line.sendall(sent)
        assert len(lines) == 200
        drip = threading.Event()
        dripping = threading.Thread(target=lambda: _drip(lines, drip))
        dripping.start()
        try:
            waited: list[float] = []
            for number in range(5):
                begun = time.monotonic()
                with RawClient(relay.port, source=f"127.0.2.{1 + number}") as client:
                    client.enter()
                    waited.append(time.monotonic() - begun)
            # The median: this machine has other things to do.
            assert sorted(waited)[2] < 1.0, waited
        finally:
            drip.set()
            dripping.join()


def _drip(lines: list[socket.socket], stop: threading.Event) -> None:
    """A byte a second from each."""
    while not stop.wait(1.0):
        for line in lines:
            with suppress(OSError):
                line.send(b"X")


def test_a_handshake_takes_its_time_at_most(shared: ScriptedShared) -> None:
    with relay_before(shared, limits=RelayLimits(handshake_s=0.5)) as relay:
        # Given: one that is silent in TCP, one in the upgrade, one before its first message, one after it.
        lines = [plain_line(relay.port, f"127.0.3.{number}", sent) for number, sent in enumerate((b"", UPGRADE[:60], UPGRADE), 1)]
        proven = RawClient(relay.port)
        try:
            # Then: all are closed.
            for line in lines:
                until_closed(line)
            assert proven.close_code() == 1008
            with RawClient(relay.port) as client:
                client.enter()
        finally:
            proven.close()
            for line in lines:
                line.close()
        assert list(shared.joined) == [] or len(shared.joined) == 1


def test_who_only_holds_a_line_does_not_keep_the_relay_from_closing(shared: ScriptedShared) -> None:
    with relay_before(shared) as relay:
        lines = [plain_line(relay.port, sent=sent) for sent in (b"", UPGRADE[:50], UPGRADE)]
        with RawClient(relay.port) as client:
            client.enter()
            begun = time.monotonic()
            relay.close()
            assert time.monotonic() - begun < 8
        for line in lines:
            until_closed(line)
            line.close()


@pytest.mark.rule("N20", "R108")
def test_failures_delay_the_next_attempt_of_their_address_and_no_other(relay: Relay) -> None:
    for _ in range(2):
        with pytest.raises(ConnectionClosed):
            RawClient(relay.port, bytes(32), source="127.0.4.1")
    begun = time.monotonic()
    with RawClient(relay.port, source="127.0.4.2") as other:
        other.enter()
    quick = time.monotonic() - begun
    begun = time.monotonic()
    with RawClient(relay.port, source="127.0.4.1") as client:
        client.enter()
    # The second failure had to wait for the first's second, and the success waits two more.
    assert time.monotonic() - begun > 1.5
    assert quick < 1.5


@pytest.mark.rule("N20")
def test_who_would_wait_too_long_is_not_greeted_and_makes_it_no_longer(shared: ScriptedShared) -> None:
    with relay_before(shared, limits=RelayLimits(handshake_s=1.2)) as relay:
        # Given: two failures, so that the next attempt is looked at in two seconds.
        for _ in range(2):
            with pytest.raises(ConnectionClosed):
                RawClient(relay.port, bytes(32), source="127.0.4.3")
        # When: the right secret is tried again and again meanwhile.
        begun = time.monotonic()
        refused = 0
        while True:
            try:
                client = RawClient(relay.port, source="127.0.4.3")
                break
            except ConnectionClosed:
                refused += 1
            assert time.monotonic() - begun < PATIENCE_S
        # Then: it is let in as soon as the delay is over.
        with client:
            client.enter()
        assert refused > 0


@pytest.mark.rule("N20")
def test_behind_a_tunnel_an_attacker_does_not_lock_the_others_out(shared: ScriptedShared) -> None:
    with relay_before(shared, hosts=("studio.example",)) as relay:
        stop = threading.Event()
        attackers = [threading.Thread(target=_guess, args=(relay.port, stop)) for _ in range(4)]
        silent = [plain_line(relay.port, sent=b"") for _ in range(70)]
        for attacker in attackers:
            attacker.start()
        try:
            for host in ("studio.example", "127.0.0.1"):
                begun = time.monotonic()
                with RawClient(relay.port, host=host) as client:
                    client.enter()
                assert time.monotonic() - begun < 8
        finally:
            stop.set()
            for attacker in attackers:
                attacker.join()
            for line in silent:
                line.close()


def _guess(port: int, stop: threading.Event) -> None:
    while not stop.is_set():
        with suppress(OSError, EOFError, ConnectionClosed, InvalidHandshake):
            RawClient(port, bytes(32), host="studio.example")


def test_behind_a_declared_proxy_addresses_are_told_apart(shared: ScriptedShared) -> None:
    with relay_before(shared, trusted_proxies=("127.0.0.1",)) as relay:
        for _ in range(2):
            with pytest.raises(ConnectionClosed):
                RawClient(relay.port, bytes(32), additional_headers={"X-Forwarded-For": "198.51.100.1"})
        with RawClient(relay.port, additional_headers={"X-Forwarded-For": "1.1.1.1, 198.51.100.2"}) as client:
            client.enter()
            assert [one.address for one in relay.clients()] == ["198.51.100.2"]


@pytest.mark.slow
@pytest.mark.rule("N20")
def test_ten_thousand_connects_a_minute_leave_the_good_client_served(relay: Relay, good: RawClient) -> None:
    process = psutil.Process()
    begun = time.monotonic()
    handles = process.num_fds()
    for number in range(1700):  # ten seconds of such a minute
        with suppress(OSError):
            plain_line(relay.port, f"127.0.{5 + number % 200}.{1 + number % 250}", (b"", UPGRADE, b"\x00" * 100)[number % 3]).close()
        if number % 300 == 0:
            assert_served(good, f"after {number}")
    assert time.monotonic() - begun < 60
    assert_served(good, "after all")
    assert process.num_fds() - handles < 100


def test_a_reader_that_never_reads_is_ended_and_its_session_stays(shared: ScriptedShared) -> None:
    with relay_before(shared, limits=RelayLimits(ping_s=0.1, silence_s=1.0)) as relay, RawClient(relay.port) as deaf:
        key = deaf.enter().session
        who = client_of(key, OWNER)
        shared.wait(lambda it: who in it.joined)
        picture = bytes(5_000_000)
        for seq in range(1, 21):
            shared.say(who, Artifact(job="a", seq=seq, name="image", media_type="image/png", data=picture))
        shared.wait(lambda it: it.left == [who])
        with RawClient(relay.port) as again:
            assert again.enter(session=key).continues
        assert not shared.forgotten


def test_more_than_is_kept_for_one_client_ends_its_connection(shared: ScriptedShared) -> None:
    with relay_before(shared, limits=RelayLimits(backlog_bytes=3 << 20)) as relay, RawClient(relay.port) as slow:
        who = client_of(slow.enter().session, OWNER)
        shared.wait(lambda it: who in it.joined)
        for seq in range(1, 200):
            shared.say(who, Artifact(job="a", seq=seq, name="image", media_type="image/png", data=bytes(1_000_000)))
        shared.wait(lambda it: it.left == [who])


def test_commands_without_end_are_taken_as_fast_as_they_are_obeyed(relay: Relay, good: RawClient) -> None:
    with RawClient(relay.port, GUEST.psk) as client:
        client.enter()
        for number in range(2000):
            client.tell(job(f"flood-{number}"))
            if number % 500 == 0:
                assert_served(good, f"while {number}")
        assert isinstance(client.ending_of("flood-1999"), Finished)


# -- 10: messages that were recorded, and who comes first ---------------------------------------------


def _replayed(client: RawClient, other: RawClient) -> list[bytes]:
    assert client.channel is not None
    message = client.channel.ping(bytes(8))
    return [message, message]


def _reordered(client: RawClient, other: RawClient) -> list[bytes]:
    assert client.channel is not None
    return [client.channel.ping(bytes(8)) for _ in range(2)][::-1]


def _reflected(client: RawClient, other: RawClient) -> list[bytes]:
    """What the server itself said."""
    return [client.receive_raw()]


def _truncated(client: RawClient, other: RawClient) -> list[bytes]:
    assert client.channel is not None
    return [client.channel.ping(bytes(8))[:-1]]


def _moved(client: RawClient, other: RawClient) -> list[bytes]:
    assert other.channel is not None
    return [other.channel.ping(bytes(8))]


@pytest.mark.rule("R102", "N5")
@pytest.mark.parametrize("record", [_replayed, _reordered, _reflected, _truncated, _moved])
def test_what_was_recorded_ends_the_connection_it_is_played_to(relay: Relay, good: RawClient, record: Callable[[RawClient, RawClient], list[bytes]]) -> None:
    with RawClient(relay.port, GUEST.psk) as client, RawClient(relay.port, GUEST.psk) as other:
        client.enter()
        other.enter()
        wait_until(lambda: len(relay.clients()) == 3)
        with suppress(ConnectionClosed):
            for message in record(client, other):
                client.line.send(message)
        # Whoever is not understood is hung up on, without a goodbye.
        client.close_code()
        assert client.ending is None
        wait_until(lambda: len(relay.clients()) == 2)


@pytest.mark.rule("R104", "N30")
def test_who_connects_first_has_no_rights_by_that(shared: ScriptedShared) -> None:
    with relay_before(shared) as relay:
        # Given a stranger that is the very first, and stays
        line = greeted_line(relay.port)
        try:
            # When somebody comes with a secret, it is served, and the stranger is nobody still
            with RawClient(relay.port, GUEST.psk, source="127.0.9.2") as client:
                assert client.enter().role == "guest"
                assert [one.role for one in relay.clients()] == ["guest"]
                assert [who.role for who in shared.joined] == ["guest"]
                # Then its commands are no commands: neither sealed, nor in the open
                line.sendall(frame(Opcode.BINARY, encode(job("mine"))))
                assert until_closed(line).endswith(b"\x88\x02\x03\xf0")
                with RawClient(relay.port, stranger=True, source="127.0.9.3") as second:
                    second.receive_raw()
                    second.line.send(encode_word(Enter()))
                    assert second.close_code() == 1008
                assert_served(client, "after")
        finally:
            line.close()
        assert {command.job for _, command in shared.told} == {"after"}


# -- 11: what belongs to somebody else ---------------------------------------------------------------


@pytest.mark.rule("N31", "N40")
def test_a_stolen_session_key_opens_nothing_with_another_secret(relay: Relay, good: RawClient, shared: ScriptedShared) -> None:
    key = next(word.session for word in good.words if isinstance(word, Hello))
    with RawClient(relay.port, GUEST.psk) as thief:
        welcome = thief.enter(session=key)
        assert not welcome.continues
        assert welcome.session != key
        assert welcome.role == "guest"
        assert_served(good, "after the theft")


def test_a_wrong_key_is_a_new_session_and_a_key_of_another_form_is_refused(relay: Relay) -> None:
    with RawClient(relay.port) as client:
        assert not client.enter(session="0" * 32).continues
    for key in ("0" * 31, "../" + "0" * 29, "0" * 33, "G" * 32):
        with RawClient(relay.port) as client:
            document = bson.encode({**Enter().model_dump(), "session": key})
            client.tell_document(document)
            assert isinstance(client.hear(), TurnedAway)


# -- at random ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_thousand_hostile_frames_leave_memory_flat_and_the_good_client_served(relay: Relay, good: RawClient) -> None:
    process = psutil.Process()
    thrower = Thrower(relay.port, GUEST.psk, random.randrange(1 << 30))
    print(f"seed {thrower.seed}")
    thrower.throw(2_000, lambda thrown: assert_served(good, f"after {thrown}"))
    warm = process.memory_info().rss
    thrower.throw(8_000, lambda thrown: assert_served(good, f"after {thrown}"))
    assert process.memory_info().rss - warm < 32 << 20
