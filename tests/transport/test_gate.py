"""Bounds before authentication, with a clock that the test turns."""

from __future__ import annotations

import pytest

from sfumato.transport.gate import FORGIVEN_AFTER_S, SHARED_DELAY_S, Gate, Place, is_loopback, origin_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(clock=clock)


def enter(gate: Gate, origin: str, evicted: list[str] | None = None, *, shared: bool = False) -> Place | None:
    return gate.enter(origin, lambda: evicted.append(origin) if evicted is not None else None, shared=shared)


@pytest.mark.rule("N20")
@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("not an address", "not an address"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, origin: str) -> None:
    assert origin_of(address) == origin


def test_loopback_is_known_in_every_spelling() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("192.0.2.1", "2001:db8::1", "localhost.example", "")))


@pytest.mark.rule("N20")
def test_an_address_has_four_places_and_gets_them_back(gate: Gate) -> None:
    places = [enter(gate, "192.0.2.1") for _ in range(5)]
    assert [place is not None for place in places] == [True] * 4 + [False]
    assert enter(gate, "192.0.2.2") is not None
    assert places[0] is not None
    gate.leave(places[0])
    gate.leave(places[0])
    assert enter(gate, "192.0.2.1") is not None
    assert enter(gate, "192.0.2.1") is None


@pytest.mark.rule("N20", "N21")
def test_all_places_are_sixty_four_and_a_newcomer_gets_one_of_the_address_that_holds_most(gate: Gate) -> None:
    evicted: list[str] = []
    for address in range(16):
        for _ in range(4):
            assert enter(gate, f"192.0.2.{address}", evicted) is not None
    assert gate.held == 64
    assert enter(gate, "198.51.100.1", evicted) is not None
    assert (gate.held, evicted) == (64, ["192.0.2.0"])


def test_who_holds_as_many_as_everybody_gets_nothing(gate: Gate) -> None:
    evicted: list[str] = []
    for address in range(64):
        assert enter(gate, f"192.0.2.{address}", evicted) is not None
    assert enter(gate, "192.0.2.0", evicted) is None
    assert not evicted
    assert enter(gate, "198.51.100.1", evicted) is not None
    assert evicted == ["192.0.2.0"]


def test_who_proved_a_secret_is_never_evicted(gate: Gate) -> None:
    evicted: list[str] = []
    for address in range(64):
        place = enter(gate, f"192.0.2.{address}", evicted)
        assert place is not None
        place.is_proven = True
    assert enter(gate, "198.51.100.1", evicted) is None
    assert not evicted


@pytest.mark.rule("N20", "R108")
def test_failures_delay_the_next_attempt_of_their_address_twice_as_long_each_time(gate: Gate, clock: Clock) -> None:
    place, other = enter(gate, "192.0.2.1"), enter(gate, "192.0.2.2")
    assert place is not None
    assert other is not None
    assert gate.delay_s(place) == 0
    waited: list[float] = []
    for _ in range(8):
        gate.failed(place)
        waited.append(gate.delay_s(place))
        clock.now += waited[-1]
        assert gate.delay_s(place) == 0
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60]
    assert gate.delay_s(other) == 0


def test_success_and_time_forgive(gate: Gate, clock: Clock) -> None:
    place = enter(gate, "192.0.2.1")
    assert place is not None
    for _ in range(5):
        gate.failed(place)
    gate.succeeded(place)
    assert gate.delay_s(place) == 0
    assert gate.held == 0
    for _ in range(5):
        gate.failed(place)
    clock.now += FORGIVEN_AFTER_S + 1
    gate.failed(place)
    assert gate.delay_s(place) == 1


@pytest.mark.rule("N20")
def test_an_address_that_many_share_is_slowed_down_but_never_locked_out(gate: Gate) -> None:
    evicted: list[str] = []
    places = [enter(gate, "127.0.0.1", evicted, shared=True) for _ in range(64)]
    assert all(places)
    for place in places:
        assert place is not None
        gate.failed(place)
        assert gate.delay_s(place) == pytest.approx(SHARED_DELAY_S)
    # The oldest silent one goes for the next that comes through the tunnel.
    assert enter(gate, "127.0.0.1", evicted, shared=True) is not None
    assert evicted == ["127.0.0.1"]
    assert gate.held == 64


def test_a_proxy_tells_later_whose_a_place_is(gate: Gate) -> None:
    held = [enter(gate, "10.0.0.1", shared=True) for _ in range(6)]
    moved = [place is not None and gate.move(place, "192.0.2.1", shared=False) for place in held]
    assert moved == [True] * 4 + [False] * 2


def test_what_was_refused_is_counted_once(gate: Gate) -> None:
    for _ in range(6):
        enter(gate, "192.0.2.1")
    place = enter(gate, "192.0.2.2")
    assert place is not None
    gate.failed(place)
    refusals = gate.take_refusals()
    assert (refusals.count, refusals.origins) == (3, 2)
    assert gate.take_refusals().count == 0


def test_a_flood_of_addresses_takes_a_bounded_memory(gate: Gate) -> None:
    for number in range(10_000):
        place = enter(gate, f"2001:db8:{number:x}::/64")
        assert place is not None
        gate.failed(place)
        gate.leave(place)
    assert gate.take_refusals().count == 10_000
    assert len(gate._failures) <= 4096  # the memory is what this is about
