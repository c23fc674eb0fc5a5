"""What an attacker tries on the channel. Each attempt ends refused, while another client of the same server goes on undisturbed."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace

import bson
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.protocol.codec import MAX_DEPTH, decode_command, encode
from sfumato.protocol.errors import BadFrame
from sfumato.protocol.messages import Submit
from sfumato.protocol.secret import Secret
from sfumato.transport.channel import (
    COMMAND_BYTES,
    EVENT_BYTES,
    MESSAGE_BYTES,
    OPEN_STREAMS,
    PART_BYTES,
    PASSING_BYTES,
    REKEY_MESSAGES,
    Channel,
    ChannelError,
    Document,
    Kind,
    Ping,
    server_channel,
)
from sfumato.transport.greeting import GREETING_BYTES, Greeting, Knock, NotSfumato, OtherVersion, UnacceptableParameters, answer
from sfumato.transport.keys import Identity, ScryptParameters, make_secret, psk_of
from sfumato.transport.noise import HANDSHAKE_BYTES, LAST_NONCE, CipherState, Handshake, NoiseError
from sfumato.transport.outbox import Outbox
from tests.transport.test_channel import carried, document, emptied
from tests.transport.test_noise import LOW_ORDER, PointOfMine

SALT = bytes(range(16))
OWNER_SECRET, GUEST_SECRET = make_secret(), make_secret()
OWNER = Identity("owner", "owner", psk_of(OWNER_SECRET, SALT, ScryptParameters()), "owner")
GUEST = Identity("guest", "guest", psk_of(GUEST_SECRET, SALT, ScryptParameters()), "guest")
KNOWN = [OWNER, GUEST]
PART = struct.Struct(">BI")


def greeted() -> bytes:
    return Greeting(SALT).to_bytes()


def connected(psk: bytes = OWNER.psk) -> tuple[Channel, Channel]:
    """Client and server of a new connection."""
    greeting = greeted()
    knock = Knock(psk, greeting)
    found = answer(knock.message, greeting, KNOWN)
    assert found is not None
    return knock.enter(found.reply), found.channel


def raw() -> tuple[CipherState, Channel]:
    """A client that knows the secret and keeps to no rule, and the server it is connected to."""
    greeting = greeted()
    handshake = Handshake(True, OWNER.psk, greeting)
    found = answer(handshake.write(), greeting, KNOWN)
    assert found is not None
    handshake.read(found.reply)
    return handshake.split()[0], found.channel


def part(kind: int, stream: int, data: bytes) -> bytes:
    return PART.pack(kind, stream) + data


def announcing(total: int, data: bytes = b"") -> bytes:
    return struct.pack("<i", total) + data


def refused(channel: Channel, message: bytes | str) -> None:
    """`message` ends the channel, for reading and for writing, and nothing is kept."""
    with pytest.raises(ChannelError):
        channel.receive(message)
    assert channel.is_over
    assert channel.incoming == ()
    with pytest.raises(ChannelError):
        channel.receive(message)
    with pytest.raises(ChannelError):
        channel.ping(bytes(8))


@pytest.fixture(autouse=True)
def _another_client_goes_on() -> Iterator[None]:
    client, server = connected(GUEST.psk)
    yield
    outbox = Outbox(client)
    data = document(3 * PART_BYTES)
    outbox.put(data)
    assert carried(outbox, server) == [Document(data)]
    # And a new one is let in.
    connected()


# 1. Wrong secrets, changed greetings


@pytest.mark.rule("N3", "N11")
def test_each_identity_is_recognised_by_its_own_secret() -> None:
    greeting = greeted()
    for identity in KNOWN:
        found = answer(Knock(identity.psk, greeting).message, greeting, KNOWN)
        assert found is not None
        assert found.identity is identity


@pytest.mark.rule("N1")
@pytest.mark.parametrize("secret", [make_secret(), Secret("sfk1." + "A" * 43), Secret(OWNER_SECRET.reveal()[:-1] + "!"), Secret("a wrong password")])
def test_a_wrong_secret_is_nobody(secret: Secret) -> None:
    greeting = greeted()
    psk = psk_of(secret, SALT, ScryptParameters(n=2**16))
    assert answer(Knock(psk, greeting).message, greeting, KNOWN) is None


def test_a_password_of_another_salt_or_of_lighter_work_is_nobody() -> None:
    password, light = Secret("a quiet harbour at noon"), ScryptParameters(n=2**16)
    known = [Identity("by password", "owner", psk_of(password, SALT, light), "owner")]
    greeting = Greeting(SALT, light).to_bytes()
    assert answer(Knock(psk_of(password, SALT, light), greeting).message, greeting, known) is not None
    for salt, work in ((bytes(16), light), (SALT, ScryptParameters())):
        assert answer(Knock(psk_of(password, salt, work), greeting).message, greeting, known) is None


def test_a_server_without_identities_lets_nobody_in() -> None:
    greeting = greeted()
    assert answer(Knock(OWNER.psk, greeting).message, greeting, []) is None
    assert answer(Knock(bytes(32), greeting).message, greeting, []) is None


@pytest.mark.rule("N3")
@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_of_the_channel_is_told_apart(version: int) -> None:
    greeting = bytearray(greeted())
    greeting[4] = version
    with pytest.raises(OtherVersion) as refusal:
        Greeting.from_bytes(bytes(greeting))
    assert refusal.value.version == version
    # Also when its greeting has another form.
    with pytest.raises(OtherVersion):
        Greeting.from_bytes(bytes(greeting) + b"and more")


@pytest.mark.rule("N10")
@pytest.mark.parametrize(
    "parameters",
    [
        ScryptParameters(n=2**15),
        ScryptParameters(n=2**19),
        ScryptParameters(n=2**31),
        ScryptParameters(n=2**17 - 1),
        ScryptParameters(n=0),
        ScryptParameters(r=1),
        ScryptParameters(r=65535),
        ScryptParameters(p=0),
        ScryptParameters(p=65535),
    ],
    ids=str,
)
def test_greetings_that_ask_for_weak_or_absurd_work_are_refused(parameters: ScryptParameters) -> None:
    with pytest.raises(UnacceptableParameters):
        Greeting.from_bytes(Greeting(SALT, parameters).to_bytes())


@pytest.mark.rule("N3")
def test_a_greeting_is_short_and_read_as_it_was_written() -> None:
    greetings = [Greeting(SALT, ScryptParameters(n=n), methods) for n in (2**16, 2**17, 2**18) for methods in (("key",), ("password",), ("key", "password"))]
    for greeting in greetings:
        assert Greeting.from_bytes(greeting.to_bytes()) == greeting
        assert len(greeting.to_bytes()) <= GREETING_BYTES == 256
    assert len({greeting.fresh for greeting in greetings}) == len(greetings)


@pytest.mark.parametrize(
    "data", [b"", b"SFMT", b"SFMX" + bytes(60), b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SFMT\1" + bytes(252), bytes(MESSAGE_BYTES), "SFMT\1"]
)
def test_what_does_not_greet_like_a_relay_is_told_apart(data: bytes | str) -> None:
    with pytest.raises(NotSfumato):
        Greeting.from_bytes(data)


@pytest.mark.rule("N3")
def test_every_bit_of_the_greeting_counts() -> None:
    sent = greeted()
    for bit in range(len(sent) * 8):
        seen = flipped(sent, bit)
        # The client either refuses to go on, or is not understood: also if it would read on regardless.
        assert answer(Knock(OWNER.psk, seen).message, sent, KNOWN) is None, bit


@pytest.mark.parametrize("length", range(62))
def test_a_greeting_cut_at_any_length_is_refused(length: int) -> None:
    with pytest.raises(ChannelError):
        Greeting.from_bytes(greeted()[:length])


# 2. Replays


@pytest.mark.rule("N3")
def test_a_recorded_first_message_is_worthless_on_a_new_connection() -> None:
    greeting = greeted()
    knock = Knock(OWNER.psk, greeting)
    assert answer(knock.message, greeting, KNOWN) is not None
    for _ in range(5):
        assert answer(knock.message, greeted(), KNOWN) is None


@pytest.mark.rule("N5", "R102")
def test_a_message_is_heard_once() -> None:
    client, server = connected()
    message = client.ping(b"12345678")
    assert server.receive(message) == Ping(b"12345678")
    refused(server, message)


@pytest.mark.rule("N5", "R102")
def test_a_recorded_session_says_nothing_to_the_same_server_again() -> None:
    # Given a session in which a file was deleted
    greeting = greeted()
    knock = Knock(OWNER.psk, greeting)
    found = answer(knock.message, greeting, KNOWN)
    assert found is not None
    client = knock.enter(found.reply)
    outbox = Outbox(client)
    outbox.put(encode(Submit(job="a", kind="delete", params={"file": "dear.safetensors"})))
    recorded = emptied(outbox)
    assert isinstance(found.channel.receive(recorded[0]), Document)
    # When an eavesdropper plays it to the server again, even one that would greet in the same words
    again = answer(knock.message, greeting, KNOWN)
    assert again is not None
    assert again.reply != found.reply
    # Then the server's own new key makes its words foreign
    refused(again.channel, recorded[0])


# 3. Order, loss, other sessions


@pytest.mark.rule("N5", "R102")
@pytest.mark.parametrize("heard", [[1], [0, 2], [0, 1, 0], [0, 1, 3, 2], [0, 1, 2, 2], [3, 2, 1, 0]], ids=str)
def test_messages_are_heard_in_the_order_they_were_sealed_or_not_at_all(heard: list[int]) -> None:
    client, server = connected()
    messages = [client.ping(struct.pack(">Q", number)) for number in range(4)]
    for right, number in enumerate(heard):
        if number != right:
            refused(server, messages[number])
            return
        assert server.receive(messages[number]) == Ping(struct.pack(">Q", number))
    pytest.fail("one of them was out of order")


@pytest.mark.rule("N5", "R101", "R102")
def test_sessions_of_one_secret_do_not_understand_each_other() -> None:
    (first, first_server), (second, second_server) = connected(), connected()
    refused(first_server, second.ping(bytes(8)))
    refused(second_server, first.ping(bytes(8)))
    # Nor in the other direction, and no key of one session is any other key.
    (first, first_server), (second, second_server) = connected(), connected()
    same = [end.ping(bytes(8)) for end in (first, first_server, second, second_server)]
    assert len(set(same)) == 4
    refused(first, same[3])
    refused(second, same[1])


# 4. Reflections and mixed-up roles


@pytest.mark.rule("N5", "R102")
def test_own_words_are_not_believed() -> None:
    client, server = connected()
    refused(client, client.ping(bytes(8)))
    refused(server, server.ping(bytes(8)))


@pytest.mark.rule("N1")
def test_two_initiators_and_two_responders_do_not_come_together() -> None:
    greeting = greeted()
    one, other = Knock(OWNER.psk, greeting), Knock(OWNER.psk, greeting)
    for knock, message in ((one, one.message), (other, one.message)):
        with pytest.raises(ChannelError):
            knock.enter(message)
    found = answer(Knock(OWNER.psk, greeting).message, greeting, KNOWN)
    assert found is not None
    assert answer(found.reply, greeting, KNOWN) is None


def test_an_answer_to_somebody_else_is_not_ours() -> None:
    greeting = greeted()
    found = answer(Knock(OWNER.psk, greeting).message, greeting, KNOWN)
    assert found is not None
    with pytest.raises(ChannelError):
        Knock(OWNER.psk, greeting).enter(found.reply)
    # And a handshake that failed does not become one by a second answer.
    knock = Knock(OWNER.psk, greeting)
    right = answer(knock.message, greeting, KNOWN)
    assert right is not None
    with pytest.raises(ChannelError):
        knock.enter(found.reply)
    with pytest.raises(ChannelError):
        knock.enter(right.reply)


# 5. Truncations


@pytest.mark.rule("N4")
def test_handshake_messages_of_every_other_length_are_refused() -> None:
    greeting = greeted()
    knock = Knock(OWNER.psk, greeting)
    found = answer(knock.message, greeting, KNOWN)
    assert found is not None
    for length in [*range(HANDSHAKE_BYTES), *range(HANDSHAKE_BYTES + 1, 80), MESSAGE_BYTES]:
        assert answer((knock.message + bytes(MESSAGE_BYTES))[:length], greeting, KNOWN) is None
        with pytest.raises(ChannelError):
            Knock(OWNER.psk, greeting).enter((found.reply + bytes(MESSAGE_BYTES))[:length])
    assert answer("0" * HANDSHAKE_BYTES, greeting, KNOWN) is None
    with pytest.raises(ChannelError):
        Knock(OWNER.psk, greeting).enter("0" * HANDSHAKE_BYTES)


@pytest.mark.rule("N4")
def test_a_handshake_with_something_in_it_is_refused() -> None:
    greeting = greeted()
    assert answer(Handshake(True, OWNER.psk, greeting).write(b"x"), greeting, KNOWN) is None
    knock = Knock(OWNER.psk, greeting)
    server = Handshake(False, OWNER.psk, greeting)
    server.read(knock.message)
    with pytest.raises(ChannelError):
        knock.enter(server.write(b"x"))


@pytest.mark.rule("N5", "R102")
def test_a_message_cut_at_any_length_is_refused() -> None:
    whole, _ = raw()
    length = len(whole.encrypt(part(Kind.LAST_PART, 1, document(200))))
    for cut in range(length):
        cipher, server = raw()
        refused(server, cipher.encrypt(part(Kind.LAST_PART, 1, document(200)))[:cut])


@pytest.mark.rule("N7")
def test_a_connection_that_ends_without_a_goodbye_ends_no_document() -> None:
    client, server = connected()
    outbox = Outbox(client)
    outbox.put(document(3 * PART_BYTES))
    heard = [server.receive(message) for message in emptied(outbox)[:-1]]
    assert heard == [None, None]
    assert not server.is_over, "nobody said goodbye"
    assert [one.received for one in server.incoming] == [2 * PART_BYTES]


def test_a_message_with_nothing_inside_is_refused() -> None:
    cipher, server = raw()
    refused(server, cipher.encrypt(b""))


# 6. Changed bits


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.rule("N1", "N4")
def test_every_bit_of_the_handshake_counts() -> None:
    greeting = greeted()
    ephemeral = X25519PrivateKey.generate()
    knock = Knock(OWNER.psk, greeting, ephemeral)
    found = answer(knock.message, greeting, KNOWN)
    assert found is not None
    for bit in range(HANDSHAKE_BYTES * 8):
        assert answer(flipped(knock.message, bit), greeting, KNOWN) is None, bit
        with pytest.raises(ChannelError):
            Knock(OWNER.psk, greeting, ephemeral).enter(flipped(found.reply, bit))
    assert not Knock(OWNER.psk, greeting, ephemeral).enter(found.reply).is_over


@pytest.mark.rule("N5")
def test_every_bit_of_the_head_of_a_message_counts() -> None:
    for bit in range(PART.size * 8):
        cipher, server = raw()
        refused(server, flipped(cipher.encrypt(part(Kind.LAST_PART, 1, document(100))), bit))


@given(st.lists(st.integers(5, 3 * PART_BYTES), min_size=1, max_size=4), st.data())
@settings(deadline=None)
def test_a_changed_or_cut_message_ends_the_channel_and_what_came_before_it_stands(sizes: list[int], data: st.DataObject) -> None:
    client, server = connected()
    outbox = Outbox(client)
    documents = [document(size) if size > 12 else struct.pack("<i", size) + bytes(size - 4) for size in sizes]
    for one in documents:
        outbox.put(one, order="job")
    messages = emptied(outbox)
    broken = data.draw(st.integers(0, len(messages) - 1), label="message")
    message = messages[broken]
    if data.draw(st.booleans(), label="cut"):
        message = message[: data.draw(st.integers(0, len(message) - 1), label="length")]
    else:
        message = flipped(message, data.draw(st.integers(0, len(message) * 8 - 1), label="bit"))
    heard = [server.receive(whole) for whole in messages[:broken]]
    refused(server, message)
    got = [one.data for one in heard if isinstance(one, Document)]
    assert got == documents[: len(got)]


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_no_bytes_of_a_stranger_are_a_message(message: bytes) -> None:
    greeting = greeted()
    assert answer(message, greeting, KNOWN) is None
    with pytest.raises(ChannelError):
        Knock(OWNER.psk, greeting).enter(message)
    refused(connected()[1], message)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_no_words_of_a_client_that_knows_the_secret_break_more_than_its_channel(plain: bytes) -> None:
    cipher, server = raw()
    try:
        server.receive(cipher.encrypt(plain))
    except ChannelError:
        assert server.is_over


# 7. Points of low order


@pytest.mark.rule("N1")
@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_a_client_or_server_that_shows_a_point_of_low_order_is_refused(point: bytes) -> None:
    greeting = greeted()
    assert answer(Knock(OWNER.psk, greeting, PointOfMine(point)).message, greeting, KNOWN) is None
    knock = Knock(OWNER.psk, greeting)
    server = Handshake(False, OWNER.psk, greeting, PointOfMine(point))
    server.read(knock.message)
    with pytest.raises(ChannelError):
        knock.enter(server.write())


# 8. Too much


@pytest.mark.rule("N2")
@pytest.mark.parametrize("message", [bytes(MESSAGE_BYTES + 1), bytes(1 << 20), "text", "", b""], ids=["65536", "1 MiB", "text", "no text", "empty"])
def test_messages_that_no_relay_sends_are_refused(message: bytes | str) -> None:
    refused(connected()[1], message)


@pytest.mark.rule("N6")
@pytest.mark.parametrize("kind", [6, 7, 127, 128, 255])
def test_unknown_types_are_refused(kind: int) -> None:
    cipher, server = raw()
    refused(server, cipher.encrypt(bytes((kind,)) + bytes(8)))


@pytest.mark.rule("N6")
@pytest.mark.parametrize(
    "plain",
    [bytes((kind,)) + bytes(size) for kind, right in ((Kind.PING, 8), (Kind.PONG, 8), (Kind.CLOSE, 1)) for size in range(20) if size != right]
    + [bytes((kind,)) + bytes(size) for kind in (Kind.PART, Kind.LAST_PART) for size in range(8)],
    ids=lambda plain: f"{Kind(plain[0]).name}-{len(plain) - 1}",
)
def test_bodies_of_another_length_are_refused(plain: bytes) -> None:
    cipher, server = raw()
    refused(server, cipher.encrypt(plain))


@pytest.mark.rule("N6", "R107")
@pytest.mark.parametrize("total", [COMMAND_BYTES + 1, 2**31 - 1, 0, 4, -1, -(2**31)])
@pytest.mark.parametrize("kind", [Kind.PART, Kind.LAST_PART])
def test_a_document_over_its_limit_is_refused_at_its_first_part(total: int, kind: Kind) -> None:
    cipher, server = raw()
    refused(server, cipher.encrypt(part(kind, 1, announcing(total, bytes(100)))))


@pytest.mark.rule("N6")
def test_a_server_is_held_to_the_limit_of_events() -> None:
    client, server = connected()
    assert client.receive(server.part(1, announcing(EVENT_BYTES), False)) is None
    client, server = connected()
    refused(client, server.part(1, announcing(EVENT_BYTES + 1), False))


@pytest.mark.rule("N6")
@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([part(1, 1, announcing(9))], id="shorter than it said"),
        pytest.param([part(1, 1, announcing(8, bytes(5)))], id="longer than it said"),
        pytest.param([part(0, 1, announcing(8, bytes(5)))], id="longer than it said, and more to come"),
        pytest.param([part(0, 1, announcing(9)), part(1, 1, bytes(4))], id="shorter in two parts"),
        pytest.param([part(0, 1, announcing(9)), part(1, 1, bytes(6))], id="longer in two parts"),
        pytest.param([part(0, 1, announcing(9)), part(0, 1, bytes(5)), part(0, 1, b"x")], id="going on behind its end"),
        pytest.param([part(0, 1, announcing(9)), part(1, 1, bytes(5)), part(1, 1, b"x")], id="more after the last part"),
    ],
)
def test_documents_that_lie_about_their_length_are_refused(parts: Sequence[bytes]) -> None:
    cipher, server = raw()
    for plain in parts[:-1]:
        server.receive(cipher.encrypt(plain))
    refused(server, cipher.encrypt(parts[-1]))


@pytest.mark.rule("N6")
def test_64_streams_may_be_open_and_no_more() -> None:
    cipher, server = raw()
    for stream in range(OPEN_STREAMS):
        assert server.receive(cipher.encrypt(part(Kind.PART, stream, announcing(1000)))) is None
    # Whole documents pass all the same, and an open stream that ends makes room.
    assert server.receive(cipher.encrypt(part(Kind.LAST_PART, 999, b"\5\0\0\0\0"))) == Document(b"\5\0\0\0\0")
    assert isinstance(server.receive(cipher.encrypt(part(Kind.LAST_PART, 0, bytes(996)))), Document)
    assert server.receive(cipher.encrypt(part(Kind.PART, 64, announcing(1000)))) is None
    assert len(server.incoming) == OPEN_STREAMS
    refused(server, cipher.encrypt(part(Kind.PART, 65, announcing(1000))))


@pytest.mark.rule("N6")
def test_open_streams_may_not_announce_more_than_a_bound_together() -> None:
    cipher, server = raw()
    for stream in range((COMMAND_BYTES + PASSING_BYTES) // COMMAND_BYTES):
        assert server.receive(cipher.encrypt(part(Kind.PART, stream, announcing(COMMAND_BYTES)))) is None
    refused(server, cipher.encrypt(part(Kind.PART, 1000, announcing(5))))


@pytest.mark.rule("N6")
def test_an_announcement_takes_no_memory_and_a_million_little_parts_take_little() -> None:
    client, server = connected()
    message = server.part(1, announcing(EVENT_BYTES), False)
    little = [server.part(1, b"x", False) for _ in range(5000)]
    tracemalloc.start()
    try:
        client.receive(message)
        for one in little:
            client.receive(one)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert client.incoming[0].received == 5004
    assert held < 64 << 10


def nested(depth: int) -> bytes:
    """A command's BSON document with `depth` documents one inside the other."""
    inner = b"\5\0\0\0\0"
    for _ in range(depth):
        body = b"\3p\0" + inner + b"\0"
        inner = struct.pack("<i", len(body) + 4) + body
    return inner


def with_many_keys(count: int) -> bytes:
    body = b"\x0a\0" * count + b"\0"  # nulls without a name
    return struct.pack("<i", len(body) + 4) + body


def lying_inside() -> bytes:
    body = b"\3p\0" + struct.pack("<i", 1 << 20) + b"\0" * 10
    return struct.pack("<i", len(body) + 4) + body


@pytest.mark.rule("N6")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(nested(MAX_DEPTH), id="one too deep"),
        pytest.param(nested(10_000), id="10000 deep"),
        pytest.param(with_many_keys(1_000_000), id="a million keys"),
        pytest.param(lying_inside(), id="lying inner length"),
        pytest.param(announcing(20, bytes(16)), id="no values"),
        pytest.param(bson.encode({"type": "run", "code": "x"}), id="no command"),
    ],
)
def test_documents_that_are_no_commands_are_refused_by_the_one_who_reads_them(data: bytes) -> None:
    client, server = connected()
    outbox = Outbox(client)
    outbox.put(data)
    (heard,) = carried(outbox, server)
    assert isinstance(heard, Document)
    with pytest.raises(BadFrame):
        decode_command(heard.data)


# 10. Counters and keys that change


def at(nonce: int, key: bytes = bytes(32)) -> tuple[CipherState, Channel]:
    """An end and a server that have exchanged `nonce` messages."""
    return CipherState(key, nonce), server_channel(CipherState(key, nonce), CipherState(key, nonce))


@pytest.mark.rule("N5")
def test_no_message_is_heard_or_said_at_the_end_of_the_counter() -> None:
    # The last nonces are behind a change of keys, so both ends are given the key that is theirs.
    cipher, server = at(LAST_NONCE - 1)
    assert server.receive(cipher.encrypt(b"\2" + bytes(8))) == Ping(bytes(8))
    refused(server, bytes(25))
    with pytest.raises(NoiseError):
        cipher.encrypt(b"\2" + bytes(8))
    _, server = at(LAST_NONCE - 1)
    server.ping(bytes(8))
    with pytest.raises(ChannelError, match="counter"):
        server.ping(bytes(8))
    assert server.is_over


@pytest.mark.rule("N5")
def test_a_side_that_does_not_change_its_key_is_not_understood_any_more() -> None:
    cipher, server = at(REKEY_MESSAGES - 2)
    for _ in range(2):
        assert server.receive(cipher.encrypt(b"\2" + bytes(8))) == Ping(bytes(8))
    refused(server, cipher.encrypt(b"\2" + bytes(8)))


@pytest.mark.rule("N5")
@pytest.mark.parametrize("early", [1, 2])
def test_a_side_that_changes_its_key_too_early_is_not_understood(early: int) -> None:
    cipher, server = at(REKEY_MESSAGES - early)
    cipher.rekey()
    refused(server, cipher.encrypt(b"\2" + bytes(8)))


@pytest.mark.rule("N5")
def test_each_direction_changes_its_key_by_its_own_count() -> None:
    key = bytes(32)
    cipher, server = at(REKEY_MESSAGES - 1)
    heard = CipherState(key, REKEY_MESSAGES - 1)
    # Given one message more in one direction
    server.receive(cipher.encrypt(b"\2" + bytes(8)))
    # Then that one has a new key, the other its old one
    assert heard.decrypt(server.ping(bytes(8))) == b"\2" + bytes(8)
    heard.rekey()
    assert heard.decrypt(server.ping(bytes(8))) == b"\2" + bytes(8)
    cipher.rekey()
    assert server.receive(cipher.encrypt(b"\2" + bytes(8))) == Ping(bytes(8))


# Who is asked, and what a recording is worth


class Watched(list[Identity]):
    """Remembers which identities were looked at."""

    def __init__(self, identities: Sequence[Identity]) -> None:
        super().__init__(identities)
        self.seen: list[str] = []

    def __iter__(self) -> Iterator[Identity]:
        for identity in super().__iter__():
            self.seen.append(identity.name)
            yield identity


@pytest.mark.rule("N11", "X32")
@pytest.mark.parametrize("who", [0, 7, 15, None])
def test_all_identities_are_tried_whether_or_not_one_fits(who: int | None) -> None:
    known = [Identity(f"{number}", "guest", bytes((number,)) * 32, f"{number}") for number in range(16)]
    watched = Watched(known)
    greeting = greeted()
    found = answer(Knock(known[who].psk if who is not None else OWNER.psk, greeting).message, greeting, watched)
    assert (found.identity if found else None) == (known[who] if who is not None else None)
    assert watched.seen == [f"{number}" for number in range(16)]


@pytest.mark.parametrize("order", [1, -1])
def test_one_secret_for_two_roles_gives_the_smaller_one(order: int) -> None:
    known = [OWNER, Identity("careless", "guest", OWNER.psk, "careless")][::order]
    greeting = greeted()
    found = answer(Knock(OWNER.psk, greeting).message, greeting, known)
    assert found is not None
    assert found.identity.role == "guest"


@pytest.mark.rule("N11")
def test_a_relay_knows_at_most_sixteen_identities() -> None:
    greeting = greeted()
    with pytest.raises(ValueError, match="16"):
        answer(Knock(OWNER.psk, greeting).message, greeting, [replace(OWNER, name=f"{number}") for number in range(17)])


@pytest.mark.rule("N12", "R103")
def test_a_recording_stays_closed_when_the_secret_leaks_later() -> None:
    # Given a recorded session, whose ephemeral keys are kept here only to show afterwards that the recording is a whole one
    greeting = greeted()
    ephemeral = X25519PrivateKey.generate()
    knock = Knock(OWNER.psk, greeting, ephemeral)
    found = answer(knock.message, greeting, KNOWN)
    assert found is not None
    recorded = [knock.enter(found.reply).ping(b"a secret"), found.channel.ping(b"a secret")]

    # When somebody with the psk, who plays either part anew, tries to open it
    as_server = Handshake(False, OWNER.psk, greeting)
    assert as_server.read(knock.message) == b"", "the psk opens the first message, in which nothing is"
    as_server.write()
    as_client = Handshake(True, OWNER.psk, greeting)
    as_client.write()
    with pytest.raises(NoiseError):
        as_client.read(found.reply)
    ciphers = [*as_server.split()]
    # Then no key that they can make opens a message; nor do the keys that follow from the psk alone
    for cipher in [*ciphers, CipherState(OWNER.psk)]:
        for message in recorded:
            with pytest.raises(NoiseError):
                cipher.decrypt(message)

    # While the ephemeral key would have opened all of it: it is the one thing that has to be forgotten, and is.
    replayed = Handshake(True, OWNER.psk, greeting, ephemeral)
    assert replayed.write() == knock.message
    replayed.read(found.reply)
    sending, receiving = replayed.split()
    assert sending.decrypt(recorded[0]) == receiving.decrypt(recorded[1]) == b"\2a secret"
    assert ephemeral not in vars(replayed).values()
