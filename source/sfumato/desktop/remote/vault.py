"""Passwords and tokens between two starts: in the system's keyring, else in a file that only the user may read.

Every call may wait for the keyring's own window, so none belongs on the GUI thread. Rule D149 of desktop.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Protocol, cast

from sfumato.imaging.writing import make_folder, replace_file
from sfumato.protocol.errors import NotWritable
from sfumato.protocol.secret import Secret

log = logging.getLogger(__name__)

SERVICE = "Sfumato"
FILE = "passwords.json"


class Keyring(Protocol):
    """What is asked of the system's keyring; it raises errors of its own."""

    def get_password(self, service: str, name: str) -> str | None: ...

    def set_password(self, service: str, name: str, password: str) -> None: ...

    def delete_password(self, service: str, name: str) -> None: ...


def system_keyring() -> Keyring | None:
    """The keyring of this system; None where it has none, or one that keeps its content readable. Slow: it is looked for."""
    try:
        import keyring  # late: looking for the system's services takes a second

        found = keyring.get_keyring()
    except Exception:  # a broken installation of whatever kind: the file is there
        log.exception("the system's keyring could not be looked for")
        return None
    return cast(Keyring, found) if found.priority >= 1 else None


class Vault:
    """Secrets by name, such as `connection:studio`.

    Args:
        folder: where the file is kept; it need not be there yet.
        keyring: finds the keyring, on the first call of anything.
    """

    def __init__(self, folder: Path, keyring: object = system_keyring) -> None:
        self._path = folder / FILE
        self._find = keyring
        self._keyring: Keyring | None = None
        self._is_open = False

    @property
    def in_keyring(self) -> bool:
        """Whether the system keeps what is given; else the file does."""
        self._open()
        return self._keyring is not None

    @property
    def path(self) -> Path:
        return self._path

    def find(self, name: str) -> Secret | None:
        """What was kept under a name. Raises `NotWritable` never: what cannot be read is not there."""
        self._open()
        if self._keyring is not None:
            try:
                found = self._keyring.get_password(SERVICE, name)
            except Exception as error:  # noqa: BLE001  # whatever the system's service raises: a locked keyring, one that ended
                log.warning("the system's keyring gave nothing: %s", type(error).__name__)
            else:
                if found is not None:
                    return Secret(found)
        kept = self._read().get(name)
        return Secret(kept) if kept is not None else None

    def keep(self, name: str, secret: Secret) -> None:
        """Keep a secret; a keyring that refuses it leaves it to the file. Raises `NotWritable` or `DiskFull`."""
        self._open()
        if self._keyring is not None:
            try:
                self._keyring.set_password(SERVICE, name, secret.reveal())
            except Exception as error:  # noqa: BLE001  # whatever the system's service raises
                log.warning("the system's keyring took nothing, the file does: %s", type(error).__name__)
                self._keyring = None
            else:
                self._drop_from_file(name)
                return
        self._write(self._read() | {name: secret.reveal()})

    def drop(self, name: str) -> None:
        """Forget a secret, wherever it is. Raises `NotWritable` or `DiskFull`."""
        self._open()
        if self._keyring is not None:
            try:
                if self._keyring.get_password(SERVICE, name) is not None:
                    self._keyring.delete_password(SERVICE, name)
            except Exception as error:  # noqa: BLE001  # whatever the system's service raises
                log.warning("the system's keyring did not forget: %s", type(error).__name__)
        self._drop_from_file(name)

    def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._keyring = self._find() if callable(self._find) else None

    def _read(self) -> dict[str, str]:
        try:
            held = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return {str(name): text for name, text in held.items() if isinstance(text, str)} if isinstance(held, dict) else {}

    def _write(self, held: dict[str, str]) -> None:
        make_folder(self._path.parent)
        self._keep_damaged()
        replace_file(self._path, json.dumps(held, indent=1).encode() + b"\n", private=True)

    def _keep_damaged(self) -> None:
        """A file that holds something nobody can read is kept beside the new one. Raises `NotWritable` for one that may not be read."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise NotWritable(self._path.parent.name, error.strerror or "") from error
        try:
            is_readable = isinstance(json.loads(content), dict)
        except (ValueError, RecursionError):
            is_readable = False
        if not is_readable:
            replace_file(self._path.with_suffix(".damaged.json"), content, private=True)

    def _drop_from_file(self, name: str) -> None:
        held = self._read()
        if held.pop(name, None) is not None:
            self._write(held)
