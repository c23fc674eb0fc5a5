"""Who may come to this machine over the network: the secrets file `relay.json` of the data folder.

It holds the salt that passwords are derived with and, of each identity, the derived key; never a password or the text of a secret. The file is private to
its owner, and one that is not is refused. Nothing is derived here.
"""

from __future__ import annotations

import base64
import getpass
import json
import os
import secrets
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.protocol.errors import Invalid, NotWritable, Problem, SecretsUnusable

FILE = "relay.json"
VERSION = 1
# Each connection's first message is tried with the key of every identity.
MOST = 16
SALT_BYTES = 16
PSK_BYTES = 32
LABEL_CHARACTERS = 80
FILE_LIMIT_BYTES = 64 << 10

Role = Literal["owner", "guest"]
ROLES: tuple[Role, ...] = ("owner", "guest")


@dataclass(frozen=True)
class Entry:
    """One who may come.

    Attributes:
        label: for people, of its own in the file.
        role: what it may do here.
        psk: the derived key, `PSK_BYTES` long. Whoever has it can connect; it does not tell the password.
        name: whose jobs they are; stays when the secret is changed.
        is_for_others: the secret was found good enough to be used from other machines.
    """

    label: str
    role: Role
    psk: bytes = field(repr=False)
    name: str
    is_for_others: bool = False


@dataclass(frozen=True)
class Identities:
    """The content of the file: the salt, the cost of deriving (scrypt's n, r and p), and who may come."""

    salt: bytes
    n: int = 1 << 17
    r: int = 8
    p: int = 1
    entries: tuple[Entry, ...] = ()

    def find(self, label: str) -> Entry | None:
        """The entry of a label."""
        return next((entry for entry in self.entries if entry.label == label), None)

    def having(self, label: str, role: Role, psk: bytes, is_for_others: bool = False) -> Identities:
        """With `label` let in by `psk`; an entry of that label keeps its name. Raises `Invalid` if there is no room or the label cannot be."""
        if problem := label_refusal(label):
            raise Invalid([Problem("label", problem)])
        if len(psk) != PSK_BYTES:
            raise ValueError(f"a key has {PSK_BYTES} bytes")
        before = self.find(label)
        if before is not None:
            renewed = Entry(label, role, psk, before.name, is_for_others)
            return replace(self, entries=tuple(renewed if entry is before else entry for entry in self.entries))
        if len(self.entries) >= MOST:
            raise Invalid([Problem("label", f"There are {MOST} identities already; remove one before '{label}' is added.")])
        return replace(self, entries=(*self.entries, Entry(label, role, psk, secrets.token_hex(8), is_for_others)))

    def without(self, label: str) -> Identities:
        """With nobody of this label."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.label != label))


def label_refusal(label: str) -> str:
    """Why an identity cannot have this label, one sentence, or ""."""
    if not label or len(label) > LABEL_CHARACTERS or not label.isprintable() or label != label.strip():
        return f"The name of an identity has 1 to {LABEL_CHARACTERS} printable characters and no space at its ends."
    return ""


def load(folder: Path) -> Identities:
    """What the file in the data folder says; where there is none, one with a fresh salt is written.

    Raises:
        SecretsUnusable: others can read the file, or it is damaged; nothing was changed.
        NotWritable, DiskFull: it could not be made.
    """
    path = folder / FILE
    try:
        text = _read_private(path)
    except FileNotFoundError:
        fresh = Identities(secrets.token_bytes(SALT_BYTES))
        save(folder, fresh)
        return fresh
    except OSError as error:
        raise SecretsUnusable(FILE, f"it cannot be read ({error.strerror})", f"Look at {path}.") from error
    try:
        return _from_json(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SecretsUnusable(
            FILE, "it is damaged", f"Bring back a copy of {path}, or move it away; then every password and link has to be given out anew."
        ) from error


def save(folder: Path, identities: Identities) -> None:
    """Write the file, private from its first byte on and never in part; raises `NotWritable` or `DiskFull`."""
    make_folder(folder)
    path = folder / FILE
    replace_file(path, json.dumps(_to_json(identities), indent=2, ensure_ascii=False).encode() + b"\n", private=True)
    if os.name == "nt":
        _keep_to_user(path)


def _read_private(path: Path) -> str:
    """The text of a file that is a plain one, ours, and closed to others; raises `SecretsUnusable` or OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise SecretsUnusable(FILE, "it is no plain file", f"Move {path} away.")
        if os.name == "posix" and status.st_uid not in (os.geteuid(), 0):
            raise SecretsUnusable(FILE, "it belongs to another user", f"Move {path} away, or choose another data folder.")
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            raise SecretsUnusable(
                FILE,
                f"other users of this machine may open it (mode {stat.S_IMODE(status.st_mode):04o})",
                f"Close it with: chmod 600 '{path}' - and if others may have read it, delete it and give out new secrets.",
            )
        data = file.read(FILE_LIMIT_BYTES + 1)
    if len(data) > FILE_LIMIT_BYTES:
        raise SecretsUnusable(FILE, f"it has more than {FILE_LIMIT_BYTES >> 10} KiB", f"Move {path} away.")
    return data.decode("utf-8", "replace")


def _keep_to_user(path: Path) -> None:
    """On Windows, where modes mean nothing: take the rights inherited from the folder away and give them to this user alone."""
    command = ["icacls", str(path), "/inheritance:r", "/grant:r", f"{getpass.getuser()}:F"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))
    except OSError as error:
        raise NotWritable(str(path.parent), f"the rights of {FILE} could not be set: {error.strerror}") from error
    if done.returncode != 0:
        raise NotWritable(str(path.parent), f"the rights of {FILE} could not be set")


def _to_json(identities: Identities) -> dict[str, Any]:
    return {
        "version": VERSION,
        "salt": identities.salt.hex(),
        "scrypt": {"n": identities.n, "r": identities.r, "p": identities.p},
        "identities": [
            {
                "label": entry.label,
                "role": entry.role,
                "psk": base64.b64encode(entry.psk).decode(),
                "name": entry.name,
                "is_for_others": entry.is_for_others,
            }
            for entry in identities.entries
        ],
    }


def _from_json(values: Mapping[str, Any]) -> Identities:
    """Raises ValueError, KeyError, TypeError or AttributeError at whatever is not as `_to_json` writes it."""
    if values["version"] != VERSION:
        raise ValueError("of another version")
    salt = bytes.fromhex(values["salt"])
    cost = {name: values["scrypt"][name] for name in ("n", "r", "p")}
    if len(salt) != SALT_BYTES or not all(type(value) is int and value > 0 for value in cost.values()):
        raise ValueError("no salt or cost")
    found = Identities(salt, **cost, entries=tuple(_entry(row) for row in values["identities"]))
    labels, names = {entry.label for entry in found.entries}, {entry.name for entry in found.entries}
    if len(found.entries) > MOST or len(labels) != len(found.entries) or len(names) != len(found.entries):
        raise ValueError("too many, or two of one name")
    return found


def _entry(row: Mapping[str, Any]) -> Entry:
    entry = Entry(row["label"], row["role"], base64.b64decode(row["psk"], validate=True), row["name"], row["is_for_others"] is True)
    if label_refusal(entry.label) or entry.role not in ROLES or len(entry.psk) != PSK_BYTES:
        raise ValueError("no identity")
    if not (isinstance(entry.name, str) and entry.name.isalnum() and len(entry.name) <= 32):
        raise ValueError("no name")
    return entry
