"""Documents, pings and goodbyes between two ends that have shaken hands; what is said first; what an end holds in memory."""

from __future__ import annotations

import secrets
import struct

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.transport import channel as channels
from sfumato.transport.batches import FEWEST_BYTES, MOST_BYTES, QUICK_S, SLOW_S, Pace
from sfumato.transport.channel import (
    COMMAND_BYTES,
    EVENT_BYTES,
    MESSAGE_BYTES,
    PART_BYTES,
    Channel,
    ChannelError,
    Closed,
    Document,
    DocumentTooLong,
    Incoming,
    Ping,
    Pong,
    Reason,
)
from sfumato.transport.greeting import Greeting, Knock, answer
from sfumato.transport.keys import Identity
from sfumato.transport.noise import CipherState
from sfumato.transport.outbox import LONG_AT_ONCE, SHORT_IN_A_ROW, Outbox

PSK = bytes(range(32))
OWNER = Identity("me", "owner", PSK, "owner")


def ends() -> tuple[Channel, Channel]:
    """Client and server after a real handshake."""
    greeting = Greeting(secrets.token_bytes(16)).to_bytes()
    knock = Knock(PSK, greeting)
    found = answer(knock.message, greeting, [OWNER])
    assert found is not None
    return knock.enter(found.reply), found.channel


def document(size: int) -> bytes:
    """A BSON document of exactly `size` bytes."""
    return bson.encode({"d": bytes(size - len(bson.encode({"d": b""})))})


def emptied(outbox: Outbox) -> list[bytes]:
    messages: list[bytes] = []
    while (message := outbox.next()) is not None:
        messages.append(message)
    return messages


def carried(outbox: Outbox, receiving: Channel) -> list[object]:
    """Everything that the other end hears of what waits."""
    return [heard for message in emptied(outbox) if (heard := receiving.receive(message)) is not None]


@pytest.mark.rule("N6")
@pytest.mark.parametrize("size", [5, 100, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, COMMAND_BYTES])
def test_a_document_arrives_as_it_was_sent(size: int) -> None:
    client, server = ends()
    data = b"\5\0\0\0\0" if size == 5 else document(size)
    assert len(data) == size
    outbox = Outbox(client)
    outbox.put(data)
    assert outbox.pending_bytes == size
    messages = emptied(outbox)
    assert outbox.pending_bytes == 0
    assert outbox.is_empty
    assert len(messages) == -(-size // PART_BYTES)
    assert max(map(len, messages)) <= MESSAGE_BYTES
    assert [server.receive(message) for message in messages] == [None] * (len(messages) - 1) + [Document(data)]
    assert server.incoming == ()


def test_both_directions_have_keys_of_their_own() -> None:
    client, server = ends()
    assert client.ping(b"12345678") != server.ping(b"12345678")
    client, server = ends()
    assert server.receive(client.ping(b"12345678")) == Ping(b"12345678")
    assert client.receive(server.pong(b"12345678")) == Pong(b"12345678")
    assert server.receive(client.padding(0)) is None
    assert server.receive(client.padding(1000)) is None


@pytest.mark.rule("N7")
def test_a_goodbye_is_heard_and_ends_both_ends() -> None:
    client, server = ends()
    assert not client.is_over
    assert client.receive(server.close(Reason.SHUTTING_DOWN)) == Closed(Reason.SHUTTING_DOWN)
    for end in (client, server):
        assert end.is_over
        with pytest.raises(ChannelError):
            end.ping(bytes(8))
        with pytest.raises(ChannelError):
            end.receive(bytes(17))


@pytest.mark.rule("N6")
def test_pings_pass_everything_and_short_documents_pass_long_ones() -> None:
    client, server = ends()
    outbox = Outbox(server)
    long, short = document(20 * PART_BYTES), document(100)
    outbox.put(long)
    first = outbox.next()
    assert first is not None
    assert client.receive(first) is None
    outbox.put(short)
    outbox.ping(b"question")
    outbox.pong(b"response")
    assert carried(outbox, client) == [Ping(b"question"), Pong(b"response"), Document(short), Document(long)]


def test_documents_of_one_order_keep_it() -> None:
    client, server = ends()
    outbox = Outbox(server)
    long, short, other = document(5 * PART_BYTES), document(200), document(300)
    outbox.put(long, order="a")
    outbox.put(short, order="a")
    outbox.put(lambda: long, len(long), order="a")
    outbox.put(other, order="b")
    outbox.put(short, order="a")
    assert carried(outbox, client) == [Document(other), Document(long), Document(short), Document(long), Document(short)]
    assert outbox.is_empty
    # And an order that has ended can begin again.
    outbox.put(other, order="a")
    assert carried(outbox, client) == [Document(other)]


def test_long_documents_share_the_line_and_none_is_kept_waiting_by_short_ones() -> None:
    client, server = ends()
    outbox = Outbox(server)
    longs = [document((3 + number) * PART_BYTES) for number in range(3)]
    for long in longs:
        outbox.put(long)
    for _ in range(200):
        outbox.put(document(100))
    heard = [client.receive(message) for message in emptied(outbox)]
    done = [one.data for one in heard if isinstance(one, Document)]
    assert [data for data in done if len(data) > PART_BYTES] == longs
    # Twelve parts in between, one after each sixteen short ones.
    assert heard.index(None) == SHORT_IN_A_ROW
    assert heard.index(Document(longs[-1])) < len(heard) - 1


def test_a_document_is_made_when_its_turn_has_come() -> None:
    client, server = ends()
    outbox = Outbox(server)
    made: list[str] = []

    def make(name: str, data: bytes) -> bytes:
        made.append(name)
        return data

    long = document(4 * PART_BYTES)
    for number in range(LONG_AT_ONCE + 2):
        outbox.put(lambda number=number: make(f"long {number}", long), len(long))
    outbox.put(lambda: make("nothing", b""), 10)
    outbox.put(lambda: make("misjudged", long), 10)
    assert outbox.pending_bytes == (LONG_AT_ONCE + 2) * len(long) + 20
    assert made == []
    first = outbox.next()
    assert first is not None
    assert client.receive(first) is None
    # What was thought short is long, and joins those.
    assert made == ["nothing", "misjudged", *(f"long {number}" for number in range(LONG_AT_ONCE - 1))]
    assert carried(outbox, client) == [Document(long)] * (LONG_AT_ONCE + 3)


WAITING = st.tuples(st.integers(13, 4 * PART_BYTES) | st.integers(13, 200), st.sampled_from(["", "a", "b"]), st.booleans(), st.integers(0, 3))


@given(st.lists(WAITING, max_size=30))
@settings(deadline=None)
def test_whatever_waits_arrives_once_and_whole_and_in_its_order(waiting: list[tuple[int, str, bool, int]]) -> None:
    client, server = ends()
    outbox = Outbox(server)
    put: dict[str, list[bytes]] = {"": [], "a": [], "b": []}
    heard: list[object] = []
    for number, (size, order, is_made_late, sent_between) in enumerate(waiting):
        data = struct.pack("<ii", size, number) + bytes(size - 8)
        put[order].append(data)
        # What is made late may have been judged wrongly.
        outbox.put((lambda data=data: data) if is_made_late else data, size // 3 if number % 2 else size, order=order)
        heard.extend(client.receive(message) for message in (outbox.next() for _ in range(sent_between)) if message is not None)
    heard.extend(carried(outbox, client))
    arrived = [one.data for one in heard if isinstance(one, Document)]
    assert sorted(arrived) == sorted(data for group in put.values() for data in group)
    for order in ("a", "b"):
        assert [data for data in arrived if data in put[order]] == put[order]
    assert outbox.is_empty
    assert outbox.pending_bytes == 0
    assert client.incoming == ()


@pytest.mark.rule("N6")
def test_a_document_that_the_other_end_would_refuse_is_not_sent() -> None:
    client, server = ends()
    outbox = Outbox(client)
    outbox.put(bytes(COMMAND_BYTES + 1), order="job")
    outbox.put(document(50), order="job")
    with pytest.raises(DocumentTooLong, match=str(COMMAND_BYTES)):
        outbox.next()
    assert carried(outbox, server) == [Document(document(50))]


def test_a_batch_is_what_would_be_sent_next_and_leaves_out_what_the_other_side_would_refuse() -> None:
    client, server = ends()
    outbox = Outbox(client)
    left_out: list[DocumentTooLong] = []
    outbox.put(document(50))
    outbox.put(bytes(COMMAND_BYTES + 1))
    outbox.put(document(10 * PART_BYTES))
    outbox.ping(bytes(8))
    batches: list[list[bytes]] = []
    while batch := outbox.batch(3 * MESSAGE_BYTES, left_out.append):
        batches.append(batch)
    heard = [found for batch in batches for message in batch if (found := server.receive(message)) is not None]
    assert heard == [Ping(bytes(8)), Document(document(50)), Document(document(10 * PART_BYTES))]
    assert len(left_out) == 1
    assert len(batches) > 2
    assert all(sum(map(len, batch)) < 4 * MESSAGE_BYTES for batch in batches)
    assert outbox.is_empty


def test_a_batch_ends_with_a_goodbye_and_none_follows() -> None:
    client, server = ends()
    outbox = Outbox(server)
    outbox.close(Reason.DONE)
    outbox.put(document(50))
    assert [client.receive(message) for message in outbox.batch(MESSAGE_BYTES)] == [Closed(Reason.DONE)]
    with pytest.raises(ChannelError):
        outbox.batch(MESSAGE_BYTES)


def test_much_is_sent_at_once_over_a_quick_line_and_little_over_a_slow_one() -> None:
    pace = Pace()
    assert pace.batch_bytes == FEWEST_BYTES
    for _ in range(10):
        pace.took(QUICK_S / 2)
    assert pace.batch_bytes == MOST_BYTES
    pace.took((QUICK_S + SLOW_S) / 2)
    assert pace.batch_bytes == MOST_BYTES
    pace.took(2 * SLOW_S)
    assert pace.batch_bytes == FEWEST_BYTES


def test_a_goodbye_lets_go_of_what_waits() -> None:
    client, server = ends()
    outbox = Outbox(server)
    for size in (100, 10 * PART_BYTES):
        outbox.put(document(size), order="a")
    outbox.ping(bytes(8))
    outbox.close(Reason.TOO_SLOW)
    assert carried(outbox, client) == [Closed(Reason.TOO_SLOW)]
    assert outbox.is_empty
    assert outbox.pending_bytes == 0


@given(st.lists(st.integers(0, 200) | st.integers(channels.LITTLE_BYTES - 5, channels.LITTLE_BYTES + 5) | st.just(PART_BYTES), max_size=12))
@settings(deadline=None)
def test_a_document_arrives_whole_however_it_was_cut(sizes: list[int]) -> None:
    client, server = ends()
    data = struct.pack("<i", sum(sizes) + 5) + secrets.token_bytes(sum(sizes) + 1)
    assert client.receive(server.part(7, data[:5], False)) is None
    at = 5
    for size in sizes:
        assert client.receive(server.part(7, data[at : at + size], False)) is None
        at += size
        assert client.incoming == (Incoming(7, at, len(data)),)
    assert client.receive(server.part(7, b"", True)) == Document(data)
    assert client.incoming == ()


def test_what_has_arrived_of_a_long_document_can_be_asked() -> None:
    client, server = ends()
    outbox = Outbox(server)
    size = 3 * PART_BYTES
    outbox.put(document(size))
    seen = []
    for message in emptied(outbox):
        client.receive(message)
        seen.append(client.incoming)
    assert seen == [(Incoming(1, PART_BYTES, size),), (Incoming(1, 2 * PART_BYTES, size),), ()]


@pytest.mark.rule("N5")
def test_keys_change_after_65536_messages_of_a_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[int] = []
    rekey = CipherState.rekey
    monkeypatch.setattr(CipherState, "rekey", lambda cipher: (changes.append(cipher.nonce), rekey(cipher))[1])
    client, server = ends()
    for number in range(2**16 + 2):
        assert server.receive(client.ping(struct.pack(">Q", number))) is not None
        assert changes == ([] if number < 2**16 - 1 else [2**16, 2**16])
    # The other direction has not moved.
    assert client.receive(server.pong(bytes(8))) == Pong(bytes(8))
    assert changes == [2**16, 2**16]


def test_the_limits_are_those_of_the_specification() -> None:
    client, server = ends()
    assert (channels.OPEN_STREAMS, channels.REKEY_MESSAGES, MESSAGE_BYTES) == (64, 65536, 65535)
    assert server.receive_limit_bytes == client.send_limit_bytes == COMMAND_BYTES == 2 * 2**20
    assert client.receive_limit_bytes == server.send_limit_bytes == EVENT_BYTES == 256 * 2**20
