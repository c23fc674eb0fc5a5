"""Who may come to `sfumato serve`, and by which secret: a fresh one for each run, a password from a file, or one of an earlier run that was kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sfumato.jobs.clients import Role
from sfumato.library import identities
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.secret import Secret
from sfumato.transport.hosting import is_exposed, secret_refusal
from sfumato.transport.keys import Identity, ScryptParameters, make_secret, psk_of
from sfumato.transport.link import Link


@dataclass(frozen=True)
class Wanted:
    """One who shall be let in; with `password`, by that."""

    label: str
    role: Role
    password: Secret | None = None


@dataclass(frozen=True)
class Invited:
    """One who is let in; `secret` is there to be shown once, and only if it was made now."""

    identity: Identity
    secret: Secret | None

    def link(self, endpoint: str) -> Link:
        """What to give to them; without the secret where it is known to them already."""
        return Link(endpoint, self.secret)


def invite(wanted: Sequence[Wanted], folder: Path, *, address: str, tunnel: str = "", public: str = "", keep: bool = False) -> tuple[bytes, list[Invited]]:
    """Find or make a secret for everybody.

    Args:
        wanted: of different labels.
        folder: the data folder with the secrets file.
        address, tunnel, public: how the relay is reached, which decides how good a password has to be.
        keep: whether keys are kept in the secrets file, and taken from there.

    Returns:
        The salt, and those who are let in, in the same order.

    Raises:
        Invalid: a password is too weak, a label cannot be or is there twice, or there are too many.
        SecretsUnusable, NotWritable, DiskFull: of the secrets file.
    """
    held = identities.load(folder)
    labels = [one.label for one in wanted]
    for label in labels:
        problem = identities.label_refusal(label) or (f"'{label}' is named twice." if labels.count(label) > 1 else "")
        if problem:
            raise Invalid([Problem("guest", problem)])
    if len(wanted) > identities.MOST:
        raise Invalid([Problem("guest", f"At most {identities.MOST} can be let in, each by a secret of their own.")])
    changed, invited = held, []
    for one in wanted:
        before = held.find(one.label) if keep else None
        if one.password is None and before is not None:
            if before.role != one.role:
                raise Invalid([Problem("role", f"'{one.label}' is kept as {before.role} in {identities.FILE}; choose that role, or another label.")])
            if is_exposed(address, tunnel, public) and not before.is_for_others:
                raise Invalid([Problem("password", f"The password that is kept for '{one.label}' is too weak for other machines; give another one.")])
            invited.append(Invited(Identity(before.label, before.role, before.psk, before.name), None))
            continue
        secret = one.password or make_secret()
        if problem := secret_refusal(secret, address, tunnel, public):
            raise Invalid([Problem("password", problem)])
        psk = psk_of(secret, held.salt, ScryptParameters(held.n, held.r, held.p))
        name = _name_of(psk)
        if keep:
            changed = changed.having(one.label, one.role, psk, is_for_others=not secret_refusal(secret, "0.0.0.0"))
            kept = changed.find(one.label)
            assert kept is not None, "it was put there now"
            name = kept.name
        invited.append(Invited(Identity(one.label, one.role, psk, name), None if one.password else secret))
    if changed != held:
        identities.save(folder, changed)
    return held.salt, invited


def _name_of(psk: bytes) -> str:
    """Whose jobs they are, of somebody who is not kept: the same for the same secret, so that jobs outlive a restart with the same password."""
    return hashlib.sha256(b"sfumato identity" + psk).hexdigest()[:16]
