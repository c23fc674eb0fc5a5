"""Who may try to come in: bounds before authentication, and the delays after failures. No sockets here, and a clock that tests can turn.

Every connection that has not proved a secret holds a `Place`. There are few places for one address and a fixed number in all. Where all are taken, the
address that holds most gives up its oldest silent one for a newcomer from elsewhere: who only occupies places keeps nobody else out (N20, N21).

A failed attempt makes the next one of its address wait: 1, 2, 4 ... 60 s. An address that many people share (everything behind a tunnel comes from 127.0.0.1)
would let one attacker lock all of them out, so such an address gets all places and a short, constant delay: a rate, not a lock. The secrets that are let
through a tunnel are long enough for that rate (N12).
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

PLACES_PER_ADDRESS = 4
PLACES = 64
HANDSHAKE_S = 10.0
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
# 20 guesses a second from all who share an address: less than one in 10^9 of a year's guesses hits a password of 12 random letters.
SHARED_DELAY_S = 0.05
# An address that did nothing wrong for so long begins anew.
FORGIVEN_AFTER_S = 600.0
ADDRESSES_REMEMBERED = 4096


def origin_of(address: str) -> str:
    """What is counted as one origin: an IPv4 address, the /64 network of an IPv6 address, or the text itself where it is neither."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        if found.is_loopback:
            return str(found)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def is_loopback(address: str) -> bool:
    """Whether `address` is one of this machine's own."""
    try:
        return ipaddress.ip_address(origin_of(address)).is_loopback
    except ValueError:
        return False


@dataclass(eq=False)
class Place:
    """One unauthenticated connection. `evict` ends it; a proven one (its first message opened with a secret) is never evicted."""

    origin: str
    evict: Callable[[], None]
    is_shared: bool = False
    is_proven: bool = False


@dataclass
class _Failures:
    """`delay_s`: after the last failure. `until`: when the next attempt may be looked at."""

    delay_s: float = 0.0
    until: float = 0.0
    last: float = 0.0


@dataclass(frozen=True)
class Refusals:
    """Attempts that came to nothing since they were last counted."""

    count: int
    origins: int


@dataclass
class Gate:
    """All unauthenticated connections of one server. Used from one thread."""

    places_per_address: int = PLACES_PER_ADDRESS
    places: int = PLACES
    longest_delay_s: float = LONGEST_DELAY_S
    clock: Callable[[], float] = time.monotonic
    _held: dict[Place, None] = field(default_factory=dict[Place, None], init=False)
    _failures: OrderedDict[str, _Failures] = field(default_factory=OrderedDict[str, _Failures], init=False)
    _refused: int = field(default=0, init=False)
    _refused_origins: set[str] = field(default_factory=set[str], init=False)

    @property
    def held(self) -> int:
        """Places that are taken now."""
        return len(self._held)

    def enter(self, origin: str, evict: Callable[[], None], *, shared: bool = False) -> Place | None:
        """Take a place for a connection from `origin`; None if there is none for it."""
        mine = self._of(origin)
        if not shared and len(mine) >= self.places_per_address:
            self.refuse(origin)
            return None
        if len(self._held) >= self.places and not self._make_room(origin, len(mine), shared):
            self.refuse(origin)
            return None
        place = Place(origin, evict, shared)
        self._held[place] = None
        return place

    def move(self, place: Place, origin: str, *, shared: bool) -> bool:
        """The connection turned out to come from `origin` (a proxy said so); False if that origin has no place left."""
        others = [other for other in self._of(origin) if other is not place]
        if not shared and len(others) >= self.places_per_address:
            self.refuse(origin)
            return False
        place.origin, place.is_shared = origin, shared
        return True

    def leave(self, place: Place) -> None:
        """The connection ended or is authenticated. May be called twice."""
        self._held.pop(place, None)

    def evict_all(self) -> None:
        """End everybody who has not proved a secret; the server closes."""
        for place in list(self._held):
            self.leave(place)
            place.evict()

    def delay_s(self, place: Place) -> float:
        """How long the next attempt of this place's origin has to wait before it is looked at."""
        failures = self._failures.get(place.origin)
        return max(0.0, failures.until - self.clock()) if failures is not None else 0.0

    def failed(self, place: Place) -> None:
        """A message of this connection opened with no secret, or was none."""
        now = self.clock()
        failures = self._failures.pop(place.origin, None)
        if failures is None or now - failures.last > FORGIVEN_AFTER_S:
            failures = _Failures()
        if place.is_shared:
            failures.delay_s = SHARED_DELAY_S
        else:
            failures.delay_s = min(self.longest_delay_s, max(FIRST_DELAY_S, 2 * failures.delay_s))
        failures.last = now
        failures.until = now + failures.delay_s
        self._failures[place.origin] = failures
        while len(self._failures) > ADDRESSES_REMEMBERED:
            self._failures.popitem(last=False)
        self.refuse(place.origin)

    def succeeded(self, place: Place) -> None:
        """The connection is authenticated: its origin begins anew."""
        self._failures.pop(place.origin, None)
        self.leave(place)

    def refuse(self, origin: str) -> None:
        """Count an attempt that came to nothing."""
        self._refused += 1
        if len(self._refused_origins) < ADDRESSES_REMEMBERED:
            self._refused_origins.add(origin)

    def take_refusals(self) -> Refusals:
        """What was refused since the last call."""
        taken = Refusals(self._refused, len(self._refused_origins))
        self._refused = 0
        self._refused_origins.clear()
        return taken

    def _of(self, origin: str) -> list[Place]:
        return [place for place in self._held if place.origin == origin]

    def _make_room(self, origin: str, own: int, shared: bool) -> bool:
        """End the oldest unproven connection of the origin that holds most, if it holds more than the newcomer's."""
        silent: dict[str, list[Place]] = {}
        for place in self._held:
            if not place.is_proven:
                silent.setdefault(place.origin, []).append(place)
        if not silent:
            return False
        most = max(silent.values(), key=len)
        if len(most) <= own and not (shared and most[0].origin == origin):
            return False
        victim = most[0]
        self.leave(victim)
        self.refuse(victim.origin)
        victim.evict()
        return True
