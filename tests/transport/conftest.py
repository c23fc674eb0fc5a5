"""The contract fixture: every transport is one value of `open_endpoint`'s parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfumato.jobs.places import Places
from sfumato.jobs.registry import filled
from sfumato.protocol.messages import Hello
from sfumato.transport.endpoint import Endpoint, InProcess
from sfumato.transport.local import LocalInference
from tests.support import kinds, nginx
from tests.support.absent import do_without
from tests.support.bad_proxy import CRUMBS, BadProxy, at_random
from tests.support.listening import Listening
from tests.support.served import Served, Trusting, Whole, remote


def _websocket(places: Places, **options: Any) -> Endpoint:
    served = Served(places)
    return Whole(remote(served, **options), served)


def _through_a_bad_line(places: Places) -> Endpoint:
    """In crumbs and with rests; every other connection breaks somewhere in its first bytes, until six did."""
    served = Served(places)
    breaking = at_random(seed=1, most_bytes=20_000)
    proxy = BadProxy(served.port, lambda number: breaking(number) if number < 6 else CRUMBS)
    return Whole(remote(served, proxy.port), served, proxy)


def _through_nginx(places: Places) -> Endpoint:
    if nginx.program() is None:
        do_without("nginx is not installed.")
    served = Served(places, trusted_proxies=("127.0.0.1",))
    proxy = nginx.Nginx(places.data / "nginx", served.port)
    return Whole(remote(served, link=served.link(proxy.port, "wss")), served, proxy, Trusting(proxy.authority))


MAKERS: dict[str, Callable[[Places], Endpoint]] = {
    "in-process": lambda places: InProcess(filled([kinds.REGISTRAR]), places),
    "pipe": lambda places: LocalInference(places, [kinds.REGISTRAR]),
    "websocket": _websocket,
    "on-demand": lambda places: _websocket(places, artifacts="on_demand"),
    "bad-proxy": _through_a_bad_line,
    "nginx": _through_nginx,
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    # The child has to find the test kinds.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return Places(tmp_path / "data", tmp_path / "outputs", (tmp_path / "models",))


@pytest.fixture(params=MAKERS)
def endpoint(request: pytest.FixtureRequest, places: Places) -> Iterator[Endpoint]:
    made = MAKERS[request.param](places)
    yield made
    made.close()


@pytest.fixture
def client(endpoint: Endpoint) -> Listening:
    """Opened and greeted."""
    listening = Listening()
    endpoint.open(listening.hear)
    listening.wait_for(Hello)
    return listening
