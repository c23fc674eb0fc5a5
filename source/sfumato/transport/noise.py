"""The Noise handshake `Noise_NNpsk0_25519_ChaChaPoly_SHA256` and the two ciphers it ends in (Perrin, "The Noise Protocol Framework", revision 34).

    -> psk, e
    <- e, ee

No input or output and no options: bytes in, bytes out, `NoiseError` for everything that is not as it must be. Start reading at `Handshake`.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PROTOCOL_NAME = b"Noise_NNpsk0_25519_ChaChaPoly_SHA256"
MESSAGE_BYTES = 65535  # the longest message of the specification
TAG_BYTES = 16
KEY_BYTES = 32
HANDSHAKE_BYTES = KEY_BYTES + TAG_BYTES  # a handshake message without payload
LAST_NONCE = 2**64 - 1  # kept for rekeying, never for a message
FIELD_PRIME = 2**255 - 19

Data = bytes | bytearray | memoryview


class NoiseError(Exception):
    """A message that is forged, damaged, out of order or of the wrong length; what made it is not trusted any further."""


class CipherState:
    """One key and its counter: seals or opens the messages of one direction, in order (section 5.1)."""

    def __init__(self, key: bytes, nonce: int = 0) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._nonce = nonce

    @property
    def nonce(self) -> int:
        """How many messages went through; the number of the next one. A rekey does not change it."""
        return self._nonce

    def encrypt(self, plaintext: Data, associated_data: bytes = b"") -> bytes:
        """Seal the next message, of at most 65519 bytes; raises `NoiseError` when the counter is used up."""
        if len(plaintext) > MESSAGE_BYTES - TAG_BYTES:
            raise NoiseError(f"a message of {len(plaintext)} bytes is too long")
        sealed = self._cipher.encrypt(self._next_nonce(), plaintext, associated_data)
        self._nonce += 1
        return sealed

    def decrypt(self, message: Data, associated_data: bytes = b"") -> bytes:
        """Open the next message; raises `NoiseError`, and then the counter stays where it was."""
        if not TAG_BYTES <= len(message) <= MESSAGE_BYTES:
            raise NoiseError(f"a message of {len(message)} bytes is no message")
        try:
            plaintext = self._cipher.decrypt(self._next_nonce(), message, associated_data)
        except InvalidTag:
            raise NoiseError("a message is not the one that was sent") from None
        self._nonce += 1
        return plaintext

    def rekey(self) -> None:
        """Go on with the key that follows from the present one, which cannot be found from the new one (section 4.2)."""
        self._cipher = ChaCha20Poly1305(self._cipher.encrypt(_nonce_bytes(LAST_NONCE), bytes(KEY_BYTES), b"")[:KEY_BYTES])

    def _next_nonce(self) -> bytes:
        if self._nonce >= LAST_NONCE:
            raise NoiseError("the counter of this direction is used up")
        return _nonce_bytes(self._nonce)


class Handshake:
    """One side of the handshake.

    The initiator calls `write`, then `read`; the responder `read`, then `write`; then either calls `split` once. A failed step ends the handshake for good.

    Args:
        initiator: whether this side speaks first.
        psk: the 32 bytes that both sides know beforehand.
        prologue: what both have seen and must agree on, any length.
        ephemeral: the private key of this handshake alone; tests give one, everything else leaves it out.
    """

    def __init__(self, initiator: bool, psk: bytes, prologue: bytes, ephemeral: X25519PrivateKey | None = None) -> None:
        if len(psk) != KEY_BYTES:
            raise ValueError("a psk has 32 bytes")
        self._is_initiator = initiator
        self._steps = ["write", "read", "split"] if initiator else ["read", "write", "split"]
        self._ephemeral = ephemeral
        self._remote: X25519PublicKey | None = None
        self._hash = _sha256(PROTOCOL_NAME)  # the name is longer than a hash, so it is hashed (section 5.2)
        self._chaining_key = self._hash
        self._cipher: CipherState | None = None
        self._mix_hash(prologue)
        self._mix_key_and_hash(psk)

    @property
    def hash(self) -> bytes:
        """32 bytes that name this handshake once it is complete: the same on both sides, and on no other connection."""
        return self._hash

    def write(self, payload: bytes = b"") -> bytes:
        """This side's message: 48 bytes and the payload. Raises `NoiseError` when it is not this side's turn or the shared secret is zero."""
        following = self._begin("write")
        self._ephemeral = self._ephemeral or X25519PrivateKey.generate()
        public = self._ephemeral.public_key().public_bytes_raw()
        self._mix_ephemeral(public)
        if not self._is_initiator:
            self._mix_shared_secret()
        message = public + self._seal(payload)
        self._steps = following
        return message

    def read(self, message: bytes) -> bytes:
        """The payload of the other side's message; raises `NoiseError`."""
        following = self._begin("read")
        if len(message) < HANDSHAKE_BYTES:
            raise NoiseError("a handshake message is too short")
        public = message[:KEY_BYTES]
        # Honest keys are written in one way only; another spelling of the same point would be a message altered unseen.
        if int.from_bytes(public, "little") >= FIELD_PRIME:
            raise NoiseError("a public key is not written canonically")
        self._remote = X25519PublicKey.from_public_bytes(public)
        self._mix_ephemeral(public)
        if self._is_initiator:
            self._mix_shared_secret()
        payload = self._open(message[KEY_BYTES:])
        self._steps = following
        return payload

    def split(self) -> tuple[CipherState, CipherState]:
        """The ciphers for sending and for receiving. What could open the messages later is let go of."""
        self._begin("split")
        first, second = _derive(self._chaining_key, b"", 2)
        self._ephemeral = self._cipher = None
        self._chaining_key = b""
        sending, receiving = (first, second) if self._is_initiator else (second, first)
        return CipherState(sending), CipherState(receiving)

    def _begin(self, step: str) -> list[str]:
        """The steps after this one. None is left until the caller has done it, so what fails on the way ends the handshake."""
        steps, self._steps = self._steps, []
        if steps[:1] != [step]:
            raise NoiseError(f"it is not the time to {step}")
        return steps[1:]

    def _mix_hash(self, data: bytes) -> None:
        self._hash = _sha256(self._hash + data)

    def _mix_key(self, material: bytes) -> None:
        self._chaining_key, key = _derive(self._chaining_key, material, 2)
        self._cipher = CipherState(key)

    def _mix_key_and_hash(self, material: bytes) -> None:
        self._chaining_key, hashed, key = _derive(self._chaining_key, material, 3)
        self._mix_hash(hashed)
        self._cipher = CipherState(key)

    def _mix_ephemeral(self, public: bytes) -> None:
        self._mix_hash(public)
        self._mix_key(public)  # in psk handshakes the key depends on it too (section 9.2)

    def _mix_shared_secret(self) -> None:
        assert self._ephemeral is not None and self._remote is not None, "the pattern has sent and received an `e` before `ee`"
        try:
            self._mix_key(self._ephemeral.exchange(self._remote))
        except ValueError:  # the primitive refuses an all-zero result
            raise NoiseError("the shared secret is zero") from None

    def _seal(self, payload: bytes) -> bytes:
        assert self._cipher is not None, "the psk made a key"
        sealed = self._cipher.encrypt(payload, self._hash)
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        assert self._cipher is not None, "the psk made a key"
        payload = self._cipher.decrypt(sealed, self._hash)
        self._mix_hash(sealed)
        return payload


def _nonce_bytes(nonce: int) -> bytes:
    return bytes(4) + nonce.to_bytes(8, "little")


def _sha256(data: bytes) -> bytes:
    digest = Hash(SHA256())
    digest.update(data)
    return digest.finalize()


def _derive(chaining_key: bytes, material: bytes, count: int) -> list[bytes]:
    """Noise's HKDF (section 4.3) is that of RFC 5869 with the chaining key as salt and no info."""
    derived = HKDF(SHA256(), KEY_BYTES * count, salt=chaining_key, info=b"").derive(material)
    return [derived[at : at + KEY_BYTES] for at in range(0, len(derived), KEY_BYTES)]
