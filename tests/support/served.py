"""A whole way to another machine on this one: an engine with the test kinds, a relay before it, and clients that connect to it over real sockets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import Command, Event
from sfumato.protocol.secret import Secret
from sfumato.transport.endpoint import InProcess, State
from sfumato.transport.keys import Identity, ScryptParameters, make_secret, psk_of
from sfumato.transport.known_servers import Known
from sfumato.transport.limits import RelayLimits
from sfumato.transport.line_timing import Timing
from sfumato.transport.link import Link
from sfumato.transport.relay import Relay
from sfumato.transport.remote import RemoteInference
from tests.support import kinds

SALT = bytes(range(16))
PATIENCE_S = 60.0
# Reconnects at once, so that tests wait for nothing but what they test.
QUICK = Timing(first_retry_s=0.01, longest_retry_s=0.05, goodbye_s=0.5, connect_s=30, handshake_s=30)


class Closing(Protocol):
    def close(self) -> None: ...


class Reachable(Protocol):
    """A relay that stands somewhere, perhaps in another process."""

    @property
    def port(self) -> int: ...

    def link(self, port: int | None = None) -> Link: ...


class Served:
    """An engine in this process behind a relay. `secret` opens it as owner.

    Args:
        sessions_path: lets lost clients be known to the relay that comes after this one.
    """

    def __init__(
        self, places: Places, *, secret: Secret | None = None, limits: RelayLimits | None = None, sessions_path: Path | None = None, **relay_options: Any
    ) -> None:
        self.secret = secret or make_secret()
        self._places = places
        self._limits = limits
        self._sessions_path = sessions_path
        self._relay_options = relay_options
        psk = psk_of(self.secret, SALT, ScryptParameters())
        self._identity = Identity("me", "owner", psk, "owner-1")
        self.engine = self._new_engine()
        self.relay = self._new_relay(0)

    @property
    def port(self) -> int:
        return self.relay.port

    def link(self, port: int | None = None, scheme: str = "ws") -> Link:
        """A link to the relay, or to what stands before it on another port."""
        return Link.of(f"{scheme}://127.0.0.1:{port or self.port}", self.secret)

    def restart(self, with_engine: bool = False) -> None:
        """Close the relay and open another on the same port; `with_engine`: nothing that was known of jobs is known any more."""
        port = self.port
        self.relay.close()
        if with_engine:
            self.engine.close()
            self.engine = self._new_engine()
        self.relay = self._new_relay(port)

    def close(self) -> None:
        self.relay.close()
        self.engine.close()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_engine(self) -> InProcess:
        engine = InProcess(filled([kinds.REGISTRAR, "tests.support.transfer_kinds:register_fetch"]), self._places)
        engine.open(lambda event: None)
        return engine

    def _new_relay(self, port: int) -> Relay:
        relay = Relay(
            self.engine,
            lambda: [self._identity],
            salt=SALT,
            port=port,
            limits=self._limits,
            sessions_path=self._sessions_path,
            **self._relay_options,
        )
        relay.open()
        return relay


class Whole:
    """An endpoint and everything that was opened for it, closed together, first what was opened last."""

    def __init__(self, endpoint: RemoteInference, *others: Closing) -> None:
        self._endpoint = endpoint
        self._others = others

    def open(self, on_event: Callable[[Event], None]) -> None:
        self._endpoint.open(on_event)

    def send(self, command: Command) -> None:
        self._endpoint.send(command)

    def close(self) -> None:
        self._endpoint.close()
        for other in reversed(self._others):
            other.close()


class Trusting:
    """The client's side believes in an authority until `close`."""

    def __init__(self, authority: Path) -> None:
        self._patch = pytest.MonkeyPatch()
        self._patch.setenv("SSL_CERT_FILE", str(authority))

    def close(self) -> None:
        self._patch.undo()


class States:
    """Pass `hear` to `RemoteInference`; waits for a state as `Listening` does for an event."""

    def __init__(self) -> None:
        self.heard: list[State] = []
        self._changed = threading.Condition()

    def hear(self, state: State) -> None:
        with self._changed:
            self.heard.append(state)
            self._changed.notify_all()

    def wait_for(self, name: str, after: int = 0) -> State:
        return self.wait(lambda state: state.name == name, after)

    def wait(self, wanted: Callable[[State], bool], after: int = 0) -> State:
        """The first state from position `after` on for which `wanted` is true; AssertionError if it does not come."""
        with self._changed:
            found: list[State] = []

            def look() -> bool:
                found.extend(state for state in self.heard[after:] if not found and wanted(state))
                return bool(found)

            assert self._changed.wait_for(look, PATIENCE_S), f"not so; heard {[(state.name, state.sentence) for state in self.heard[-10:]]}"
            return found[0]


def remote(served: Reachable, port: int | None = None, *, states: States | None = None, known: Known | None = None, **options: Any) -> RemoteInference:
    """A client of `served`, or of what stands before it on `port`."""
    options.setdefault("timing", QUICK)
    link = options.pop("link", None) or served.link(port)
    return RemoteInference(link, states.hear if states is not None else None, known=known, **options)
