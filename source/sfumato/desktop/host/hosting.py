"""One time of sharing: the relay before the engine of this computer, the helper that gives it a public address, and the secret that opens it.

Knows nothing of Qt. `open` and `close` take their time and run away from the window's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sfumato.desktop.host.clients import ClientRow
from sfumato.desktop.host.plan import Plan
from sfumato.library import identities
from sfumato.library.monitoring import Monitor
from sfumato.protocol.errors import Invalid, Problem
from sfumato.transport.endpoint import SharedEndpoint, State
from sfumato.transport.hosting import endpoint_of, secret_refusal
from sfumato.transport.keys import Identity, ScryptParameters, make_secret, psk_of
from sfumato.transport.link import Link
from sfumato.transport.relay import Relay
from sfumato.transport.tunnel import Tunnel

log = logging.getLogger(__name__)

# Whose jobs they are, by what the shared secret allows; the same at every start, so that a lost client finds its jobs again.
IDENTITIES = {"guest": "hostguest", "owner": "hostowner"}


class Hosting:
    """Opened once, closed once.

    Args:
        shared: the engine; it is left open.
        data: the folder that keeps the salt of this computer.
        monitor: keeps what is said to others, while that is wanted.
        is_monitored: whether it is wanted now.
        on_change: called from any thread when a client came or went, or the public address is known.
        on_tunnel_end: called with a sentence when the tunnel ended by itself.
    """

    def __init__(
        self,
        shared: SharedEndpoint,
        plan: Plan,
        data: Path,
        monitor: Monitor,
        is_monitored: bool,
        on_change: Callable[[], None],
        on_tunnel_end: Callable[[str], None],
    ) -> None:
        self.shared = shared
        self.plan = plan
        self.secret = plan.secret or make_secret()
        self._data = data
        self._monitor = monitor
        self.is_monitored = is_monitored
        self._on_change = on_change
        self._on_tunnel_end = on_tunnel_end
        self._relay: Relay | None = None
        self._tunnel: Tunnel | None = None

    def open(self) -> None:
        """Listen, then start the tunnel; returns when it listens.

        Raises:
            Invalid: the password is not good enough for the address, or the tunnel cannot be started.
            PortTaken, SfumatoError: it cannot listen there, or the salt cannot be read.
        """
        if reason := secret_refusal(self.secret, self.plan.address, " ".join(self.plan.tunnel)):
            raise Invalid([Problem("password", reason)])
        known = identities.load(self._data)
        psk = psk_of(self.secret, known.salt, ScryptParameters(known.n, known.r, known.p))
        label = "Guests" if self.plan.role == "guest" else "Owners"
        everybody = (Identity(label, self.plan.role, psk, IDENTITIES[self.plan.role]),)
        relay = Relay(
            self.shared,
            lambda: everybody,
            salt=known.salt,
            address=self.plan.address,
            port=self.plan.port,
            monitored=self.is_monitored,
            on_change=self._on_change,
        )
        relay.open()
        self._relay = relay
        self.shared.monitor = self._monitor if self.is_monitored else None
        if self.plan.tunnel:
            try:
                self._tunnel = Tunnel(self.plan.tunnel, self._found_address, self._lost_tunnel)
                self._tunnel.open()
            except Exception:
                self.close()
                raise
        log.info("hosting on %s, port %d, for %ss", self.plan.address, relay.port, self.plan.role)

    def close(self) -> None:
        """End the tunnel, the clients and the listening. May be called twice."""
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.close()
        relay, self._relay = self._relay, None
        if relay is not None:
            self.shared.monitor = None
            for client in relay.clients():
                relay.disconnect(client.session)
            relay.close()
            log.info("hosting ended")

    @property
    def link(self) -> Link | None:
        """What others open: by the public address, as soon as there is one; None before it listens."""
        relay, tunnel = self._relay, self._tunnel
        if relay is None:
            return None
        if tunnel is not None and tunnel.address:
            return Link.of(tunnel.address, self.secret)
        return Link.of(endpoint_of(self.plan.address, relay.port), self.secret)

    @property
    def endpoint(self) -> str:
        """Where it listens, as others in the same network reach it."""
        relay = self._relay
        return endpoint_of(self.plan.address, relay.port) if relay is not None else ""

    @property
    def public_endpoint(self) -> str:
        """What the tunnel printed, "" before that."""
        return self._tunnel.address if self._tunnel is not None else ""

    def clients(self) -> list[ClientRow]:
        """Who is connected now."""
        relay = self._relay
        if relay is None:
            return []
        return [ClientRow(one.session, one.label, one.address, one.role, one.latency_s, one.waiting, one.running) for one in relay.clients()]

    @property
    def has_tunnel(self) -> bool:
        """Whether the helper runs."""
        return self._tunnel is not None

    def dismiss(self, session: str) -> None:
        """End a client's connection; what it has running and waiting goes with it."""
        if self._relay is not None:
            self._relay.disconnect(session)

    def watch(self, is_monitored: bool) -> None:
        """Keep what others make from now on, or no longer; they are told."""
        self.is_monitored = is_monitored
        if self._relay is not None:
            self.shared.monitor = self._monitor if is_monitored else None
            self._relay.monitor(is_monitored)

    def tell(self, state: State) -> None:
        """How the engine is, for those who are connected."""
        if self._relay is not None:
            self._relay.tell(state)

    def _found_address(self, endpoint: str) -> None:
        relay = self._relay
        if relay is not None:
            relay.answer_for(Link.of(endpoint).host)
        self._on_change()

    def _lost_tunnel(self, sentence: str) -> None:
        """The helper ended by itself; whoever is connected in the network stays."""
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.close()
        self._on_tunnel_end(sentence)
