"""Secrets of a relay: keys that the program makes, passwords that people choose, and the 32 bytes that either becomes."""

from __future__ import annotations

import base64
import functools
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sfumato.jobs.clients import Role
from sfumato.protocol.secret import Secret

KEY_BYTES = 32
SALT_BYTES = 16
PASSWORD_CHARACTERS = 12  # the shortest password off loopback
DIFFERENT_CHARACTERS = 5
COMMON_PASSWORDS = Path(__file__).with_name("common_passwords.txt")
_PREFIX = "sfk1."
_KEY = re.compile(r"sfk1\.[A-Za-z0-9_-]{43}")

NO_SECRET = "A password is needed: nobody may use this machine without one. Let the program make one."
NOT_PRINTABLE = "This password holds characters that no connection link can carry. Choose another, or let the program make one."
TOO_SHORT = f"This password is too short for other machines: it needs at least {PASSWORD_CHARACTERS} characters. Let the program make one."
TOO_COMMON = "This password is among those that are tried first. Choose another, or let the program make one."


@dataclass(frozen=True)
class ScryptParameters:
    """How much work one guess of a password costs: `n` rounds of memory, 128 * n * r bytes."""

    n: int = 2**17
    r: int = 8
    p: int = 1

    @property
    def is_acceptable(self) -> bool:
        """Neither so weak that passwords could be guessed, nor so heavy that they stop the machine that computes them."""
        return self.n in (2**16, 2**17, 2**18) and self.r == 8 and self.p == 1


@dataclass(frozen=True)
class Identity:
    """One that a server knows: by `psk` it is recognised, by `name` its jobs are kept together.

    Attributes:
        label: what its owner is shown.
        psk: 32 bytes; never printed.
    """

    label: str
    role: Role
    psk: bytes = field(repr=False, compare=False)
    name: str


def make_secret() -> Secret:
    """A new key: 32 random bytes, written in 48 characters."""
    return Secret(_PREFIX + _written(secrets.token_bytes(KEY_BYTES)))


def is_key(secret: Secret) -> bool:
    """Whether the program made it; everything else is a password."""
    return _key_bytes(secret) is not None


def psk_of(secret: Secret, salt: bytes, parameters: ScryptParameters) -> bytes:
    """The 32 bytes that both sides of a handshake know.

    Of a key at once; of a password by scrypt over its NFC form, which takes some tenths of a second and 64 to 256 MiB: not on the thread of a window.

    Raises:
        ValueError: the secret is empty, or salt or parameters are not acceptable.
    """
    if not secret:
        raise ValueError("an empty secret opens nothing")
    key = _key_bytes(secret)
    if key is not None:
        return key
    if len(salt) != SALT_BYTES or not parameters.is_acceptable:
        raise ValueError("no password is tried with such a salt or such parameters")
    return Scrypt(salt, KEY_BYTES, parameters.n, parameters.r, parameters.p).derive(_normal(secret).encode(errors="surrogatepass"))


def refusal(secret: Secret, is_loopback: bool) -> str:
    """Why a machine may not be shared under this secret, as a sentence; "" if it may.

    Args:
        is_loopback: nobody but this very machine can connect.
    """
    if not secret:
        return NO_SECRET
    password = _normal(secret)
    if not password.isprintable():
        return NOT_PRINTABLE
    if is_loopback or is_key(secret):
        return ""
    if len(password) < PASSWORD_CHARACTERS:
        return TOO_SHORT
    if len(set(password)) < DIFFERENT_CHARACTERS or password.casefold() in common_passwords():
        return TOO_COMMON
    return ""


@functools.cache
def common_passwords() -> frozenset[str]:
    """Passwords that everybody tries, in small letters."""
    return frozenset(line for line in COMMON_PASSWORDS.read_text(encoding="utf-8").split("\n") if line)


def _normal(secret: Secret) -> str:
    """The same text for keyboards that compose letters differently."""
    return unicodedata.normalize("NFC", secret.reveal())


def _key_bytes(secret: Secret) -> bytes | None:
    text = secret.reveal()
    if not _KEY.fullmatch(text):
        return None
    key = base64.urlsafe_b64decode(text.removeprefix(_PREFIX) + "=")
    return key if _written(key) == text.removeprefix(_PREFIX) else None


def _written(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")
