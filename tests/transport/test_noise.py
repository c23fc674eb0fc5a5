"""The handshake against the published vectors, and what it refuses: steps out of order, foreign keys, points of low order, the end of the counter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from sfumato.transport import noise
from sfumato.transport.noise import HANDSHAKE_BYTES, LAST_NONCE, MESSAGE_BYTES, TAG_BYTES, CipherState, Handshake, NoiseError

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "vectors" / "nnpsk0_25519_chachapoly_sha256.json").read_text())["vectors"]
PSK = bytes(range(32))
# The points of order 1, 2, 4 and 8 in canonical form (RFC 7748, section 6.1: their product with any key is zero).
LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (noise.FIELD_PRIME - 1).to_bytes(32, "little"),
]


class PointOfMine(X25519PrivateKey):
    """A private key that shows any point at all as its public one, as an attacker can."""

    def __init__(self, point: bytes) -> None:
        self._point = point

    def public_key(self) -> Any:
        return self

    def public_bytes_raw(self) -> bytes:
        return self._point

    def exchange(self, peer_public_key: object) -> bytes:
        return bytes(32)  # what an honest side's product with a point of low order would be

    def private_bytes(self, *_: object) -> bytes:
        return bytes(32)

    def private_bytes_raw(self) -> bytes:
        return bytes(32)

    def __copy__(self) -> PointOfMine:
        return self

    def __deepcopy__(self, memo: object) -> PointOfMine:
        return self


def pair(psk: bytes = PSK, other_psk: bytes | None = None, prologue: bytes = b"seen", other_prologue: bytes | None = None) -> tuple[Handshake, Handshake]:
    return Handshake(True, psk, prologue), Handshake(False, other_psk or psk, prologue if other_prologue is None else other_prologue)


def key(text: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(bytes.fromhex(text))


@pytest.mark.rule("N1", "R103")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["protocol_name"])
def test_the_published_vectors_come_out_byte_for_byte(vector: dict[str, Any]) -> None:
    assert vector["protocol_name"].encode() == noise.PROTOCOL_NAME
    initiator = Handshake(True, bytes.fromhex(vector["init_psks"][0]), bytes.fromhex(vector["init_prologue"]), key(vector["init_ephemeral"]))
    responder = Handshake(False, bytes.fromhex(vector["resp_psks"][0]), bytes.fromhex(vector["resp_prologue"]), key(vector["resp_ephemeral"]))
    messages = [(bytes.fromhex(message["payload"]), bytes.fromhex(message["ciphertext"])) for message in vector["messages"]]
    for (payload, ciphertext), writer, reader in zip(messages, (initiator, responder), (responder, initiator), strict=False):
        assert writer.write(payload) == ciphertext
        assert reader.read(ciphertext) == payload
    assert initiator.hash == responder.hash == bytes.fromhex(vector["handshake_hash"])
    first, second = initiator.split(), responder.split()
    for number, (payload, ciphertext) in enumerate(messages[2:]):
        writer, reader = (first, second) if number % 2 == 0 else (second, first)
        assert writer[0].encrypt(payload) == ciphertext
        assert reader[1].decrypt(ciphertext) == payload


@pytest.mark.rule("N1")
def test_the_module_is_short_and_stands_on_cryptography_alone() -> None:
    text = Path(noise.__file__).read_text()
    assert len(text.splitlines()) < 200
    imports = [line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert set(imports) == {"__future__", "cryptography"}


@pytest.mark.rule("N4")
def test_handshake_messages_without_payload_have_48_bytes() -> None:
    initiator, responder = pair()
    first = initiator.write()
    assert responder.read(first) == b""
    second = responder.write()
    assert initiator.read(second) == b""
    assert len(first) == len(second) == HANDSHAKE_BYTES == 48


@pytest.mark.rule("N1", "R101")
def test_every_handshake_has_keys_and_a_hash_of_its_own() -> None:
    hashes = set()
    for _ in range(3):
        initiator, responder = pair()
        responder.read(initiator.write())
        initiator.read(responder.write())
        assert initiator.hash == responder.hash
        hashes.add(initiator.hash)
    assert len(hashes) == 3


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param({"other_psk": bytes(32)}, id="another psk"),
        pytest.param({"other_prologue": b"seeN"}, id="another prologue"),
        pytest.param({"other_prologue": b""}, id="no prologue"),
    ],
)
def test_ends_that_differ_find_out_at_the_first_message(ends: dict[str, bytes]) -> None:
    initiator, responder = pair(**ends)
    with pytest.raises(NoiseError):
        responder.read(initiator.write())
    # And the handshake stays ended, whatever is asked of it.
    for step in (responder.write, responder.split, lambda: responder.read(bytes(48))):
        with pytest.raises(NoiseError):
            step()


def test_steps_out_of_turn_are_refused() -> None:
    initiator, responder = pair()
    with pytest.raises(NoiseError):
        responder.write()
    with pytest.raises(NoiseError):
        Handshake(True, PSK, b"").read(bytes(48))
    with pytest.raises(NoiseError):
        initiator.split()
    initiator, _ = pair()
    initiator.write()
    with pytest.raises(NoiseError):
        initiator.write()


def test_a_psk_of_another_length_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="32"):
        Handshake(True, b"short", b"")


def hostile_first_message(point: bytes) -> bytes:
    """The first message of an attacker who knows the psk and shows `point`."""
    return Handshake(True, PSK, b"", PointOfMine(point)).write()


@pytest.mark.rule("N1")
@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_a_shared_secret_of_zero_is_refused_by_the_responder(point: bytes) -> None:
    responder = Handshake(False, PSK, b"")
    responder.read(hostile_first_message(point))
    with pytest.raises(NoiseError, match="zero"):
        responder.write()
    with pytest.raises(NoiseError):
        responder.split()


@pytest.mark.rule("N1")
@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:8])
def test_a_shared_secret_of_zero_is_refused_by_the_initiator(point: bytes) -> None:
    initiator = Handshake(True, PSK, b"")
    server = Handshake(False, PSK, b"", PointOfMine(point))
    server.read(initiator.write())
    with pytest.raises(NoiseError, match="zero"):
        initiator.read(server.write())


@pytest.mark.rule("N1")
@pytest.mark.parametrize("point", [noise.FIELD_PRIME, noise.FIELD_PRIME + 9, 2**255 - 1, 2**255 + 9, 2**256 - 1], ids=hex)
def test_a_second_spelling_of_a_point_is_refused(point: int) -> None:
    responder = Handshake(False, PSK, b"")
    with pytest.raises(NoiseError, match="canonical"):
        responder.read(hostile_first_message(point.to_bytes(32, "little")))


@pytest.mark.parametrize("length", [*range(HANDSHAKE_BYTES + 2), 64, MESSAGE_BYTES, MESSAGE_BYTES + 1])
def test_handshake_messages_of_every_length_are_refused_unless_they_are_the_one_sent(length: int) -> None:
    initiator, responder = pair()
    message = initiator.write()
    cut = (message + bytes(MESSAGE_BYTES + 1))[:length]
    if length == HANDSHAKE_BYTES:
        assert responder.read(cut) == b""
        return
    with pytest.raises(NoiseError):
        responder.read(cut)


@pytest.mark.rule("N5")
def test_nonces_count_from_zero_in_the_form_of_the_specification() -> None:
    cipher = CipherState(PSK)
    for number in range(3):
        assert cipher.nonce == number
        nonce = bytes(4) + number.to_bytes(8, "little")
        assert cipher.encrypt(b"text") == ChaCha20Poly1305(PSK).encrypt(nonce, b"text", b"")


@pytest.mark.rule("N5")
def test_the_last_nonce_is_never_used_for_a_message() -> None:
    # Given two ends two messages before the end of their counter
    sending, receiving = CipherState(PSK, LAST_NONCE - 2), CipherState(PSK, LAST_NONCE - 2)
    for text in (b"last but one", b"last"):
        assert receiving.decrypt(sending.encrypt(text)) == text
    # Then neither goes on, not even for a message that was sealed with the forbidden nonce
    forged = ChaCha20Poly1305(PSK).encrypt(bytes(4) + b"\xff" * 8, b"x", b"")
    for _ in range(2):
        with pytest.raises(NoiseError, match="counter"):
            sending.encrypt(b"x")
        with pytest.raises(NoiseError, match="counter"):
            receiving.decrypt(forged)


@pytest.mark.rule("N5")
def test_a_rekey_gives_the_key_of_the_specification_and_keeps_the_counter() -> None:
    cipher = CipherState(PSK)
    cipher.encrypt(b"one")
    cipher.rekey()
    following = ChaCha20Poly1305(PSK).encrypt(bytes(4) + b"\xff" * 8, bytes(32), b"")[:32]
    assert cipher.nonce == 1
    assert cipher.encrypt(b"two") == ChaCha20Poly1305(following).encrypt(bytes(4) + (1).to_bytes(8, "little"), b"two", b"")


def test_a_cipher_takes_messages_up_to_the_longest_and_no_longer() -> None:
    sending, receiving = CipherState(PSK), CipherState(PSK)
    longest = bytes(MESSAGE_BYTES - TAG_BYTES)
    assert receiving.decrypt(sending.encrypt(longest)) == longest
    with pytest.raises(NoiseError, match="too long"):
        sending.encrypt(longest + b"x")
    for length in (0, 1, TAG_BYTES - 1, MESSAGE_BYTES + 1):
        with pytest.raises(NoiseError):
            receiving.decrypt(bytes(length))


def test_a_message_that_fails_leaves_the_counter_where_it_was() -> None:
    sending, receiving = CipherState(PSK), CipherState(PSK)
    message = sending.encrypt(b"text")
    with pytest.raises(NoiseError):
        receiving.decrypt(message[:-1] + bytes((message[-1] ^ 1,)))
    assert receiving.nonce == 0
    assert receiving.decrypt(message) == b"text"
