"""How a connection of the relay begins: the server's greeting in the clear, then one message of each side.

The greeting's bytes, exactly as they travelled, are what both sides prove to have seen; whoever changes one ends the handshake.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from sfumato.transport.channel import Channel, ChannelError, client_channel, server_channel
from sfumato.transport.keys import SALT_BYTES, Identity, ScryptParameters
from sfumato.transport.noise import HANDSHAKE_BYTES, Handshake, NoiseError

MAGIC = b"SFMT"
CHANNEL_VERSION = 1
GREETING_BYTES = 256  # the longest that any version may have
FRESH_BYTES = 32
MOST_IDENTITIES = 16
# The ways to a psk, by their bits.
METHODS = {"key": 1, "password": 2}
_FORM = struct.Struct(f">4sBBIHH{SALT_BYTES}s{FRESH_BYTES}s")


class NotSfumato(ChannelError):
    """What answers there does not greet like a relay."""


class OtherVersion(ChannelError):
    """A relay whose channel has another version than ours."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the channel has version {version}, ours is {CHANNEL_VERSION}")
        self.version = version


class UnacceptableParameters(ChannelError):
    """A relay that asks for passwords made too weak, or so heavy that this machine would stand still."""


@dataclass(frozen=True)
class Greeting:
    """What a server says first, to anybody.

    Attributes:
        salt: 16 random bytes that a server keeps for as long as its passwords.
        parameters: how a password becomes a psk.
        methods: of "key" and "password", those that can succeed.
        fresh: 32 random bytes of this connection alone.
    """

    salt: bytes
    parameters: ScryptParameters = field(default_factory=ScryptParameters)
    methods: tuple[str, ...] = ("key", "password")
    fresh: bytes = field(default_factory=lambda: secrets.token_bytes(FRESH_BYTES))

    def to_bytes(self) -> bytes:
        bits = sum(METHODS[method] for method in self.methods)
        work = self.parameters
        return _FORM.pack(MAGIC, CHANNEL_VERSION, bits, work.n, work.r, work.p, self.salt, self.fresh)

    @classmethod
    def from_bytes(cls, data: bytes | str) -> Greeting:
        """Read a server's greeting.

        Raises:
            NotSfumato, OtherVersion, UnacceptableParameters: nothing more is said to this server.
        """
        if isinstance(data, str) or data[: len(MAGIC)] != MAGIC or not len(MAGIC) < len(data) <= GREETING_BYTES:
            raise NotSfumato("no greeting of a relay")
        version = data[len(MAGIC)]
        if version != CHANNEL_VERSION:
            raise OtherVersion(version)
        if len(data) != _FORM.size:
            raise NotSfumato(f"a greeting of {len(data)} bytes")
        _, _, bits, n, r, p, salt, fresh = _FORM.unpack(data)
        parameters = ScryptParameters(n, r, p)
        if not parameters.is_acceptable:
            raise UnacceptableParameters(f"scrypt with n={n}, r={r}, p={p}")
        return cls(salt, parameters, tuple(name for name, bit in METHODS.items() if bits & bit), fresh)


class Knock:
    """The client's side: `message` goes to the server, its answer to `enter`.

    Args:
        psk: what the secret became.
        greeting: the server's first message as it came.
        ephemeral: for tests alone.
    """

    def __init__(self, psk: bytes, greeting: bytes, ephemeral: X25519PrivateKey | None = None) -> None:
        self._handshake = Handshake(True, psk, greeting, ephemeral)
        self.message = self._handshake.write()

    def enter(self, reply: bytes | str) -> Channel:
        """The channel that the server's answer opens; raises `ChannelError`."""
        if isinstance(reply, str) or len(reply) != HANDSHAKE_BYTES:
            raise ChannelError("no answer of a handshake")
        try:
            self._handshake.read(reply)
            return client_channel(*self._handshake.split())
        except NoiseError as error:
            raise ChannelError(str(error)) from error


class Answer(NamedTuple):
    """A client was recognised: `reply` is to be sent to it, and its first message over `channel` will prove that it is there now."""

    identity: Identity
    reply: bytes
    channel: Channel


def answer(first_message: bytes | str, prologue: bytes, identities: Sequence[Identity]) -> Answer | None:
    """Find out who knocks: at most sixteen identities are tried, all of them whether or not one fits.

    Args:
        first_message: the client's, 48 bytes.
        prologue: the greeting as it was sent on this very connection.

    Returns:
        None when it is nobody known. The connection is closed then, without a word.
    """
    if len(identities) > MOST_IDENTITIES:
        raise ValueError(f"a relay knows at most {MOST_IDENTITIES} identities")
    if isinstance(first_message, str) or len(first_message) != HANDSHAKE_BYTES:
        return None
    fitting: list[tuple[Identity, Handshake]] = []
    for identity in identities:
        handshake = Handshake(False, identity.psk, prologue)
        try:
            handshake.read(first_message)
        except NoiseError:
            continue
        fitting.append((identity, handshake))
    if not fitting:
        return None
    # One secret for several identities opens the smallest door of them.
    identity, handshake = min(fitting, key=lambda fit: fit[0].role == "owner")
    try:
        reply = handshake.write()
        return Answer(identity, reply, server_channel(*handshake.split()))
    except NoiseError:
        return None
