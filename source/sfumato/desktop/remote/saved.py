"""The connections a person has made, by name: a setting without any secret, and passwords in the vault for those that shall be remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sfumato.desktop.disk import Disk
from sfumato.desktop.remote.vault import Vault
from sfumato.desktop.shell import Shell
from sfumato.protocol.errors import SfumatoError
from sfumato.protocol.secret import Secret

SETTING = "connections"


@dataclass(frozen=True)
class Saved:
    """One connection; `remembers` says that its password is in the vault."""

    name: str
    endpoint: str
    remembers: bool


class SavedConnections:
    """Reads and changes them; the vault is asked on a thread of its own."""

    def __init__(self, shell: Shell, vault: Vault, disk: Disk) -> None:
        self._shell = shell
        self._vault = vault
        self._disk = disk

    def all(self) -> list[Saved]:
        """In the order in which they were made."""
        rows = self._shell.settings[SETTING]
        return [
            Saved(name, str(row.get("endpoint", "")), row.get("remembers") is True)
            for name, row in rows.items()
            if isinstance(row, dict) and row.get("endpoint")
        ]

    def find(self, name: str) -> Saved | None:
        return next((saved for saved in self.all() if saved.name == name), None)

    def at(self, endpoint: str) -> Saved | None:
        """The first connection that leads to a machine."""
        return next((saved for saved in self.all() if saved.endpoint == endpoint), None)

    def keep(self, saved: Saved, secret: Secret | None) -> None:
        """Save a connection, in the place of the one of that name; without `remembers` its password is forgotten."""
        before = self.find(saved.name)
        if before != saved:
            self._set({row.name: row for row in self.all()} | {saved.name: saved})
        if saved.remembers and secret is not None:
            self._later(partial(self._vault.keep, _key(saved.name), secret))
        elif before is not None and before.remembers:
            self._later(partial(self._vault.drop, _key(saved.name)))

    def forget(self, name: str, then: Callable[[Secret | None], None]) -> None:
        """Forget a connection with its password, which `then` is given in case it is wanted back."""
        self._set({row.name: row for row in self.all() if row.name != name})

        def work() -> Secret | None:
            held = self._vault.find(_key(name))
            self._vault.drop(_key(name))
            return held

        self._disk.run(work, then, self._shell.complain)

    def password(self, name: str, done: Callable[[Secret | None], None]) -> None:
        """Look for the password of a connection; `done` is given None where there is none."""

        def failed(error: SfumatoError) -> None:
            self._shell.complain(error)
            done(None)

        self._disk.run(partial(self._vault.find, _key(name)), done, failed)

    def _set(self, rows: dict[str, Saved]) -> None:
        self._shell.set(SETTING, {name: {"endpoint": row.endpoint, "remembers": row.remembers} for name, row in rows.items()})

    def _later(self, work: Callable[[], None]) -> None:
        self._disk.run(work, lambda _: None, self._shell.complain)


def _key(name: str) -> str:
    return f"connection:{name}"
